"""The addresses of an account's standing campaign: added, listed, reported on, tried again, removed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import CharField, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone

from campaigns import queueing, states
from campaigns.models import Delivery, EmailContent, EmailEvent, Recipient
from campaigns.standing import running_campaign_of
from config.api.marketing_words import BOUNCED, EXHAUSTED, FAILED, OPENED, PENDING, SENT, email_word
from config.api.models import Account
from crm import contacts, erasure
from crm.models import ContactAddress
from interviews.models import Interview

State, Stop = Recipient.State, Recipient.Stop
REPORTED_STOPS = {BOUNCED: Stop.BOUNCED, FAILED: Stop.FAILED, EXHAUSTED: Stop.MAX_EMAILS}
CLEARS_ERROR = frozenset({"sent", "delivered", "opened", "clicked", PENDING})
HELD = (Delivery.State.FAILED, Delivery.State.UNKNOWN, Delivery.State.CANCELLED)


@dataclass(frozen=True, slots=True)
class Removed:
    """How many rows of each kind went."""

    emails: int = 0
    interviews: int = 0
    email_contents: int = 0

    @property
    def total(self) -> int:
        return self.emails + self.interviews + self.email_contents


# --- Listing --------------------------------------------------------------------------------


def people_of(account: Account) -> QuerySet[Recipient]:
    """The people of the standing campaign, each with the standing of their latest email, and how many emails
    they may get (None: no limit).
    """
    latest = Delivery.objects.filter(recipient=OuterRef("pk")).order_by("-created_at", "-pk")
    rows = Recipient.objects.filter(campaign__account=account, campaign__is_standing=True)
    found: QuerySet[Recipient] = rows.select_related("contact", "interview").prefetch_related(
        "contact__addresses"
    )
    return found.annotate(
        email_state=Subquery(latest.values("state")[:1]),
        email_reply=Subquery(latest.values("last_reply")[:1]),
        email_at=Subquery(latest.values("created_at")[:1]),
        most_emails=F("campaign__schedule__max_emails"),
    )


def person_at(account: Account, email: str) -> Recipient | None:
    rows = people_of(account).filter(
        contact__addresses__kind=ContactAddress.Kind.EMAIL, contact__addresses__value=email
    )
    return rows.first()


def word_of(person: Recipient) -> str:
    """What the account told us, unless something of ours came after it."""
    if person.reported_status and not _is_outdated(person):
        return person.reported_status
    return _own_word(person)


def _own_word(person: Recipient) -> str:
    word = email_word(
        recipient=person.state,
        skip_reason=person.skip_reason,
        stop_reason=person.stop_reason,
        delivery=person.email_state,  # type: ignore[attr-defined]
        interview=person.interview.state if person.interview is not None else None,
    )
    return EXHAUSTED if word in (SENT, OPENED) and _got_all(person) else word


def _got_all(person: Recipient) -> bool:
    """All the emails there are for them. They are not stopped: a higher limit goes on."""
    most: int | None = person.most_emails  # type: ignore[attr-defined]
    return most is not None and person.next_at is None and person.emails_sent >= most


def _is_outdated(person: Recipient) -> bool:
    times = (person.last_sent_at, person.email_at)  # type: ignore[attr-defined]
    return any(at is not None and person.reported_at is not None and at > person.reported_at for at in times)


def error_of(person: Recipient) -> str | None:
    """Why the latest email is not there: what the account said, the server's words, or our reason."""
    if person.reported_error:
        return person.reported_error
    word = word_of(person)
    if person.state == State.SKIPPED:
        return person.skip_reason or None
    if word in (BOUNCED, FAILED) or person.email_state == Delivery.State.DEFERRED:  # type: ignore[attr-defined]
        return person.email_reply or None  # type: ignore[attr-defined]
    return None


def changed_at(person: Recipient) -> datetime:
    known = (person.reported_at, person.last_sent_at, person.invited_at, person.stopped_at, person.created_at)
    return max(at for at in known if at is not None)


# --- Adding and removing --------------------------------------------------------------------


@transaction.atomic
def add(account: Account, email: str) -> tuple[Recipient, bool]:
    """Somebody on the list; False when they were on it.

    Raises contacts.InvalidAddress, standing.EndedError.
    """
    campaign = running_campaign_of(account)
    contact, _made = contacts.resolve(account, email=email, source="api")
    person, is_new = Recipient.objects.get_or_create(
        campaign=campaign, contact=contact, defaults={"interview": _free_interview(account, contact.pk)}
    )
    if is_new:
        states.wake(campaign.pk)
    return person, is_new


