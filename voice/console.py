"""The test console's turn: a form of staff, answered by the code that answers Twilio's webhook.

Async like that one, because a model may be asked what was meant: no thread waits for it.
"""

from math import isfinite
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse

from config.api.threads import in_database
from voice import practice, understanding
from voice.scheduling import Heard

PERMISSION = "voice.change_phonecall"
LONGEST_WORDS = 2000  # characters, as of the webhook
KEYS = "1234567890*#"


def may_practise(user: Any) -> bool:
    return bool(user.is_active and user.is_staff and user.has_perm(PERMISSION))


async def say(request: HttpRequest, call_id: UUID) -> HttpResponseBase:
    """The form: `words` with a `confidence`, or `keys`, or `do` (silence, hang_up)."""
    user = await request.auser()
    if not await in_database(may_practise, user):
        return HttpResponse(status=404 if user.is_authenticated else 403)
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "POST"})
    call = await in_database(practice.call_of, call_id)
    if call is None:
        return HttpResponse(status=404)
    if request.POST.get("do") == "hang_up":
        await in_database(practice.hang_up, call)
    else:
        await understanding.hear(call.pk, None, _heard(request))
    return HttpResponseRedirect(f"{reverse('admin:voice_phonecall_console', args=[call.pk])}#say")


def _heard(request: HttpRequest) -> Heard:
    if request.POST.get("do") == "silence":
        return Heard()
    if keys := "".join(key for key in request.POST.get("keys", "") if key in KEYS)[:20]:
        return Heard(digits=keys)
    words = request.POST.get("words", "").replace("\0", "").strip()[:LONGEST_WORDS]
    return Heard(words=words, confidence=_confidence(request.POST.get("confidence", "")))


def _confidence(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 1.0
    return min(1.0, max(0.0, value)) if isfinite(value) else 1.0
