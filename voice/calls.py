"""A call: its intent is written, the telephone rings once, and the line's reports are taken in any order."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from config.api.addresses import is_loopback
from config.api.models import Account
from config.api.prepared import PreparedRows, given
from crm import consent, talk, timeline, watching
from crm.contacts import email_of, uuid_of
from crm.models import Contact, Conversation, Message, TimelineEntry
from crm.models.consent import Purpose
from crm.models.contacts import Channel
from crm.phone_talks import OFF_PHONE
from voice import (
    batches,
    gates,
    kept_talks,
    news,
    outcomes,
    prices,
    retry_rules,
    slots_of_environment,
    twilio,
)
from voice.models import Callee, LineMove, PhoneCall
from voice.phrases import phrases_of

Line, Status = PhoneCall.Line, PhoneCall.Status
RANK = {
    Line.REQUESTED: 0,
    Line.UNKNOWN: 1,
    Line.QUEUED: 2,
    Line.INITIATED: 3,
    Line.RINGING: 4,
    Line.IN_PROGRESS: 5,
    **dict.fromkeys(PhoneCall.ENDED, 6),
}
# A line that no report came from for so long is asked for at Twilio: no call of ours lasts as long.
STALE = timedelta(seconds=twilio.LONGEST_CALL_SECONDS + 120)
# One that Twilio itself cannot tell of for so long is given up.
FORGOTTEN = timedelta(days=1)


class CannotCall(Exception):  # noqa: N818
    """Nobody was called. `code` is for programs, the text for people."""

    def __init__(self, code: str, text: str, **details: Any) -> None:
        super().__init__(text)
        self.code, self.text, self.details = code, text, details


@dataclass(frozen=True, slots=True)
class About:
    """What the call is about, in the caller's words."""

    company: str
    position: str


def check_setup() -> None:
    """Raises CannotCall while the installation cannot call anybody."""
    if missing := twilio.missing_settings():
        raise CannotCall("NOT_CONFIGURED", _("Set %(names)s first.") % {"names": ", ".join(missing)})
    host = urlsplit(settings.WEBHOOK_BASE_URL).hostname or ""
    if host == "localhost" or is_loopback(host):
        raise CannotCall(
            "WEBHOOK_NOT_PUBLIC",
            _("Webhook URL must be public: Twilio cannot reach this machine by the name it has now."),
            suggestion=_("Set WEBHOOK_BASE_URL to the public https address of this installation."),
        )


def webhook(path: str, **query: Any) -> str:
    """An address of ours, as Twilio reaches it."""
    return f"{settings.WEBHOOK_BASE_URL}/{path}" + (f"?{urlencode(query)}" if query else "")


def socket(path: str) -> str:
    """The same of a websocket."""
    return f"{settings.WEBHOOK_BASE_URL.replace('http', 'ws', 1)}/{path}"


def place(
    contact: Contact,
    about: About,
    *,
    by: str,
    now: datetime | None = None,
    retry_of: PhoneCall | None = None,
    callee: Callee | None = None,
    key: str = "",
) -> PhoneCall:
    """Rings the person, once; also once as the next attempt of another call, or as the first for a place in
    a batch. Raises CannotCall. `key` is the caller's own name of it (`placed_by`).

    The row is there before Twilio is asked, and only one call of a person can be active. When Twilio's
    answer is lost the call is looked up, and never simply placed again.
    """
    check_setup()
    at = now or timezone.now()
    settle_earlier(contact, now=at)
    if (reason := gates.refusal(contact, now=at)) is not None:
        raise CannotCall(reason.code, reason.text, **reason.details)
    slots_of_environment.offer(contact.account, now=at)
    return ring(_intended(contact, about, by=by, at=at, retry_of=retry_of, callee=callee, key=key))


def placed_by(account: Account, key: str) -> PhoneCall | None:
    """The call that Twilio took for a request with this key, of the last day."""
    rows = PhoneCall.objects.for_account(account).filter(started_at__gt=timezone.now() - FORGOTTEN)
    found: PhoneCall | None = rows.filter(invitation__key=key, sid__isnull=False).first()
    return found


def ring(call: PhoneCall, *, longest_seconds: int = twilio.LONGEST_CALL_SECONDS) -> PhoneCall:
    """Asks Twilio to place a call whose row is there, once. Raises CannotCall."""
    address = {"call": str(call.pk)}
    try:
        placed = twilio.place(
            call.to_number,
            voice_url=webhook("twilio-voice", **address),
            status_url=webhook("twilio-status", **address),
            longest_seconds=longest_seconds,
            recording_url=webhook("twilio-recording", **address) if is_recorded(call) else "",
        )
    except twilio.TwilioFailed as error:
        _never_rang(call, error)
        raise CannotCall(error.kind.upper(), error.text, twilio_error=error.code) from error
    except twilio.AnswerLost:
        return _looked_up(call)
    _adopt(call, placed)
    return call


