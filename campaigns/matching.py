"""Whose email is it? By the Message-ID it answers, then by the tag in its address, then by its sender."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from campaigns import tags
from campaigns.models import Delivery, InboundEmail, Mailbox, SmtpServer
from config.api.models import Account
from crm.consent import normalised
from crm.models import Contact, ContactAddress
from crm.models.contacts import Channel

TAGGED = re.compile(r"\+([a-z2-7]{42})@", re.I)
MOST_REFERENCES = 50
REPLY = "reply"


@dataclass(frozen=True, slots=True)
class Match:
    delivery: Delivery | None = None
    contact: Contact | None = None
    by: str = InboundEmail.MatchedBy.NOTHING

    @property
    def is_proved(self) -> bool:
        """It knows something only our email told. A sender's address anybody can write."""
        return self.by in (InboundEmail.MatchedBy.MESSAGE_ID, InboundEmail.MatchedBy.TAG)


def reply_address(mailbox: Mailbox, delivery_id: UUID) -> str:
    """The mailbox's address with a tag that names the email: name+tag@domain."""
    local, _at, domain = mailbox.address.rpartition("@")
    return f"{local}+{tags.tag_of(delivery_id, purpose=REPLY)}@{domain}"


def tagging_mailbox(server: SmtpServer) -> Mailbox | None:
    """The account's mailbox for replies, unless the server's own Reply-To sends them elsewhere."""
    rows = Mailbox.objects.for_account(server.account).filter(is_active=True, tags_replies=True)
    if server.reply_to:
        rows = rows.filter(address__iexact=server.reply_to)
    mailbox: Mailbox | None = rows.order_by("pk").first()
    return mailbox


def match(
    account: Account, *, references: Iterable[str] = (), to: Iterable[str] = (), sender: str = ""
) -> Match:
    """The account's delivery and contact that an email is about; other accounts' are never found."""
    return _by_message_id(account, references) or _by_tag(account, to) or by_address(account, sender)


def _deliveries(account: Account) -> "QuerySet[Delivery]":
    rows: QuerySet[Delivery] = Delivery.objects.for_account(account)
    return rows.select_related("contact__account", "account").defer("rendered")


def _by_message_id(account: Account, references: Iterable[str]) -> Match | None:
    wanted = list(dict.fromkeys(f"<{one.strip('<>')}>" for one in references))[:MOST_REFERENCES]
    if not wanted:
        return None
    found = {one.message_id: one for one in _deliveries(account).filter(message_id__in=wanted)}
    delivery = next((found[one] for one in wanted if one in found), None)
    return _matched(delivery, InboundEmail.MatchedBy.MESSAGE_ID)


def _by_tag(account: Account, to: Iterable[str]) -> Match | None:
    for address in to:
        for tag in TAGGED.findall(address):
            if delivery_id := tags.delivery_of(tag, purpose=REPLY):
                found = _deliveries(account).filter(pk=delivery_id).first()
                return _matched(found, InboundEmail.MatchedBy.TAG)
    return None


def by_address(account: Account, address: str) -> Match:
    """The contact who has this address, and the last email we sent to it."""
    if "@" not in address:
        return Match()
    value = normalised(Channel.EMAIL, address)
    rows = ContactAddress.objects.for_account(account).filter(kind=ContactAddress.Kind.EMAIL, value=value)
    owner = rows.filter(contact__erased_at=None).select_related("contact__account").first()
    if owner is None:
        return Match()
    sent = _deliveries(account).filter(to_email=value, sent_at__isnull=False)
    last = sent.filter(contact=owner.contact).order_by("-created_at").first()
    return Match(last, owner.contact, InboundEmail.MatchedBy.SENDER)


def _matched(delivery: Delivery | None, by: str) -> Match | None:
    return Match(delivery, delivery.contact, by) if delivery is not None else None


def is_own(account: Account, *, message_id: str, sender: str) -> bool:
    """Our own email, come back as a copy or by a rule of the mailbox: it answers nothing."""
    if message_id and Delivery.objects.for_account(account).filter(message_id=f"<{message_id}>").exists():
        return True
    return (
        SmtpServer.objects.for_account(account).filter(from_email__iexact=sender).exists()
        or Mailbox.objects.for_account(account).filter(address__iexact=sender).exists()
    )
