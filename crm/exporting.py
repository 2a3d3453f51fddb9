"""People as a file, CSV or JSON, of any length in constant memory.

They are read a page at a time by keyset, the newest first: three short queries a page and no transaction,
so that a slow reader holds nothing. Whoever is added meanwhile is not in the file.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone

from crm.models import Consent, Contact, ContactAddress
from crm.models.contacts import Channel
from crm.spreadsheets import written

PAGE = 500  # people
KEYS_PAGE = 2_000  # people whose free fields alone are read
MOST_FIELDS = 80  # columns of free fields; an import takes a hundred columns in all
LONGEST_KEY = 80  # characters of a free field that becomes a column
FIELD = "field:"
MARK = "\ufeff"  # by which spreadsheets know that the file is UTF-8
FORMS = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "ndjson": "application/x-ndjson",
}
BEFORE = ("id", "account", "email", "other_emails", "name", "phone", "other_phones", "external_ids")
FACTS = ("company", "role", "language", "time_zone", "status", "created_at")
CONSENTS = {channel.value: f"consent_{channel.value}" for channel in Channel}
REST = "more_fields"
COLUMNS = (*BEFORE, *FACTS, *CONSENTS.values(), REST)
# Filters whose values name no person.
IMPERSONAL = ("account", "is_active")

Person = dict[str, Any]
Said = dict[str, dict[str, bool]]


def is_export(headings: Iterable[str]) -> bool:
    """Whether these are the columns of such a file, in whatever order, with more beside them or not."""
    return set(COLUMNS) <= set(headings)


def download(rows: QuerySet[Contact], form: str, *, has_mark: bool = True) -> StreamingHttpResponse:
    """The file, streamed. `form` is one of FORMS; `has_mark` is about CSV alone."""
    name = f"contacts-{timezone.now():%Y-%m-%d}.{form}"
    return StreamingHttpResponse(
        pieces(rows, form, has_mark=has_mark),
        content_type=FORMS[form],
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, no-store",
        },
    )


def pieces(rows: QuerySet[Contact], form: str, *, has_mark: bool = True) -> Iterator[bytes]:
    """A page of people each. A half of a surrogate pair, which no file can hold, becomes a question mark."""
    if form == "csv":
        texts = _csv(rows, has_mark=has_mark)
    else:
        texts = _json(rows) if form == "json" else _ndjson(rows)
    return (text.encode(errors="replace") for text in texts)


def without_people(filters: Mapping[str, str]) -> dict[str, str]:
    """Filters for the audit trail, which outlives people: of an address or a name only how it begins."""
    given = {name[:60]: text[:60] for name, text in filters.items() if text}
    return {name: text if name.startswith(IMPERSONAL) else f"{text[:1]}…" for name, text in given.items()}


# --- Pages of people --------------------------------------------------------------------------------


def _pages(rows: QuerySet[Contact], size: int) -> Iterator[list[Contact]]:
    ordered = rows.order_by("-created_at", "-pk")
    page = list(ordered[:size])
    while page:
        yield page
        page = list(ordered.filter(_after(page[-1]))[:size]) if len(page) == size else []


def _after(last: Contact) -> Q:
    # The first condition is implied by the second; databases can use an index for it.
    within = Q(created_at__lte=last.created_at)
    return within & (Q(created_at__lt=last.created_at) | Q(pk__lt=last.pk))


def _people(rows: QuerySet[Contact]) -> Iterator[list[Person]]:
    whole = rows.select_related("account").prefetch_related(None).prefetch_related("addresses")
    for page in _pages(whole, PAGE):
        said = _last_words(page)
        yield [_person(contact, said.get(contact.pk, {})) for contact in page]


def _last_words(page: Sequence[Contact]) -> dict[UUID, Said]:
    """Of each contact by channel and purpose: what they said last."""
    said: dict[UUID, Said] = {}
    rows = Consent.objects.filter(contact__in=page, at__lte=timezone.now()).order_by("at", "id")
    for who, channel, purpose, is_given in rows.values_list("contact", "channel", "purpose", "given"):
        said.setdefault(who, {}).setdefault(channel, {})[purpose] = is_given
    return said


def _person(contact: Contact, said: Said) -> Person:
    addresses = sorted(contact.addresses.all(), key=lambda row: (not row.is_primary, row.pk))
    of_kind: dict[str, list[str]] = {kind: [] for kind in ContactAddress.Kind.values}
    for row in addresses:
        of_kind[row.kind].append(row.value)
    return {
        "id": str(contact.pk),
        "account": contact.account.slug,
        "name": contact.name,
        "emails": of_kind["email"],
        "phones": of_kind["phone"],
        "external_ids": of_kind["external_id"],
        "company": contact.company,
        "role": contact.role,
        "language": contact.language,
        "time_zone": contact.time_zone,
        "status": "active" if contact.is_active else "inactive",
        "created_at": contact.created_at.isoformat(),
        "consent": said,
        "fields": _fields(contact),
    }


def _fields(contact: Contact) -> dict[str, Any]:
    """Staff can write any JSON there."""
    kept: Any = contact.fields
    return kept if isinstance(kept, dict) else {"fields": kept}


# --- JSON -------------------------------------------------------------------------------------------


def _json(rows: QuerySet[Contact]) -> Iterator[str]:
    before = "["
    for people in _people(rows):
        yield before + ",\n".join(_dumped(one) for one in people)
        before = ",\n"
    yield "[]\n" if before == "[" else "]\n"


def _ndjson(rows: QuerySet[Contact]) -> Iterator[str]:
    for people in _people(rows):
        yield "".join(f"{_dumped(one)}\n" for one in people)


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# --- CSV --------------------------------------------------------------------------------------------


def _csv(rows: QuerySet[Contact], *, has_mark: bool) -> Iterator[str]:
    keys = _keys(rows)
    headings = [*COLUMNS, *(_cell(FIELD + key) for key in keys)]
    yield (MARK if has_mark else "") + written([headings])
    for people in _people(rows):
        yield written([_cells(one, keys) for one in people])


def _keys(rows: QuerySet[Contact]) -> list[str]:
    """The free fields that become columns: the first that are found from the newest contact on, sorted."""
    lean = rows.select_related(None).prefetch_related(None).only("created_at", "fields")
    found: set[str] = set()
    for page in _pages(lean, KEYS_PAGE):
        for contact in page:
            found.update(key for key in _fields(contact) if len(key) <= LONGEST_KEY)
        if len(found) >= MOST_FIELDS:
            break
    return sorted(found)[:MOST_FIELDS]


def _cells(one: Person, keys: Sequence[str]) -> list[str]:
    email, *other_emails = one["emails"] or [""]
    phone, *other_phones = one["phones"] or [""]
    fields = dict(one["fields"])
    own = [_cell(fields.pop(key, "")) for key in keys]
    told: dict[str, Any] = {
        **one,
        **{"email": email, "other_emails": "; ".join(other_emails)},
        **{"phone": phone, "other_phones": "; ".join(other_phones)},
        "external_ids": "; ".join(one["external_ids"]),
        **{name: _consent(one["consent"].get(channel, {})) for channel, name in CONSENTS.items()},
        REST: fields or "",
    }
    return [*(_cell(told[name]) for name in COLUMNS), *own]


def _consent(said: Mapping[str, bool]) -> str:
    return "; ".join(f"{purpose}: {'yes' if given else 'no'}" for purpose, given in sorted(said.items()))


def _cell(value: Any) -> str:
    """Text as it is, nothing as nothing, all else as JSON; lines within it as spreadsheets have them.

    NUL is in no text file.
    """
    text = value if isinstance(value, str) else "" if value is None else _dumped(value)
    return text.replace("\0", "").replace("\r\n", "\n")
