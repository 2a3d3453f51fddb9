"""Whether a call that reached nobody is followed by another, and when. voice/retrying.py does it."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from voice import gates
from voice.models import PhoneCall


def gap_after(call: PhoneCall, outcome: str) -> timedelta | None:
    """How long to wait for the next attempt; None when this outcome is followed by none, or by no more.

    Whoever asked on a page to be called asks again.
    """
    if call.continues_id is not None:
        return None
    gaps = settings.RETRY_MINUTES.get(outcome, ())
    return timedelta(minutes=gaps[call.attempt - 1]) if call.attempt <= len(gaps) else None


def plan(call: PhoneCall, outcome: str, *, now: datetime) -> None:
    """Notes in the row when the next attempt is due, by the clock where the person is.

    In the caller's transaction, where the call's status becomes final: once for each call.
    """
    if call.is_test:
        return
    gap = gap_after(call, outcome)
    # Whoever asked for one call heard that it was not placed; in a batch there is nobody to hear it.
    was_told = bool(call.error) and call.attempt == 1 and call.callee_id is None
    if gap is None or was_told:
        return
    at = gates.next_hour(call.person, call.to_number, after=now + gap)
    PhoneCall.objects.filter(pk=call.pk).update(retry_at=at)


def stop(call: PhoneCall) -> None:
    """Nobody rings this person or this number again: not even what is due in a minute."""
    theirs = Q(contact=call.contact_id) | Q(account=call.account_id, to_number=call.to_number)
    PhoneCall.objects.filter(theirs, retry_at__isnull=False).update(retry_at=None)
