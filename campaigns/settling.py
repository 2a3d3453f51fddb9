"""Many emails sent, in a handful of statements: rows, events and timeline in one transaction.

At six hundred emails a second a statement for each of them would cost more than sending them.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.events import note_replies
from campaigns.models import Delivery, EmailEvent, Recipient
from config.api.prepared import ROWS, PreparedUpdate, PreparedValues, among, given
from crm import timeline
from crm.models import TimelineEntry
from crm.models.contacts import Channel
from interviews.models import Interview

State = Delivery.State
# A sender that was believed dead may still say what became of its own claim.
MAY_SETTLE = (State.CLAIMED, State.IN_DATA, State.UNKNOWN)
# As interviews/fresh_links.py names its emails.
FRESH_LINK = re.compile(r"fresh-link:([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}):")

_count_sent = PreparedUpdate(
    lambda: (
        Recipient.objects.filter(among(Recipient, "id", name="people")),
        {"emails_sent": F("emails_sent") + 1, "last_sent_at": given(Recipient, "last_sent_at", name="at")},
    )
)
_talks_of = PreparedValues(
    lambda: (
        Recipient.objects.filter(among(Recipient, "id", name="people"), interview__isnull=False)
        .order_by()
        .values_list("pk", "interview__conversation_id")
    )
)

# Each row gets its own words, which Django's update() cannot say; both databases can.
SENT = """
UPDATE campaigns_delivery SET state = %s, sent_at = %s, attempts = attempts + 1, last_reply = said.words,
  claim = '', lease_until = NULL, rendered = CASE WHEN %s THEN rendered ELSE '' END
FROM ({said}) AS said
WHERE id = said.delivery AND claim = %s AND state IN (%s, %s, %s)
RETURNING id
"""
# The statement stays the same for any number of rows, so that the driver reads it once.
ARRAYS = "SELECT * FROM unnest(%s::uuid[], %s::text[]) AS given (delivery, words)"
VALUES = "SELECT column1 AS delivery, column2 AS words FROM (VALUES {rows}) AS given"


def mark_sent(sent: Sequence[tuple[Delivery, str]], *, claim: str, keep: bool = False) -> set[UUID]:
    """Those of this sender's claims that are sent now, each with what the server said, its event and its line
    on the timeline. In the caller's transaction. `keep` leaves the emails readable (the outbox).
    """
    now = timezone.now()
    won: set[UUID] = set()
    for start in range(0, len(sent), ROWS):
        won |= _moved(sent[start : start + ROWS], claim=claim, keep=keep, now=now)
    moved = [(delivery, reply) for delivery, reply in sent if delivery.pk in won]
    note_replies([delivery.pk for delivery, _reply in moved], EmailEvent.Kind.SENT, at=now)
    people = [delivery.recipient_id for delivery, _reply in moved if delivery.recipient_id]
    if people:
        _count_sent(people=people, at=now)
    _write_timeline([delivery for delivery, _reply in moved], at=now)
    return won


def _moved(sent: Sequence[tuple[Delivery, str]], *, claim: str, keep: bool, now: datetime) -> set[UUID]:
    key = Delivery._meta.pk
    when = Delivery._meta.get_field("sent_at")
    pairs = [(key.get_db_prep_value(delivery.pk, connection), reply) for delivery, reply in sent]
    rows: list[Any]
    if connection.vendor == "postgresql":
        said, rows = ARRAYS, [list(column) for column in zip(*pairs, strict=True)]
    else:
        said, rows = VALUES.format(rows=", ".join(["(%s, %s)"] * len(sent))), [*chain.from_iterable(pairs)]
    words = SENT.format(said=said)
    given = [State.SENT, when.get_db_prep_value(now, connection), keep, *rows, claim, *MAY_SETTLE]
    with connection.cursor() as cursor:
        cursor.execute(words, [str(one) if isinstance(one, State) else one for one in given])
        return {key.to_python(found) for (found,) in cursor.fetchall()}


# --- The timeline -------------------------------------------------------------------------------------


def _write_timeline(deliveries: Sequence[Delivery], *, at: datetime) -> None:
    talks = conversations_of(deliveries)
    words = _("Email sent: %(subject)s")
    timeline.write_many(_entry(one, words, talks.get(one.pk), at=at) for one in deliveries)


def _entry(delivery: Delivery, words: str, conversation: UUID | None, *, at: datetime) -> TimelineEntry:
    ref = {"kind": "delivery", "id": str(delivery.pk)}
    if conversation:
        ref["conversation"] = str(conversation)  # so that it goes when that talk is erased
    return TimelineEntry(
        contact_id=delivery.contact_id,
        kind="email_sent",
        title=(words % {"subject": delivery.subject})[:300],
        direction=TimelineEntry.Direction.OUT,
        channel=Channel.EMAIL,
        ref=ref,
        at=at,
    )


def conversations_of(deliveries: Sequence[Delivery]) -> dict[UUID, UUID]:
    """The talk each email leads to: an invitation's, or that of the interview a fresh link's key names."""
    invited = {one.recipient_id: one.pk for one in deliveries if one.recipient_id}
    asked = {
        found[1]: one for one in deliveries if not one.recipient_id and (found := FRESH_LINK.match(one.key))
    }
    talks: dict[UUID, UUID] = {}
    if invited:
        talks |= {invited[who]: talk for who, talk in _talks_of(people=list(invited))}
    if asked:
        rows = Interview.objects.filter(pk__in=list(asked))
        for interview, account, talk in rows.values_list("pk", "account_id", "conversation_id"):
            if asked[str(interview)].account_id == account:
                talks[asked[str(interview)].pk] = talk
    return talks


def conversation_of(delivery: Delivery) -> UUID | None:
    return conversations_of([delivery]).get(delivery.pk)
