"""The sound of a call, for staff who may read calls. Each time it is opened is in the audit trail."""

from typing import TYPE_CHECKING

from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path

from config.api.audit import record
from voice.admin.pages import must
from voice.models import CallRecording, PhoneCall

if TYPE_CHECKING:
    from voice.admin.calls import PhoneCallAdmin


def urls(owner: "PhoneCallAdmin") -> list[URLPattern]:
    view = owner.admin_site.admin_view(_Sound(owner).sound)
    return [path("recordings/<int:recording_id>", view, name="voice_recording")]


class _Sound:
    def __init__(self, owner: "PhoneCallAdmin") -> None:
        self._owner = owner

    def sound(self, request: HttpRequest, recording_id: int) -> HttpResponseBase:
        must(self._owner.has_view_permission(request))
        kept = CallRecording.objects.filter(state=CallRecording.State.KEPT, call__isnull=False)
        row = kept.select_related("call__account").filter(pk=min(recording_id, 2**63 - 1)).first()
        call: PhoneCall | None = row.call if row is not None else None
        if row is None or call is None or not default_storage.exists(str(row.file.name)):
            raise Http404
        name = request.user.get_username()
        record(call.account, "staff", name, "listen to phone call", target=call, request=request)
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        sound = default_storage.open(str(row.file.name), "rb")
        return FileResponse(sound, content_type="audio/mpeg", filename=f"{row.sid}.mp3", headers=headers)
