"""Starting, pausing, resuming and cancelling a call batch: each says first whom it touches."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.utils.translation import ngettext

from config.api.audit import record
from voice import audience, batches
from voice.admin.pages import page
from voice.models import CallBatch

if TYPE_CHECKING:
    from voice.admin.batches import CallBatchAdmin

State = CallBatch.State


@dataclass(frozen=True, slots=True)
class Move:
    """Something staff can do to a batch, where it is offered, and what it will say first."""

    action: str  # as it is recorded
    label: str | Promise
    start: tuple[str, ...]
    question: Callable[[CallBatch], str]
    do: Callable[[CallBatch], bool]


def _whom(batch: CallBatch) -> str:
    return audience.sentence(audience.audience_of(batch))


def _left(batch: CallBatch) -> str:
    figures = batches.progress([batch.pk])[batch.pk]
    waiting = ngettext("%(n)s person waits.", "%(n)s people wait.", figures.waiting) % {"n": figures.waiting}
    running = ngettext(
        "%(n)s call in progress goes on.", "%(n)s calls in progress go on.", figures.in_progress
    )
    return f"{waiting} {running % {'n': figures.in_progress}}"


MOVES = {
    "start": Move("started call batch", _l("Start to call"), (State.DRAFT,), _whom, batches.start),
    "pause": Move(
        "paused call batch",
        _l("Pause"),
        (State.RUNNING,),
        _left,
        lambda one: batches.pause(one.pk, reason=_("Paused by staff.")),
    ),
    "resume": Move(
        "resumed call batch", _l("Resume"), (State.PAUSED,), _whom, lambda one: batches.resume(one.pk)
    ),
    "cancel": Move(
        "cancelled call batch",
        _l("Cancel the batch"),
        batches.GROWING,
        lambda one: _left(one) + " " + _("Nobody else will be called. This cannot be undone."),
        lambda one: batches.cancel(one.pk),
    ),
}


def offered(batch: CallBatch) -> list[dict[str, object]]:
    return [
        {"url": reverse("admin:voice_callbatch_move", args=[batch.pk, name]), "label": move.label}
        for name, move in MOVES.items()
        if batch.state in move.start
    ]


def urls(owner: "CallBatchAdmin") -> list[URLPattern]:
    pages = _Pages(owner)
    view = owner.admin_site.admin_view(pages.move)
    return [path("<uuid:pk>/move/<str:name>/", view, name="voice_callbatch_move")]


class _Pages:
    def __init__(self, owner: "CallBatchAdmin") -> None:
        self._owner = owner

    def move(self, request: HttpRequest, pk: UUID, name: str) -> HttpResponse:
        batch, move = self._owner.batch(request, pk), MOVES.get(name)
        back = redirect("admin:voice_callbatch_change", batch.pk)
        if move is None or batch.state not in move.start:
            messages.error(request, _("The batch is %(state)s.") % {"state": batch.get_state_display()})
            return back
        if request.method != "POST":
            context = {
                "title": f"{move.label}: {batch.name}",
                "question": move.question(batch),
                "button": move.label,
                "back": reverse("admin:voice_callbatch_change", args=[batch.pk]),
            }
            return page(request, "admin/voice/confirm.html", context, about=batch)
        self._do(request, batch, move)
        return back

    def _do(self, request: HttpRequest, batch: CallBatch, move: Move) -> None:
        try:
            done = move.do(batch)
        except batches.MoveRefused as error:
            messages.error(request, str(error))
            return
        if not done:
            messages.error(request, _("The batch has moved on meanwhile. Please look again."))
            return
        record(batch.account, "staff", request.user.get_username(), move.action, target=batch)
        messages.success(request, _("Done: %(what)s.") % {"what": move.label})
