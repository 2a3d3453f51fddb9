"""Addresses in one written form, and the contact that an address leads to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any
from uuid import UUID

import idna
import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from config.api.models import Account
from config.api.prepared import PreparedInsert, PreparedRows, given
from crm import sessions
from crm.models import Contact, ContactAddress, ContactMerge

LONGEST_EMAIL = 254  # characters, RFC 5321 4.5.3.1.3
E164_DIGITS = (8, 15)  # fewest that are a whole number anywhere, most that ITU-T E.164 allows
MOST_MERGES = 8  # that a reference follows, from contact to contact
FACTS = ("company", "role", "language", "time_zone", "preferences", "fields")
Kind = ContactAddress.Kind
_valid_email = EmailValidator()


class InvalidAddress(ValueError):  # noqa: N818  the seam's name
    """An address that cannot be used; its text is for people."""


class AddressTaken(ValueError):  # noqa: N818
    """An address that leads to another contact of the account."""

    def __init__(self, kind: str, contact: Contact) -> None:
        super().__init__(kind)
        self.kind, self.contact = kind, contact


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
        host = _host_of(domain)
    except (idna.IDNAError, UnicodeError):
        raise InvalidAddress(_("The part after the @ is not a domain name.")) from None
    address = f"{local.lower()}@{host}"
    if not address.isascii():  # Django's pattern ignores case, and takes ı and ſ for letters of ASCII
        raise InvalidAddress(_("Before the @ only plain letters, digits and signs are possible."))
    try:
        _valid_email(address)
    except ValidationError:
        raise InvalidAddress(_("This is not an email address.")) from None
    return address


def with_ascii_domain(address: str) -> str:
    """The address as SMTP and headers want it, its domain in IDNA; unchanged where that has no such form."""
    local, at, domain = address.rpartition("@")
    if domain.isascii():
        return address
    try:
        return f"{local}{at}{_host_of(domain)}"
    except (idna.IDNAError, UnicodeError):
        return address


@lru_cache(maxsize=4096)
def _host_of(domain: str) -> str:
    """A list of people has few domains, and encoding one takes as long as all else about an address."""
    return str(idna.encode(domain, uts46=True).decode("ascii")).lower()


def normalise_phone(text: str, region: str = "") -> str:
    """E.164. A number without a country code is read as one of `region` (two letters).

    A number of E.164's form that no numbering plan knows is taken as it is: test data and new prefixes look
    like that, and whoever calls it finds out.
    """
    given = str(text).strip()[:60]
    try:
        number = phonenumbers.parse(given, region.upper() or None)
    except phonenumbers.NumberParseException:
        raise InvalidAddress(_("This is not a phone number. Write it with its country code: +49 …")) from None
    if not phonenumbers.is_possible_number(number):
        digits = "".join(letter for letter in given if letter in "0123456789")
        if given.startswith("+") and E164_DIGITS[0] <= len(digits) <= E164_DIGITS[1]:
            return f"+{digits}"
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
    by_kind = {row.kind: row.contact for row in _leading_to(account, addresses)}
    return next((by_kind[address.kind] for address in addresses if address.kind in by_kind), None)


# From the address to its contact: with both to begin from, SQLite may read every contact of the account.
_called = PreparedRows(
    lambda: (
        ContactAddress.objects.filter(
            account_id=given(ContactAddress, "account"),
            kind=given(ContactAddress, "kind"),
            value=given(ContactAddress, "value"),
        )
        .select_related("contact__account")
        .order_by()
    )
)


def _leading_to(account: Account, addresses: Sequence[Address]) -> list[ContactAddress]:
    asked = (_called(account=account.pk, kind=one.kind, value=one.value) for one in addresses)
    return list(chain.from_iterable(asked))


_insert_contact = PreparedInsert(Contact)
_insert_address = PreparedInsert(ContactAddress)


def _made(account: Account, addresses: list[Address], *, source: str, facts: dict[str, Any]) -> Contact:
    contact = _insert_contact(Contact(account=account, **facts))
    rows = [_row(contact, address, source=source, is_primary=True) for address in addresses]
    _keep_addresses(contact, [_insert_address(row) for row in rows])
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
    """Adds those that lead to nobody yet. One that is somebody else's may mean that they are one person."""
    has_primary = set(contact.addresses.filter(is_primary=True).values_list("kind", flat=True))
    ContactAddress.objects.bulk_create(
        [_row(contact, a, source=source, is_primary=a.kind not in has_primary) for a in addresses],
        ignore_conflicts=True,
    )
    others = [row.contact for row in _leading_to(contact.account, addresses) if row.contact_id != contact.pk]
    if others:
        ContactMerge.propose((contact, other, [ContactMerge.Reason.ADDRESS]) for other in others)


_addresses_of = PreparedRows(
    lambda: ContactAddress.objects.filter(contact_id=given(ContactAddress, "contact"))
)


def prefetch_addresses(contact: Contact) -> None:
    """As Django's `prefetch_related_objects` would, by a query that is made once."""
    if "addresses" not in vars(contact).get("_prefetched_objects_cache", {}):
        _keep_addresses(contact, _addresses_of(contact=contact.pk))


def _keep_addresses(contact: Contact, addresses: list[ContactAddress]) -> None:
    rows: Any = ContactAddress.objects.all()
    rows._result_cache = addresses
    vars(contact).setdefault("_prefetched_objects_cache", {})["addresses"] = rows


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


