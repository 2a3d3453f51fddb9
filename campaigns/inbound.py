"""An email that arrived: stored as it came, then read from its row, matched, and acted on, once."""

import hashlib
from dataclasses import asdict
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import bounces, hearing, mail_reading, matching, recognising, settling
from campaigns.bounces import Report, Verdict
from campaigns.hearing import Heard
from campaigns.mail_reading import Mail
from campaigns.matching import Match
from campaigns.models import InboundEmail, Mailbox
from campaigns.shown import without_capabilities
from config.api import arrivals
from config.api.models import Account, digest
from crm import timeline
from crm.models import TimelineEntry
from crm.models.contacts import Channel

Kind = InboundEmail.Kind
KIND_OF_VERDICT = {
    Verdict.HARD: Kind.BOUNCE,
    Verdict.SOFT: Kind.BOUNCE,
    Verdict.DELAY: Kind.DELAY,
    Verdict.DELIVERED: Kind.OTHER,
    Verdict.COMPLAINT: Kind.COMPLAINT,
}
MOST_ATTACHMENTS = 50
# What reading writes.
READ = (
    *(
        "state",
        "error",
        "identity",
        "kind",
        "matched_by",
        "message_id",
        "from_email",
        "from_name",
        "to_email",
    ),
    *("subject", "text", "quoted", "attachments", "facts", "written_at", "delivery", "contact"),
)


def keep(
    account: Account,
    raw: bytes,
    *,
    source: str,
    mailbox: Mailbox | None = None,
    uid_validity: int | None = None,
    uid: int | None = None,
    is_cut: bool = False,
) -> InboundEmail | None:
    """Stores the email and wakes a reader. None when it is held already: by its place, or by its bytes."""
    from campaigns import tasks

    most = settings.INBOUND_MAX_BYTES
    try:
        with transaction.atomic():
            email = InboundEmail.objects.create(
                account=account,
                source=source,
                mailbox=mailbox,
                uid_validity=uid_validity,
                uid=uid,
                digest=hashlib.sha256(raw).hexdigest(),
                raw=raw[:most].decode("latin-1"),
                size_bytes=len(raw),
                is_cut=is_cut or len(raw) > most,
            )
    except IntegrityError:
        return None
    tasks.read_inbound.delay_on_commit(str(email.pk))  # type: ignore[attr-defined]
    return email


def read(email_id: UUID) -> None:
    """Reads one stored email. Doing it twice changes nothing."""
    email = arrivals.take(InboundEmail, email_id)
    if email is not None:
        arrivals.work_off(email, _read)


def _read(email: InboundEmail) -> None:
    if not email.raw:  # cleared, and replayed nevertheless
        _finish(email)
        return
    mail = mail_reading.read(email.raw.encode("latin-1"))
    report = bounces.report_in(mail)
    _describe(email, mail)
    email.kind, match = _understood(email, mail, report)
    email.delivery, email.contact, email.matched_by = match.delivery, match.contact, match.by
    email.facts = report.as_facts() if report else {}
    try:
        with transaction.atomic():
            _finish(email)
            _act(email, match, report)
    except IntegrityError:
        if not _is_held(email):
            raise
        email.identity, email.kind = None, Kind.COPY  # the same email by a second way
        _finish(email)


def _is_held(email: InboundEmail) -> bool:
    same = InboundEmail.objects.for_account(email.account).filter(identity=email.identity)
    return same.exclude(pk=email.pk).exists()


def _describe(email: InboundEmail, mail: Mail) -> None:
    own, quoted = recognising.without_quote(mail.text)
    email.message_id, email.subject = mail.message_id, without_capabilities(mail.subject)[:300]
    email.from_email, email.from_name = mail.from_email, mail.from_name
    email.to_email = next(iter(mail.to), "")
    email.text, email.quoted = without_capabilities(own), without_capabilities(quoted)
    email.attachments = [asdict(one) for one in mail.attachments[:MOST_ATTACHMENTS]]
    email.written_at = mail.written_at
    email.identity = None
    if mail.message_id:
        email.identity = digest("\n".join((mail.message_id, mail.from_email, mail.subject, mail.text)))


