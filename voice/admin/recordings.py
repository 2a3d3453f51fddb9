"""The sound of a call, for staff who may read calls. Each time it is opened is in the audit trail."""

from typing import TYPE_CHECKING

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path

from config.api.audit import record
from crm.media_serving import stored_response
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
        if row is None or call is None:
            raise Http404
        # Players ask for parts; without them some play nothing, and none can skip.
        wanted = request.headers.get("Range", "")
        response = stored_response(str(row.file.name), size_bytes=row.size_bytes or 0, wanted=wanted)
        if response is None:
            raise Http404
        name = request.user.get_username()
        record(call.account, "staff", name, "listen to phone call", target=call, request=request)
        response.headers["Content-Type"], response.headers["Cache-Control"] = "audio/mpeg", "no-store"
        return response