def is_recorded(call: PhoneCall) -> bool:
    """As it was when the call was asked for: the person is told so, or nothing is recorded."""
    return bool(call.invitation.get("is_recorded"))


def _invitation(contact: Contact, about: About, number: str, key: str) -> dict[str, Any]:
    email = email_of(contact)
    return {
        "candidate": contact.name,
        "company": about.company,
        "position": about.position,
        "zone": str(gates.zones_of(contact, number)[0]),
        # Of the words that will be spoken: Twilio's voice and its ear must be of the same language.
        "language": phrases_of(contact.language).language,
        "is_recorded": settings.VOICE_RECORDING,
        # Only who will get an email about it is told so.
        "writes": consent.may_contact(contact, Channel.EMAIL, Purpose.TRANSACTIONAL, address=email).allowed,
        **({"key": key} if key else {}),
    }


def _intended(
    contact: Contact,
    about: About,
    *,
    by: str,
    at: datetime,
    retry_of: PhoneCall | None,
    callee: Callee | None,
    key: str,
) -> PhoneCall:
    number = gates.number_of(contact)
    try:
        with transaction.atomic():
            return PhoneCall.objects.create(
                account=contact.account,
                contact=contact,
                to_number=number,
                invitation=_invitation(contact, about, number, key),
                requested_by=by[:150],
                started_at=at,
                retry_of=retry_of,
                attempt=retry_of.attempt + 1 if retry_of else 1,
                callee=retry_of.callee if retry_of else callee,
            )
    except IntegrityError:
        raise already_calling(contact) from None


def already_calling(contact: Contact) -> CannotCall:
    running = PhoneCall.objects.filter(contact=contact, status=Status.ACTIVE).first()
    details = {"call_sid": running.reference} if running else {}
    return CannotCall("ALREADY_CALLING", _("This person is being called already."), **details)


def _adopt(call: PhoneCall, placed: twilio.Placed) -> None:
    """Twilio's id of a call. Its webhooks may have been faster than its answer."""
    PhoneCall.objects.filter(pk=call.pk, sid=None).update(sid=placed.sid)
    report(call.pk, placed.status, duration_seconds=placed.duration_seconds)
    call.refresh_from_db()


def _never_rang(call: PhoneCall, error: twilio.TwilioFailed) -> None:
    with transaction.atomic():
        PhoneCall.objects.filter(pk=call.pk).update(error=error.text[:300])
        report(call.pk, Line.FAILED)
        if error.kind == "number":  # it will be none in an hour either
            PhoneCall.objects.filter(pk=call.pk).update(retry_at=None)


def _looked_up(call: PhoneCall) -> PhoneCall:
    """After a lost answer. Raises CannotCall, the call left unknown, when Twilio does not show it yet."""
    moved = PhoneCall.objects.filter(pk=call.pk, line=Line.REQUESTED).update(line=Line.UNKNOWN)
    if moved:
        _note_move(call.pk, Line.UNKNOWN, at=timezone.now())
    if moved and not find_again(call):
        raise CannotCall(
            "ANSWER_LOST",
            _("Twilio did not answer, so the call may ring or not. It is looked up; do not call again yet."),
            call_sid=call.reference,
        )
    call.refresh_from_db()
    return call


def find_again(call: PhoneCall) -> bool:
    """Looks for a call whose id we never learnt. Of Twilio's, the one that is no other call of ours."""
    for placed in twilio.calls_to(call.to_number, since=call.started_at) or ():
        if not PhoneCall.objects.filter(sid=placed.sid).exists():
            _adopt(call, placed)
            return True
    return False


def settle_earlier(contact: Contact, *, now: datetime) -> None:
    for call in PhoneCall.objects.filter(contact=contact, status=Status.ACTIVE, started_at__lt=now - STALE):
        refresh(call)


def refresh(call: PhoneCall) -> None:
    """A call whose end was never reported, by Twilio's word. One that Twilio does not know has failed."""
    placed = twilio.fetch(call.sid) if call.sid else None
    if placed is not None:
        report(call.pk, placed.status, duration_seconds=placed.duration_seconds)
        return
    if call.sid:
        if call.started_at < timezone.now() - FORGOTTEN:
            report(call.pk, Line.FAILED)
        return
    if find_again(call):
        return
    if twilio.calls_to(call.to_number, since=call.started_at) is not None:
        report(call.pk, Line.FAILED)


def stale(*, now: datetime) -> list[PhoneCall]:
    """Lines that should be down; the talk may be over, and the report of its end lost."""
    # An interview by phone may last longer.
    longest = timedelta(seconds=settings.INTERVIEW_CALL_SECONDS + 120)
    is_late = Q(continues=None) | Q(started_at__lt=now - longest)
    rows = PhoneCall.objects.filter(is_late, ended_at=None, is_test=False, started_at__lt=now - STALE)
    return list(rows.order_by("started_at")[:20])


