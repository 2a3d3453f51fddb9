"""Single emails for other apps: one to one person, at most once per key."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import IntegrityError, transaction

from campaigns import outcomes, rendering
from campaigns.models import Delivery, EmailEvent, SentText, SmtpServer
from campaigns.sending import KEPT_IN_OUTBOX
from config.api.ids import uuid7
from crm import consent
from crm.channels import Attachment, Content
from crm.contacts import email_of
from crm.models import Contact
from crm.models.contacts import Channel


class CannotSendError(Exception):
    """There is no address, or the person must not be written to. `reason` is crm.consent's."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"This person cannot be emailed: {reason}.")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Addressed:
    contact: Contact
    email: str
    server: SmtpServer | None
    purpose: str
    key: str
    id: UUID = field(default_factory=uuid7)


class EmailChannel:
    """settings.CHANNELS["email"]: one email to one person, at most once per `key`."""

    def send(
        self,
        contact: Contact,
        *,
        purpose: str,
        content: Content,
        attachments: Sequence[Attachment] = (),
        key: str,
    ) -> Delivery:
        """Queues the email, or puts it into the outbox at once. Raises CannotSendError."""
        kept = Delivery.objects.for_account(contact.account).filter(key=key).first()
        if kept is not None:
            return kept
        email = email_of(contact)
        verdict = consent.may_contact(contact, Channel.EMAIL, purpose, address=email)
        if not verdict.allowed:
            raise CannotSendError(verdict.reason)
        addressed = _Addressed(contact, email, server_of(contact), purpose, key)
        filled = self._filled(addressed, content, attachments)
        try:
            with transaction.atomic():
                return self._kept(addressed, filled)
        except IntegrityError:  # the same key at the same time
            return Delivery.objects.for_account(contact.account).get(key=key)

    def _filled(self, to: _Addressed, content: Content, attachments: Sequence[Attachment]) -> rendering.Email:
        skeleton = rendering.lay_out_content(content, contact=to.contact, server=to.server)
        name = " ".join(to.contact.name.split())
        person = rendering.Person(email=to.email, name=name, link=content.button_url)
        files = [(one.filename, one.mime, one.data) for one in attachments]
        return rendering.fill(skeleton, person, delivery_id=to.id, attachments=files)

    def _kept(self, to: _Addressed, filled: rendering.Email) -> Delivery:
        from campaigns import tasks

        delivery = Delivery.objects.create(
            id=to.id,
            account=to.contact.account,
            contact=to.contact,
            smtp_server=to.server,
            purpose=to.purpose,
            key=to.key,
            to_email=to.email,
            subject=filled.subject,
            message_id=filled.message_id,
            rendered=filled.wire,
            claim="outbox" if to.server is None else "",
            state=Delivery.State.CLAIMED if to.server is None else Delivery.State.QUEUED,
        )
        EmailEvent.objects.create(delivery=delivery, kind=EmailEvent.Kind.QUEUED)
        SentText.objects.create(delivery=delivery, text=filled.kept)
        if to.server is None:
            outcomes.mark_sent(delivery, reply=KEPT_IN_OUTBOX, claim="outbox", keep=True)
            delivery.refresh_from_db()
        else:
            tasks.send_due.delay_on_commit(to.server.pk)  # type: ignore[attr-defined]
        return delivery


def server_of(contact: Contact) -> SmtpServer | None:
    """The account's server for single emails: the first that is switched on."""
    servers = SmtpServer.objects.for_account(contact.account).filter(is_active=True)
    server: SmtpServer | None = servers.order_by("pk").first()
    return server
