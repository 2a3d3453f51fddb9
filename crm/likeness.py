"""Which contacts may be one person: found by the signs they share, and proposed to staff.

The search walks all contacts in the order of their ids (which is that of their age), a bounded piece at a
time, and notes the signs of each as digests. A new contact is looked at within a minute or so; one that was
changed, at the latest in the next round.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import chain
from uuid import UUID

import phonenumbers
from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from config.api.models import digest
from crm import contacts
from crm.models import Contact, ContactAddress, ContactMerge, Likeness, LikenessSearch

PIECE = 500  # contacts looked at by one sweep
# A contact that is being made while we look has an older id than it seems: give it time to be there.
SETTLED = timedelta(seconds=20)
ROUND = timedelta(hours=24)
# A sign that so many share ("Info, Acme Ltd") tells nobody apart.
MOST_ALIKE = 20
FEWEST_DIGITS = 7
# Providers that ignore dots in the part before the @, and the names of one of them.
DOTLESS = {"gmail.com": "gmail.com", "googlemail.com": "gmail.com"}

Reason = ContactMerge.Reason
Kind = ContactAddress.Kind
Sign = tuple[str, str]  # reason, digest


def search_on() -> int:
    """Looks at the next piece of contacts; how many that were. Cheap when there is nothing new."""
    state, _created = LikenessSearch.objects.get_or_create(pk=1)
    piece = _next_piece(state)
    if not piece:
        _rest(state)
        return 0
    with transaction.atomic():
        signs = _note_signs(piece)
        propose(signs)
        LikenessSearch.objects.filter(pk=state.pk).update(after=piece[-1].pk)
    return len(piece)


def _next_piece(state: LikenessSearch) -> list[Contact]:
    rows = Contact.objects.filter(created_at__lt=timezone.now() - SETTLED).order_by("pk")
    if state.after is not None:
        rows = rows.filter(pk__gt=state.after)
    return list(rows.prefetch_related("addresses")[:PIECE])


def _rest(state: LikenessSearch) -> None:
    """At the end: only new contacts until the next round, which begins once a day."""
    now = timezone.now()
    if now - state.round_began_at >= ROUND:
        LikenessSearch.objects.filter(pk=state.pk).update(after=None, round_began_at=now)


def _note_signs(piece: Sequence[Contact]) -> set[str]:
    """Stores the signs of these contacts, and gives the digests of all of them."""
    wanted = {(contact.pk, sign) for contact in piece for sign in signs_of(contact)}
    keys = [contact.pk for contact in piece]
    held = {
        (row.contact_id, (row.reason, row.digest)): row.pk
        for row in Likeness.objects.filter(contact__in=keys).only("contact_id", "reason", "digest")
    }
    gone = [key for sign, key in held.items() if sign not in wanted]
    if gone:
        Likeness.objects.filter(pk__in=gone).delete()
    Likeness.objects.bulk_create(
        (
            Likeness(contact_id=contact_id, reason=reason, digest=value)
            for contact_id, (reason, value) in wanted - held.keys()
        ),
        ignore_conflicts=True,
    )
    return {value for _contact_id, (_reason, value) in wanted}


def signs_of(contact: Contact) -> set[Sign]:
    """None of somebody who is no user any more: merged, deactivated or erased."""
    if not contact.is_active or contact.erased_at is not None:
        return set()
    plain = set(chain.from_iterable(_of_address(row) for row in contact.addresses.all()))
    name, company = _folded(contact.name), _folded(contact.company)
    if name and company:
        plain.add((Reason.NAME_AND_COMPANY, f"{name}\n{company}"))
    # With the account in it, a sign is only ever shared within one.
    return {(str(reason), digest(f"{contact.account_id}:{reason}:{text}")) for reason, text in plain}


def _of_address(row: ContactAddress) -> Iterator[Sign]:
    if row.kind != Kind.PHONE and (mailbox := mailbox_of(row.value)):
        yield Reason.EMAIL, mailbox
    if row.kind != Kind.EMAIL and (number := number_of(row.value)):
        yield Reason.PHONE, number


def mailbox_of(text: str) -> str:
    """The mailbox an address arrives in, whatever its case, tag or dots; "" for what is none.

    Callers' own ids of people are often their addresses, so these are read as well.
    """
    if "@" not in text:
        return ""
    try:
        local, _at, host = contacts.normalise_email(text).rpartition("@")
    except contacts.InvalidAddress:
        return ""
    plain = local.partition("+")[0] or local
    if host in DOTLESS:
        plain, host = plain.replace(".", "") or plain, DOTLESS[host]
    return f"{plain}@{host}"


def number_of(text: str) -> str:
    """The digits of a phone number without its country's: one number is often filed under two countries."""
    if not text.startswith("+"):
        return ""
    try:
        number = str(phonenumbers.parse(text[:60]).national_number)
    except phonenumbers.NumberParseException:
        return ""
    return number if len(number) >= FEWEST_DIGITS else ""


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def propose(digests: Iterable[str]) -> None:
    """The oldest bearer of each of these signs with each of the others."""
    shared = (
        Likeness.objects.filter(digest__in=list(digests))
        .values("digest")
        .annotate(bearers=Count("pk"))
        .filter(bearers__gt=1, bearers__lte=MOST_ALIKE)
        .values_list("digest", flat=True)
    )
    rows = Likeness.objects.filter(digest__in=list(shared), contact__is_active=True)
    bearers = defaultdict(list)
    for row in rows.select_related("contact"):
        bearers[row.digest].append(row)
    pairs: dict[tuple[UUID, UUID], tuple[Contact, Contact, list[str]]] = {}
    for group in bearers.values():
        group.sort(key=lambda row: (row.contact.created_at, row.contact_id))
        oldest = group[0].contact
        for row in group[1:]:
            pair = pairs.setdefault((oldest.pk, row.contact_id), (oldest, row.contact, []))
            pair[2].append(row.reason)
    ContactMerge.propose(pairs.values())
