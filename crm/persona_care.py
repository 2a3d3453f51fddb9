"""Who may not use persona chat, and who may not talk with influencers for adults alone."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import PermissionDenied

from config.api.errors import ApiError
from config.api.models import Account
from crm import contacts
from crm.models import AgeConfirmation, Ban, Contact
from personas.models import Persona

BANNED, ADULTS_ONLY = "banned", "adults_only"


class NobodyLikeThat(Exception):  # noqa: N818
    """There is no contact of this id in the account; its text is for people."""


# --- Bans -------------------------------------------------------------------------------------


def refuse_banned(contact: Contact) -> None:
    """Without a query where the contact came with its ban. Raises ApiError (403)."""
    ban: Ban | None = getattr(contact, "ban", None)
    if ban is None or not ban.is_in_force():
        return
    until = ban.until.isoformat() if ban.until is not None else None
    words = _("This user may not use the chat.")
    raise ApiError("FORBIDDEN", words, status_code=403, details={"reason": BANNED, "until": until})


def person_called(account: Account, reference: str) -> Contact:
    """The contact of an id of ours, or whom tokens of this user id speak for: made, where it is new.

    Raises NobodyLikeThat.
    """
    text = reference.strip()
    if (key := contacts.uuid_of(text)) is not None:
        found: Contact | None = Contact.objects.for_account(account).filter(pk=key).first()
        if found is not None:
            return found
    try:
        return contacts.resolve(account, external_id=contacts.normalise_external_id(text), source="ban")[0]
    except contacts.InvalidAddress:
        raise NobodyLikeThat(_("Give a contact's id, or the user id of their token.")) from None


@transaction.atomic
def ban(contact: Contact, *, reason: str, until: datetime | None, by: str) -> Ban:
    """From the next request on. A ban that was lifted, or has another end, is put in force anew."""
    fields: dict[str, Any] = {"reason": reason[:300], "until": until, "banned_by": by[:150]}
    fresh = {**fields, "created_at": timezone.now(), "lifted_at": None}
    return Ban.objects.update_or_create(contact=contact, defaults=fresh)[0]


def lift(row: Ban) -> bool:
    return Ban.objects.filter(pk=row.pk, lifted_at=None).update(lifted_at=timezone.now()) > 0


# --- Ages -------------------------------------------------------------------------------------


def is_known_adult(*, claim: bool | None, contact: Contact | None) -> bool:
    """By the token's own claim, which has the last word; without one by what the person confirmed."""
    if claim is not None:
        return claim
    return contact is not None and AgeConfirmation.objects.filter(contact=contact).exists()


def refuse_minor(persona: Persona, *, claim: bool | None, contact: Contact | None) -> None:
    """Raises ApiError (403)."""
    if not persona.adults_only or is_known_adult(claim=claim, contact=contact):
        return
    words = _("This influencer is for adults. Confirm your age on its page first.")
    raise ApiError("FORBIDDEN", words, status_code=403, details={"reason": ADULTS_ONLY})


def confirm_age(contact: Contact, *, claim: bool | None) -> None:
    """Safe to repeat. Raises PermissionDenied where the person's sign-in says that they are no adult."""
    if claim is False:
        raise PermissionDenied(_("This influencer is for adults."))
    AgeConfirmation.objects.get_or_create(contact=contact)
