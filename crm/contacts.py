"""Addresses in one written form, and the contact that an address leads to."""

from dataclasses import dataclass
from typing import Any

import idna
import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from config.api.models import Account
from crm.models import Contact, ContactAddress

LONGEST_EMAIL = 254  # characters, RFC 5321 4.5.3.1.3
FACTS = ("company", "role", "language", "time_zone", "preferences", "fields")
Kind = ContactAddress.Kind
_valid_email = EmailValidator()


class InvalidAddress(ValueError):  # noqa: N818  the seam's name
    """An address that cannot be used; its text is for people."""


@dataclass(frozen=True, slots=True)
class Address:
    kind: str
    value: str
    as_given: str


def normalise_email(text: str) -> str:
    """The form two spellings of one mailbox share: all lower case, the domain in IDNA, plus-tags kept."""
    given = str(text).strip()
    local, at, domain = given.rpartition("@")
    if not (local and at and domain) or len(given) > LONGEST_EMAIL:
        raise InvalidAddress(_("This is not an email address."))
    try:
        host = idna.encode(domain, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        raise InvalidAddress(_("The part after the @ is not a domain name.")) from None
    address = f"{local.lower()}@{host}"
    try:
        _valid_email(address)
    except ValidationError:
        raise InvalidAddress(_("This is not an email address.")) from None
    return address


def normalise_phone(text: str, region: str = "") -> str:
    """E.164. A number without a country code is read as one of `region` (two letters)."""
    try:
        number = phonenumbers.parse(str(text).strip()[:60], region.upper() or None)
    except phonenumbers.NumberParseException:
        raise InvalidAddress(_("This is not a phone number. Write it with its country code: +49 …")) from None
    if not phonenumbers.is_possible_number(number):
        raise InvalidAddress(_("This phone number has too few or too many digits."))
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def normalise_external_id(text: str) -> str:
    value = str(text).strip()
    if not value or len(value) > 320 or not value.isprintable():
        raise InvalidAddress(_("An external id has 1 to 320 printable characters."))
    return value


def resolve(
    account: Account,
    *,
    email: str = "",
    phone: str = "",
    external_id: str = "",
    name: str = "",
    source: str = "",
    **facts: Any,
) -> tuple[Contact, bool]:
    """The contact one of these addresses leads to, made when there is none; True when it was made.

    What is known already stays: only empty facts are filled in, and an address that leads to somebody
    else stays theirs (merging is for staff). Safe when several callers resolve one address at once.
    Raises InvalidAddress.
    """
    addresses = _addresses(email=email, phone=phone, external_id=external_id)
    wanted = {"name": name[:200], **{key: facts[key] for key in FACTS if facts.get(key)}}
    for _attempt in range(3):
        found = _found(account, addresses)
        if found is not None:
            _complete(found, addresses, source=source, facts=wanted)
            return found, False
        try:
            with transaction.atomic():
                return _made(account, addresses, source=source, facts=wanted), True
        except IntegrityError:
            continue  # another caller was first: read theirs
    raise InvalidAddress(_("This address is being changed by somebody else. Please try again."))


def _addresses(*, email: str, phone: str, external_id: str) -> list[Address]:
    given = [
        (Kind.EMAIL, email, normalise_email),
        (Kind.PHONE, phone, normalise_phone),
        (Kind.EXTERNAL_ID, external_id, normalise_external_id),
    ]
    addresses = [Address(kind, form(text), text.strip()[:320]) for kind, text, form in given if text]
    if not addresses:
        raise InvalidAddress(_("Give an email address, a phone number or an external id."))
    return addresses


def _found(account: Account, addresses: list[Address]) -> Contact | None:
    """The contact of the first address that is known, in the order email, phone, external id."""
    condition = Q()
    for address in addresses:
        condition |= Q(kind=address.kind, value=address.value)
    rows = ContactAddress.objects.for_account(account).filter(condition).select_related("contact")
    by_kind = {row.kind: row.contact for row in rows}
    return next((by_kind[address.kind] for address in addresses if address.kind in by_kind), None)


def _made(account: Account, addresses: list[Address], *, source: str, facts: dict[str, Any]) -> Contact:
    contact = Contact.objects.create(account=account, **facts)
    ContactAddress.objects.bulk_create(
        _row(contact, address, source=source, is_primary=True) for address in addresses
    )
    return contact


def _row(contact: Contact, address: Address, *, source: str, is_primary: bool) -> ContactAddress:
    return ContactAddress(
        account_id=contact.account_id,
        contact=contact,
        kind=address.kind,
        value=address.value,
        as_given=address.as_given,
        is_primary=is_primary,
        source=source[:60],
    )


def _complete(contact: Contact, addresses: list[Address], *, source: str, facts: dict[str, Any]) -> None:
    new = {key: value for key, value in facts.items() if value and not getattr(contact, key)}
    if new:
        for key, value in new.items():
            setattr(contact, key, value)
        contact.save(update_fields=[*new, "updated_at"])
    if len(addresses) > 1:
        _add_addresses(contact, addresses, source=source)


def _add_addresses(contact: Contact, addresses: list[Address], *, source: str) -> None:
    has_primary = set(contact.addresses.filter(is_primary=True).values_list("kind", flat=True))
    ContactAddress.objects.bulk_create(
        [_row(contact, a, source=source, is_primary=a.kind not in has_primary) for a in addresses],
        ignore_conflicts=True,
    )


def email_of(contact: Contact) -> str:
    return _primary(contact, Kind.EMAIL)


def phone_of(contact: Contact) -> str:
    return _primary(contact, Kind.PHONE)


def _primary(contact: Contact, kind: str) -> str:
    """The primary address of a kind, else the oldest, else "".

    Uses prefetched addresses when they are there.
    """
    rows = [row for row in contact.addresses.all() if row.kind == kind]
    rows.sort(key=lambda row: (not row.is_primary, row.pk))
    return str(rows[0].value) if rows else ""
