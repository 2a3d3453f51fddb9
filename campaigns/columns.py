"""Which column of a file is what of a person, and whether a row is a person at all."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from zoneinfo import available_timezones

from django.utils.translation import gettext as _

from campaigns.placeholders import column_name
from crm.contacts import InvalidAddress, normalise_email
from crm.exporting import COLUMNS, FIELD, is_export

MAX_CELL = 2_000  # characters
MAX_FACT = 200  # characters of a name or another fact of a contact
LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*\Z")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f]")
SECOND = re.compile(r" \(\d+\)\Z")
UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad \t\r\n\u00a0"  # pasted along with addresses
# How columns are called in the wild, in the form of placeholders.column_name.
KNOWN_HEADINGS = {
    "email": (
        "email",
        "e_mail",
        "mail",
        "email_address",
        "e_mail_address",
        "mail_address",
        "emailadresse",
        "e_mail_adresse",
        "correo",
        "correo_electrónico",
        "courriel",
        "adresse_e_mail",
        "adres_e_mail",
        "البريد",
        "البريد_الإلكتروني",
    ),
    "name": (
        "name",
        "full_name",
        "fullname",
        "contact",
        "contact_name",
        "nombre_completo",
        "nom_complet",
        "imię_i_nazwisko",
        "الاسم",
    ),
    "first_name": ("first_name", "firstname", "given_name", "forename", "vorname", "prénom", "imię"),
    "last_name": ("last_name", "lastname", "surname", "family_name", "nachname", "apellidos", "nazwisko"),
    "company": ("company", "company_name", "organisation", "organization", "employer", "firma", "الشركة"),
    "language": ("language", "lang", "locale", "sprache", "język", "اللغة"),
    "time_zone": ("time_zone", "timezone", "tz", "zeitzone"),
}
FIELDS = tuple(KNOWN_HEADINGS)
LEFT_OUT = ""  # the field of a column that is not imported


class ColumnsRefusedError(ValueError):
    """The columns are not clear; `str()` tells what to choose."""


@dataclass(frozen=True, slots=True)
class Person:
    """One good row."""

    line: int
    email: str
    as_given: str
    name: str = ""
    company: str = ""
    language: str = ""
    time_zone: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RowError:
    line: int
    reason: str


# --- Columns ----------------------------------------------------------------------------------------


def guess_mapping(headings: Sequence[str]) -> dict[str, str]:
    """Which field each column is, as far as headings tell; other columns are kept under their own name."""
    meant = _meant_in_export if is_export(headings) else _meant
    return {heading: meant(heading, position) for position, heading in enumerate(headings, start=1)}


def _meant_in_export(heading: str, position: int) -> str:
    """In an export of contacts: facts and free fields are themselves; what cannot come in is left out."""
    if heading.startswith(FIELD):
        name = own_name(heading.removeprefix(FIELD), position)
        return f"field_{name}" if name in FIELDS else name
    if heading in COLUMNS:
        return heading if heading in FIELDS else LEFT_OUT
    return _meant(heading, position)


def _meant(heading: str, position: int) -> str:
    # A second "name" is read as "name (2)", and means a name just as well.
    name = column_name(SECOND.sub("", heading))
    return next(
        (field for field, names in KNOWN_HEADINGS.items() if name in names), own_name(heading, position)
    )


def own_name(heading: str, position: int) -> str:
    """How a column is called in templates when it is no fact of a contact."""
    return column_name(heading) or f"column_{position}"


def check_mapping(headings: Sequence[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """The mapping, complete and in the file's order. Raises ColumnsRefusedError with what to choose."""
    unknown = [heading for heading in mapping if heading not in headings]
    if unknown:
        raise ColumnsRefusedError(_("The file has no column “%(name)s”.") % {"name": unknown[0][:60]})
    whole = {heading: column_name(mapping.get(heading, LEFT_OUT)) for heading in headings}
    chosen = [name for name in whole.values() if name != LEFT_OUT]
    twice = next((name for name in chosen if chosen.count(name) > 1), None)
    if twice:
        raise ColumnsRefusedError(
            _("Two columns are called “%(name)s”. Choose one, and leave the other out.") % {"name": twice}
        )
    if "email" not in chosen:
        raise ColumnsRefusedError(_no_email(headings))
    return whole


def _no_email(headings: Sequence[str]) -> str:
    if any("@" in heading for heading in headings):
        return _("The first line must name the columns, like: email,name,company.")
    names = ", ".join(headings)[:200]
    return _("No column is called “email”. Found: %(names)s. Choose which one it is.") % {"names": names}


# --- Rows -------------------------------------------------------------------------------------------


def person_of(line: int, cells: Sequence[str], *, fields: Sequence[str]) -> Person | RowError:
    """The row as a person, `fields` naming its columns; or why it cannot be one."""
    if len(cells) > len(fields) and any(cells[len(fields) :]):
        return RowError(line, _("More cells than the heading has columns."))
    values = {name: cell.strip() for name, cell in zip(fields, cells, strict=False) if name}
    given = values.get("email", "").strip(UNSEEN)
    try:
        email = normalise_email(given)
    except InvalidAddress as error:
        return RowError(line, str(error) if given else _("No email address."))
    reason = _objection(values)
    if reason:
        return RowError(line, reason)
    return Person(
        line=line,
        email=email,
        as_given=given,
        name=_name(values),
        company=values.get("company", ""),
        language=values.get("language", "").replace("_", "-"),
        time_zone=values.get("time_zone", ""),
        fields={name: value for name, value in values.items() if value and name not in FIELDS},
    )


def _name(values: Mapping[str, str]) -> str:
    name = values.get("name")
    return name or f"{values.get('first_name', '')} {values.get('last_name', '')}".strip()


def _objection(values: Mapping[str, str]) -> str:
    for name, value in values.items():
        if value and (reason := _objection_to(name, value)):
            return reason
    if len(_name(values)) > MAX_FACT:
        return _("The column “%(name)s” is too long.") % {"name": "name"}
    language, zone = values.get("language"), values.get("time_zone")
    if language and not (LANGUAGE.match(language) and len(language) <= 12):
        return _("“%(value)s” is not a language code like en or pt-BR.") % {"value": language[:40]}
    if zone and zone not in _zones():
        return _("“%(value)s” is not a time zone like Europe/Warsaw.") % {"value": zone[:60]}
    return ""


def _objection_to(name: str, value: str) -> str:
    """A fact of a contact is one line, since it stands in headers; an address or a note may be several."""
    is_fact = name in FIELDS
    if not value.isprintable() and (CONTROL if is_fact else CONTROL_BUT_LINES).search(value):
        return _("The column “%(name)s” holds a line break or a control character.") % {"name": name}
    if len(value) > (MAX_FACT if is_fact else MAX_CELL):
        return _("The column “%(name)s” is too long.") % {"name": name}
    return ""


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
