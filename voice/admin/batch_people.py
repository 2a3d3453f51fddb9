"""Adding people to a call batch: a pasted list, or everybody who agreed to be called."""

from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config.api.audit import record
from voice import batch_lists, batches
from voice.admin.pages import page
from voice.models import CallBatch

if TYPE_CHECKING:
    from voice.admin.batches import CallBatchAdmin

SHOWN_MISSING = 10


def urls(owner: "CallBatchAdmin") -> list[URLPattern]:
    view = owner.admin_site.admin_view(_Pages(owner).add)
    return [path("<uuid:pk>/people/", view, name="voice_callbatch_people")]


class _Pages:
    def __init__(self, owner: "CallBatchAdmin") -> None:
        self._owner = owner

    def add(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        batch = self._owner.batch(request, pk)
        if request.method == "POST" and self._added(request, batch):
            return redirect("admin:voice_callbatch_change", batch.pk)
        context = {
            "title": f"{_('Add people')}: {batch.name}",
            "batch": batch,
            "agreed": batches.agreed(batch.account).count(),
            "most": batch_lists.MOST_LINES,
            "text": request.POST.get("people", "")[:100_000],
        }
        return page(request, "admin/voice/batch_people.html", context, about=batch)

    def _added(self, request: HttpRequest, batch: CallBatch) -> bool:
        missing: list[str] = []
        if request.POST.get("everybody"):
            people = batches.agreed(batch.account)
        else:
            found = batch_lists.named(batch.account, request.POST.get("people", ""))
            people, missing = found.people, found.missing
        try:
            count = batches.add(batch, people)
        except batches.MoveRefused as error:
            messages.error(request, str(error))
            return False
        if missing:
            names = ", ".join(missing[:SHOWN_MISSING])
            words = ngettext(
                "%(n)d line names nobody: %(names)s", "%(n)d lines name nobody: %(names)s", len(missing)
            )
            messages.warning(request, words % {"n": len(missing), "names": names})
        if count:
            who = request.user.get_username()
            record(batch.account, "staff", who, "added people to call batch", target=batch)
        messages.success(request, ngettext("%d person was added.", "%d people were added.", count) % count)
        return bool(count) or not missing
