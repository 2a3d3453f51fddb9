"""Webhooks that never came: the vendor's own list is read every few minutes, and what we lack is asked for.

Source: GET /v1/convai/conversations and /{conversation_id} of ElevenLabs, with `xi-api-key`.
"""

import io
import json
import logging
import time
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import requests
from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from urllib3.exceptions import HTTPError

from voice import webhook_calls
from voice import webhook_elevenlabs as elevenlabs
from voice.models import ReceivedConversation, VoiceEvent, VoiceFeed
from voice.webhook_account import webhook_account

log = logging.getLogger(__name__)

SOURCE = VoiceEvent.Source.ELEVENLABS
TIMEOUT = (5, 20)  # seconds to connect, and between two pieces of an answer
WORK_SECONDS = 40  # of one reading; the next goes on
LEASE = timedelta(minutes=2)
EVERY = timedelta(minutes=5)
# Asked again each time: a call may end, and its record be made, long after it began.
OVERLAP = timedelta(hours=3)
FIRST_LOOK = timedelta(days=2)
PAGE = 100
MOST_PAGES = 20  # of one reading
MOST_BYTES = 16 * 1024 * 1024  # of one answer
GONE = (400, 404, 410, 422)  # nothing is wrong with us, nor with the vendor


class VendorAway(Exception):  # noqa: N818
    """The vendor did not answer, or not as documented. Its text holds no secret."""


class NotToBeHad(VendorAway):
    """What was asked for the vendor will not give, however often it is asked: it is gone, or too large."""


def is_due(*, at: datetime | None = None) -> bool:
    if not settings.ELEVENLABS_API_KEY:
        return False
    now = at or timezone.now()
    VoiceFeed.objects.get_or_create(source=SOURCE, defaults={"not_before": now})
    return _free(now).exists()


def _free(now: datetime) -> Any:
    idle = Q(reading_until=None) | Q(reading_until__lt=now)
    return VoiceFeed.objects.filter(idle, source=SOURCE, not_before__lte=now)


def ask() -> int:
    """How many conversations were found that no webhook had told of. One reader at a time."""
    now = timezone.now()
    if not is_due(at=now) or not _free(now).update(reading_until=now + LEASE):
        return 0
    feed = VoiceFeed.objects.get(pk=SOURCE)
    since = (feed.asked_until or now - FIRST_LOOK) - OVERLAP
    try:
        found, is_whole = _missing_kept(since)
    except VendorAway as error:
        log.warning("ElevenLabs was not asked: %s", error)
        _note(last_error=str(error)[:300], not_before=now + EVERY)
        return 0
    # Only a reading that reached the end of the list moves on.
    moved = {"asked_until": now} if is_whole else {}
    _note(last_error="", last_ok_at=timezone.now(), not_before=now + EVERY if is_whole else now, **moved)
    return found


def _note(**fields: Any) -> None:
    VoiceFeed.objects.filter(pk=SOURCE).update(reading_until=None, **fields)


def _missing_kept(since: datetime) -> tuple[int, bool]:
    found, cursor, ends = 0, "", time.monotonic() + WORK_SECONDS
    for _page in range(MOST_PAGES):
        query = {"page_size": PAGE, "call_start_after_unix": int(since.timestamp())}
        answer = _get("", {**query, "cursor": cursor} if cursor else query)
        for conversation_id in _unknown(answer):
            if time.monotonic() > ends:
                return found, False
            found += _fetched(conversation_id)
        cursor = elevenlabs.text(answer, "next_cursor")
        if not answer.get("has_more") or not cursor:
            return found, True
    return found, False


def _unknown(answer: dict[str, Any]) -> list[str]:
    """Those of a page that have ended and that we do not hold: two queries for the whole page."""
    rows = answer.get("conversations")
    if not isinstance(rows, list):
        raise VendorAway("The list has no conversations.")
    ended = [row for row in rows if isinstance(row, dict) and row.get("status") in ("done", "failed")]
    ids = [name for row in ended if (name := elevenlabs.text(row, "conversation_id")) and len(name) <= 200]
    account = webhook_account()
    events = VoiceEvent.objects.for_account(account).filter(source=SOURCE, kind=elevenlabs.TRANSCRIPTION)
    held = set(events.filter(conversation_id__in=ids).values_list("conversation_id", flat=True))
    erased = ReceivedConversation.objects.for_account(account).filter(
        conversation_id__in=ids, status=ReceivedConversation.Status.ERASED
    )
    held |= set(erased.values_list("conversation_id", flat=True))
    return [name for name in ids if name not in held]


def _fetched(conversation_id: str) -> bool:
    """One that is not to be had must not keep all the others from us: it is passed over."""
    try:
        return _fetch(conversation_id)
    except NotToBeHad as error:
        log.warning("ElevenLabs lists a conversation and does not give it: %s", error)
        return False


def _fetch(conversation_id: str) -> bool:
    """Its record, kept as the event whose webhook never came."""
    data = _get(f"/{quote(conversation_id, safe='')}", {})
    talk = elevenlabs.talk_of(data)
    if talk.conversation_id != conversation_id:
        raise NotToBeHad("Another conversation was answered than the one asked for.")
    at = talk.ended_at or talk.started_at or timezone.now()
    envelope = {"type": elevenlabs.TRANSCRIPTION, "event_timestamp": int(at.timestamp()), "data": data}
    body = json.dumps(envelope).encode()
    return webhook_calls.keep(webhook_account(), io.BytesIO(body), size=len(body), is_polled=True)


def _get(path: str, query: dict[str, Any]) -> dict[str, Any]:
    """One JSON object. Raises VendorAway; follows no redirect, which would carry the key elsewhere."""
    address = f"{settings.ELEVENLABS_BASE_URL}/v1/convai/conversations{path}"
    headers = {"xi-api-key": settings.ELEVENLABS_API_KEY}
    try:
        with requests.get(
            address, params=query, headers=headers, timeout=TIMEOUT, allow_redirects=False, stream=True
        ) as response:
            if response.status_code != 200:
                away = NotToBeHad if response.status_code in GONE else VendorAway
                raise away(f"Status {response.status_code}.")
            body = response.raw.read(MOST_BYTES + 1, decode_content=True)
    except (requests.RequestException, HTTPError) as error:  # `raw` is urllib3's, and so are its errors
        raise VendorAway(type(error).__name__) from None
    if len(body) > MOST_BYTES:
        raise NotToBeHad("The answer is too large.")
    if not (answer := elevenlabs.envelope_of(body)):
        raise VendorAway("The answer is no JSON object.")
    return answer