def _free_interview(account: Account, contact_id: Any) -> Interview | None:
    """One that the account asked for before this person was on the list: the invitation leads to it."""
    rows = Interview.objects.for_account(account).filter(contact=contact_id, recipient=None)
    return rows.exclude(requested_at=None).order_by("-invited_at").first()


def remove(account: Account, email: str) -> Removed:
    """Off the list, with their interview and all that came of it. The contact itself stays."""
    person = person_at(account, email)
    address = ContactAddress.objects.for_account(account).filter(kind="email", value=email).first()
    if address is None:
        return Removed()
    contact = address.contact
    contents, _kinds = EmailContent.objects.filter(contact=contact).delete()
    ours = Q(requested_at__isnull=False) | Q(recipient=person) if person else Q(requested_at__isnull=False)
    talks = Interview.objects.for_account(account).filter(ours, contact=contact)
    interviews = list(talks.select_related("conversation"))
    for interview in interviews:
        erasure.request(contact, conversation=interview.conversation, requested_by="marketing API")
    if person is not None:
        Recipient.objects.filter(pk=person.pk).delete()
    return Removed(int(person is not None), len(interviews), contents)


# --- What the account tells us --------------------------------------------------------------


def report(person: Recipient, word: str, *, error: str | None = None) -> None:
    """The account says how an email stands. `pending` means: try this person again from the beginning."""
    if word == PENDING:
        try_again(person)
        return
    changes: dict[str, Any] = {"reported_status": word, "reported_at": timezone.now()}
    if error is not None:
        changes["reported_error"] = error
    elif word in CLEARS_ERROR:
        changes["reported_error"] = ""
    Recipient.objects.filter(pk=person.pk).update(**changes)
    if word in REPORTED_STOPS:
        _stop(person, REPORTED_STOPS[word])


def _stop(person: Recipient, reason: str) -> None:
    rows = Recipient.objects.filter(pk=person.pk, stopped_at=None)
    rows.update(stopped_at=timezone.now(), stop_reason=reason, next_at=None)
    waiting = Delivery.objects.filter(recipient=person.pk, state__in=states.WAITING)
    ids = list(waiting.values_list("pk", flat=True))
    waiting.filter(pk__in=ids).update(state=Delivery.State.CANCELLED, rendered="", last_reply=reason)
    events = (EmailEvent(delivery_id=one, kind=EmailEvent.Kind.CANCELLED, detail=reason) for one in ids)
    EmailEvent.objects.bulk_create(events)


@transaction.atomic
def try_again(person: Recipient) -> None:
    """From the invitation on, with nothing of the failure left. An email under way is left alone."""
    cleared = {"reported_status": "", "reported_error": "", "reported_at": None}
    # Held, so that nobody invites them between the look and the change.
    Recipient.objects.select_for_update(no_key=True).filter(pk=person.pk).first()
    under_way = Delivery.objects.filter(recipient=person.pk, state__in=states.OPEN)
    if under_way.exists():
        Recipient.objects.filter(pk=person.pk).update(**cleared)
        return
    # The same key is the same email: what is sent now is another. Tried again often, a key stays as long.
    ended = Delivery.objects.filter(recipient=person.pk)
    ended.update(key=Concat(Value(queueing.FORMER), Cast("pk", CharField(max_length=36))))
    ended.filter(state=Delivery.State.UNKNOWN).update(
        state=Delivery.State.CANCELLED, rendered="", last_reply="tried again by the API"
    )
    Recipient.objects.filter(pk=person.pk).update(
        state=State.WAITING,
        skip_reason="",
        stopped_at=None,
        stop_reason="",
        next_step=0,
        next_at=timezone.now(),
        emails_sent=0,
        invited_at=None,
        **cleared,
    )
    states.wake(person.campaign_id)


def correct(person: Recipient, **changes: Any) -> None:
    """Counters and times that the account keeps itself: `emails_sent`, `last_sent_at`, `reported_error`."""
    Recipient.objects.filter(pk=person.pk).update(**changes, reported_at=timezone.now())