def _finish(email: InboundEmail) -> None:
    """Writes what reading made of it; never the raw email, and never a row that was erased meanwhile."""
    email.state, email.error = InboundEmail.State.DONE, ""
    email.save(update_fields=READ)


# --- what it is ---------------------------------------------------------------------------------------


def _understood(email: InboundEmail, mail: Mail, report: Report | None) -> tuple[str, Match]:
    account = email.account
    if report is not None:
        match = matching.match(account, references=report.message_ids, to=mail.to)
        return KIND_OF_VERDICT[report.verdict], _of_report(match, report, account)
    if matching.is_own(account, message_id=mail.message_id, sender=mail.from_email):
        return Kind.OWN_COPY, Match()
    match = matching.match(account, references=mail.references, to=mail.to, sender=mail.from_email)
    if recognising.is_automatic(mail):
        return Kind.AUTO_REPLY if match.contact else Kind.OTHER, match
    if match.contact is None:
        return Kind.OTHER, match
    stops = recognising.asks_to_stop(email.subject, email.text)
    return Kind.UNSUBSCRIBE if stops else Kind.REPLY, match


def _of_report(match: Match, report: Report, account: Account) -> Match:
    """The email that is reported on. By the address alone it is shown with its contact, and nothing follows.

    Anybody can write "this address is dead" to our mailbox; only our servers' own email holds its Message-ID.
    """
    if match.delivery is None:
        return matching.by_address(account, report.recipient)
    is_elsewhere = report.recipient not in ("", match.delivery.to_email.lower())
    if is_elsewhere and report.verdict != Verdict.COMPLAINT:
        return Match(None, match.contact, match.by)  # forwarded by the person to an address of theirs
    return match


# --- what follows -------------------------------------------------------------------------------------


def _act(email: InboundEmail, match: Match, report: Report | None) -> None:
    if match.contact is not None and email.kind in TITLES:
        _write(email)
    if report is not None:
        if match.delivery is not None and match.is_proved:
            heard = _heard(email, detail=f"{report.status} {report.reply}".strip())
            hearing.BY_NAME[report.verdict](match.delivery, heard)
    elif email.kind == Kind.AUTO_REPLY and match.delivery is not None:
        hearing.replied_automatically(match.delivery, _heard(email))
    elif email.kind in (Kind.REPLY, Kind.UNSUBSCRIBE):
        _act_on_words(email, match)


def _act_on_words(email: InboundEmail, match: Match) -> None:
    assert match.contact is not None
    if match.delivery is not None:
        hearing.replied(match.delivery, _heard(email))
    else:
        hearing.replied_out_of_thread(match.contact)
    if email.kind != Kind.UNSUBSCRIBE:
        return
    if match.delivery is not None:
        hearing.unsubscribed(match.delivery, _heard(email))
    else:
        hearing.unsubscribed_address(match.contact, email.from_email, _heard(email))


def _heard(email: InboundEmail, *, detail: str = "") -> Heard:
    return Heard(email.source, str(email.pk), email.received_at, detail)


TITLES = {
    Kind.REPLY: "Replied: %(subject)s",
    Kind.UNSUBSCRIBE: "Replied: %(subject)s",
    Kind.AUTO_REPLY: "Automatic reply: %(subject)s",
}


def _write(email: InboundEmail) -> None:
    """A line on the contact's timeline; read anew, it is not written twice."""
    assert email.contact is not None
    ref = {"kind": "inbound_email", "id": str(email.pk)}
    if email.delivery is not None and (conversation := settling.conversation_of(email.delivery)):
        ref["conversation"] = str(conversation)  # so that it goes when that talk is erased
    if TimelineEntry.objects.filter(contact=email.contact, kind="email_received", ref=ref).exists():
        return
    timeline.write(
        email.contact,
        "email_received",
        _(TITLES[Kind(email.kind)]) % {"subject": email.subject},
        direction=TimelineEntry.Direction.IN,
        channel=Channel.EMAIL,
        ref=ref,
        at=min(email.received_at, timezone.now()),
    )