_by_key = PreparedRows(lambda: PhoneCall.objects.filter(pk=given(PhoneCall, "id")).order_by())


def call_of(form: Any, query: Any) -> PhoneCall | None:
    """Whom a webhook is about: by our id in its address, else by the sid, which is noted where it is new."""
    sid, key = str(form.get("CallSid", ""))[:64], uuid_of(query.get("call", ""))
    if not sid:
        return None
    call = _by_key.first(id=key) if key else PhoneCall.objects.filter(sid=sid).first()
    if call is None or call.sid not in (None, sid):
        return None
    if call.sid is None:
        PhoneCall.objects.filter(pk=call.pk, sid=None).update(sid=sid)
        call.sid = sid
    return call


# --- what the line reports ------------------------------------------------------------------------------


def report(
    call_id: Any,
    line: str,
    *,
    duration_seconds: int | None = None,
    answered_by: str = "",
    at: datetime | None = None,
) -> bool:
    """Takes one report. It moves the line forward or changes nothing: they come twice, and in any order."""
    if line == "answered":
        line = Line.IN_PROGRESS
    if line not in RANK:
        return False
    now = at or timezone.now()
    earlier = [word for word, rank in RANK.items() if rank < RANK[Line(line)]]
    changes = _changes(line, duration_seconds=duration_seconds, at=now)
    who = {"answered_by": answered_by[:24]} if answered_by else {}
    with transaction.atomic():
        moved = PhoneCall.objects.filter(pk=call_id, line__in=earlier).update(**changes, **who)
        if who and not moved:
            # Twilio says at once that somebody answered, and who it was only when it has listened.
            PhoneCall.objects.filter(pk=call_id, answered_by="").update(**who)
        if moved:
            _note_move(call_id, line, at=now)
        if moved and line in PhoneCall.ENDED:
            related = ("contact", "callee", "continues")
            _end(PhoneCall.objects.select_related(*related).get(pk=call_id))
    return bool(moved)


def _changes(line: str, *, duration_seconds: int | None, at: datetime) -> dict[str, Any]:
    if line == Line.IN_PROGRESS:
        return {"line": line, "answered_at": at}
    if line in PhoneCall.ENDED:
        return {"line": line, "ended_at": at, "duration_seconds": duration_seconds}
    return {"line": line}


def _note_move(call_id: Any, line: str, *, at: datetime) -> None:
    LineMove.objects.create(call_id=call_id, line=line, at=at)
    news.tell(call_id)


UNTALKED = {
    Line.COMPLETED: "hung_up",
    Line.BUSY: "busy",
    Line.NO_ANSWER: "no_answer",
    Line.FAILED: "not_placed",
    Line.CANCELED: "cancelled",
}


def _end(call: PhoneCall) -> None:
    """The line is down: whatever the talk has not settled, it never will."""
    outcome = call.outcome or _untalked(call)
    rows = PhoneCall.objects.filter(pk=call.pk, status=Status.ACTIVE)
    if rows.update(status=Status.FAILED, outcome=outcome):
        retry_rules.plan(call, outcome, now=call.ended_at or timezone.now())
    if call.is_test:
        return
    has_talk = call.turns.exists()
    due = {
        "transcript_is_due": has_talk,
        "price_due_at": prices.first_look(call.ended_at or timezone.now()),
    }
    PhoneCall.objects.filter(pk=call.pk).update(**(due if call.sid else {"transcript_is_due": has_talk}))
    if has_talk:
        kept_talks.wake(call.pk)
    timeline.write(
        call.person,
        "phone_call",
        outcomes.title_of(outcome),
        direction=TimelineEntry.Direction.OUT,
        channel=Channel.PHONE,
        ref={"kind": "phone_call", "id": str(call.pk)} | _ref_of_talk(call),
    )
    if call.callee is not None:  # there is room for the next call
        batches.wake(call.callee.batch_id)
    if call.continues is not None and call.talk.get("agreed"):
        _tell_talk(call.continues)


def _untalked(call: PhoneCall) -> str:
    is_written = call.continues_id is not None
    return "left_open" if is_written and call.line == Line.COMPLETED else UNTALKED[Line(call.line)]


def _ref_of_talk(call: PhoneCall) -> dict[str, str]:
    """By it an erasure of that one talk finds the entry."""
    return {"conversation": str(call.continues_id)} if call.continues_id else {}


def _tell_talk(conversation: Conversation) -> None:
    """The page says that the call is over, where the talk is not."""
    if not conversation.is_open:
        return
    with translation.override(str(conversation.brief.get("language") or "en")):
        words = _("The phone call has ended. You can go on here.")
        note = talk.say(conversation, words, author=Message.Author.SYSTEM, act=OFF_PHONE)
    transaction.on_commit(partial(watching.tell_from_sync, conversation.pk, "message", seq=note.seq))