def reference_of(contact: Contact) -> str:
    """What the CRM API calls a user's id: the caller's own id of them where they have one, else ours."""
    external = _primary(contact, Kind.EXTERNAL_ID)
    # A slash would end the id in a path.
    return external if external and "/" not in external else str(contact.pk)


_of_id = PreparedRows(
    lambda: (
        Contact.objects.filter(account_id=given(Contact, "account"), pk=given(Contact, "id"))
        .select_related("account")
        .order_by()
    )
)


def find_or_make(account: Account, reference: str, *, source: str) -> Contact:
    """The contact of an id of ours or of the caller's own, else a new one with it as its own id.

    In a transaction of the caller's. Raises InvalidAddress, and IntegrityError when somebody else makes the
    contact at this moment: after the transaction it is there.
    """
    known = find(account, reference)
    if known is not None:
        return known
    addresses = _addresses(email="", phone="", external_id=reference)
    return _made(account, addresses, source=source, facts={})


def find(account: Account, reference: str) -> Contact | None:
    """The contact of an id of ours or of the caller's own; of a merged one, the contact it became part of.

    With its account and addresses. Also a deactivated contact: `is_active` says so.
    """
    found = None
    if key := uuid_of(reference):
        found = _of_id.first(account=account.pk, id=key)
    if found is None and 0 < len(reference) <= 320:
        address = _called.first(account=account.pk, kind=Kind.EXTERNAL_ID, value=reference.strip())
        found = address.contact if address is not None else None
    if found is None:
        return None
    prefetch_addresses(found)
    return now_part_of(found)


def now_part_of(contact: Contact) -> Contact:
    """Whom a contact became part of; themself where they were not merged. With account and addresses then."""
    for _step in range(MOST_MERGES):
        # What was merged away is inactive, so that the usual contact costs no query here.
        if contact.is_active:
            break
        into = ContactMerge.objects.filter(removed=contact, state=ContactMerge.State.MERGED).values("kept")
        rows = Contact.objects.filter(account_id=contact.account_id, pk__in=into)
        onward = rows.select_related("account").prefetch_related("addresses").first()
        if onward is None:
            break
        contact = onward
    return contact


def people_among(rows: QuerySet[Contact]) -> QuerySet[Contact]:
    """Without those who became part of another contact, and those who were erased: nobody stands for them."""
    merged = ContactMerge.objects.filter(removed=OuterRef("pk"), state=ContactMerge.State.MERGED)
    return rows.filter(~Exists(merged), erased_at=None)


def uuid_of(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def create(account: Account, *, email: str, phone: str = "", source: str = "api", **facts: Any) -> Contact:
    """A new contact with addresses that nobody of the account has. Raises InvalidAddress or AddressTaken."""
    addresses = _addresses(email=email, phone=phone, external_id="")
    _refuse_taken(account, addresses)
    try:
        with transaction.atomic():
            return _made(account, addresses, source=source, facts=facts)
    except IntegrityError:
        _refuse_taken(account, addresses)  # another caller was first
        raise


def _refuse_taken(account: Account, addresses: Sequence[Address], *, contact: Contact | None = None) -> None:
    others = [
        row for row in _leading_to(account, addresses) if contact is None or row.contact_id != contact.pk
    ]
    if others:
        first = min(others, key=lambda row: [a.kind for a in addresses].index(row.kind))
        raise AddressTaken(first.kind, first.contact)


def change(contact: Contact, facts: Mapping[str, Any], *, email: str = "", phone: str | None = "") -> None:
    """New facts, and a new primary address of a kind; None takes all phone numbers away.

    The former primary address is replaced: it was wrong, or is no longer theirs.
    Raises InvalidAddress or AddressTaken; then nothing is changed.
    """
    given = _addresses(email=email, phone=phone or "", external_id="") if email or phone else []
    _refuse_taken(contact.account, given, contact=contact)
    try:
        with transaction.atomic():
            Contact.objects.filter(pk=contact.pk).update(**facts, updated_at=timezone.now())
            if facts.get("is_active") is False:
                sessions.revoke_all(contact)  # as `deactivate` does: none may come back with them
            if phone is None:
                contact.addresses.filter(kind=Kind.PHONE).delete()
            for address in given:
                _make_primary(contact, address)
    except IntegrityError:
        _refuse_taken(contact.account, given, contact=contact)
        raise


def _make_primary(contact: Contact, address: Address) -> None:
    rows = ContactAddress.objects.filter(contact=contact, kind=address.kind)
    known, primary = rows.filter(value=address.value).first(), rows.filter(is_primary=True).first()
    if known is not None and primary is not None and known.pk == primary.pk:
        return
    if known is not None:
        rows.filter(is_primary=True).update(is_primary=False)
        rows.filter(pk=known.pk).update(is_primary=True)
    elif primary is not None:
        rows.filter(pk=primary.pk).update(
            value=address.value, as_given=address.as_given, is_verified=False, source="api"
        )
    else:
        _row(contact, address, source="api", is_primary=True).save()


def deactivate(contact: Contact) -> int:
    """They cannot chat, and are not written to or called any more. Gives how many sessions that ended."""
    with transaction.atomic():
        Contact.objects.filter(pk=contact.pk).update(is_active=False, updated_at=timezone.now())
        contact.is_active = False
        return sessions.revoke_all(contact)
