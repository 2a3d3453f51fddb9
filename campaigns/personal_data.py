"""What campaigns hold of a person: collected for them, or erased (crm/erasure.py runs it)."""

import logging
from typing import Any
from uuid import UUID

from django.core.files.base import ContentFile
from django.db.models import Q

from campaigns import csv_reading, forgetting, importing
from campaigns.models import (
    ContactImport,
    Delivery,
    EmailContent,
    EmailEvent,
    InboundEmail,
    Recipient,
    SentText,
)
from crm import spreadsheets
from crm.contacts import InvalidAddress, normalise_email
from crm.models import Contact, ContactAddress

log = logging.getLogger(__name__)


def collect(contact: Contact) -> dict[str, Any]:
    """Everything campaigns know of the person, as plain values."""
    deliveries = Delivery.objects.filter(contact=contact).select_related("sent_text").order_by("created_at")
    recipients = Recipient.objects.filter(contact=contact).select_related("campaign").order_by("pk")
    return {
        "emails": [
            {
                "to": one.to_email,
                "subject": one.subject,
                "state": one.state,
                "purpose": one.purpose,
                "created_at": one.created_at.isoformat(),
                "sent_at": one.sent_at.isoformat() if one.sent_at else None,
                "text": one.sent_text.text if hasattr(one, "sent_text") else "",
                "opened_at": one.opened_at.isoformat() if one.opened_at else None,
                "clicked_at": one.clicked_at.isoformat() if one.clicked_at else None,
            }
            for one in deliveries
        ],
        "emails_received": [_received(one) for one in forgetting.emails_of(contact)],
        "campaigns": [
            {"campaign": one.campaign.name, "state": one.state, "fields": one.fields} for one in recipients
        ],
        "own_texts": list(EmailContent.objects.filter(contact=contact).values_list("content", flat=True)),
    }


def _received(email: InboundEmail) -> dict[str, Any]:
    return {
        "from": email.from_email,
        "subject": email.subject,
        "text": email.text,
        "quoted": email.quoted,
        "kind": email.kind,
        "attachments": email.attachments,
        "received_at": email.received_at.isoformat(),
    }


def erase(contact: Contact, conversation_id: UUID | None = None) -> dict[str, int]:
    """Removes it, and counts what. Doing it again removes the rest. With a conversation: only its emails."""
    if conversation_id is not None:
        return _erase_talk(contact, conversation_id)
    files = _erase_from_files(contact)
    received = forgetting.forget(contact)
    EmailEvent.objects.filter(delivery__contact=contact).delete()
    SentText.objects.filter(delivery__contact=contact).delete()
    deliveries, _kinds = Delivery.objects.filter(contact=contact).delete()
    recipients, _kinds = Recipient.objects.filter(contact=contact).delete()
    EmailContent.objects.filter(contact=contact).delete()
    return {"emails": deliveries, "campaigns": recipients, "import_files": files, **received}


def _erase_talk(contact: Contact, conversation_id: UUID) -> dict[str, int]:
    """The invitation to this talk: that it was sent stays known, its words and links do not."""
    rows = Delivery.objects.filter(contact=contact, recipient__interview__conversation=conversation_id)
    ids = list(rows.values_list("pk", flat=True))
    SentText.objects.filter(delivery__in=ids).delete()
    answers = forgetting.blank(InboundEmail.objects.filter(delivery__in=ids))
    return {"emails": rows.update(rendered="", subject=""), "emails_received": answers}


def _erase_from_files(contact: Contact) -> int:
    """Blanks the person's rows in import files; the lines stay, so that line numbers still mean the same."""
    addresses = contact.addresses.filter(kind=ContactAddress.Kind.EMAIL)
    values = set(addresses.values_list("value", flat=True))
    values |= set(Delivery.objects.filter(contact=contact).values_list("to_email", flat=True))
    # A file that was only looked at holds people who are in no campaign of it.
    was_imported = Q(campaign__recipients__contact=contact)
    only_kept = Q(campaign__account=contact.account_id) & ~Q(state=ContactImport.State.DONE)
    imports = ContactImport.objects.filter(was_imported | only_kept).exclude(file="").distinct()
    return sum(_blank(one, values) for one in imports)


def _blank(kept: ContactImport, values: set[str]) -> int:
    try:
        table = importing.table_of(kept)
        rows = list(table.rows())
    except FileNotFoundError:
        log.warning("Import %s has no file to erase from.", kept.pk)
        return 0
    except csv_reading.CsvRefusedError:
        return _delete(kept)
    is_theirs = [_is_theirs(cells, values) for _line, cells in rows]
    if not any(is_theirs):
        return 0
    erased = ["erased"] + [""] * (len(table.headings) - 1)
    kept_rows = [erased if theirs else cells for theirs, (_line, cells) in zip(is_theirs, rows, strict=True)]
    text = spreadsheets.written(
        [table.headings, *kept_rows], delimiter=kept.delimiter, is_guarded=table.is_export
    )
    name = str(kept.file.name)
    kept.file.storage.delete(name)
    kept.file.save(name, ContentFile(text.encode()), save=False)
    ContactImport.objects.filter(pk=kept.pk).update(file=kept.file.name, encoding="utf-8")
    return 1


def _delete(kept: ContactImport) -> int:
    """Nobody can tell whose rows a file that cannot be read holds, so none of it is kept."""
    kept.file.delete(save=False)
    ContactImport.objects.filter(pk=kept.pk).update(file="")
    return 1


def _is_theirs(cells: list[str], values: set[str]) -> bool:
    """Whether an address of theirs stands in any column: which one is the email may not be chosen yet."""
    return any("@" in cell and _normalised(cell) in values for cell in cells)


def _normalised(cell: str) -> str:
    try:
        return normalise_email(cell)
    except InvalidAddress:
        return ""
