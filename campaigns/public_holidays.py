"""Public holidays of a country or a part of it: rules in the `holidays` library, nothing is fetched.

Codes are those of ISO 3166: PL, and for a part the letters after the dash, as BY in DE-BY. A day off in place
of a holiday on a weekend is one too. How good a country's rules are for a far year is the library's matter.
"""

import logging
from collections.abc import Collection
from datetime import date, timedelta
from functools import lru_cache

from django.utils import timezone
from django.utils.translation import gettext as _

log = logging.getLogger(__name__)

SHOWN = 10  # coming holidays that staff and callers see
SHOWN_DAYS = 400
CHECKED_DAYS = 2 * 366


class UnknownPlaceError(ValueError):
    """No such country or part, or it leaves hardly a day. `field` is to be corrected; `str()` says how."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@lru_cache(maxsize=4096)
def holidays_of(country: str, part: str, year: int) -> dict[date, str]:
    """Day → name, in English where the library has it. Raises UnknownPlaceError."""
    import holidays  # a fifth of a second, for who uses it

    try:
        found = holidays.country_holidays(country, subdiv=part or None, years=year, language="en_US")
    except NotImplementedError:
        field = "holiday_subdivision" if country in countries() else "holiday_country"
        raise UnknownPlaceError(field, _unknown(country, part)) from None
    return {day: name for day, name in sorted(found.items()) if day.year == year}


def is_holiday(country: str, part: str, day: date) -> bool:
    """False in a place that was checked when it was chosen, and that a later library does not know."""
    if not country:
        return False
    try:
        return day in holidays_of(country, part, day.year)
    except UnknownPlaceError as error:
        log.warning("Public holidays of %s %s are not known any more: %s", country, part, error)
        return False


def check(country: str, part: str, *, weekdays: Collection[int]) -> None:
    """Raises UnknownPlaceError. Half of the days of these weekdays must be left, for something to be sent."""
    if not country:
        if part:
            raise UnknownPlaceError("holiday_subdivision", _("Name the country too."))
        return
    today = timezone.now().date()
    holidays_of(country, part, today.year)
    days = [today + timedelta(days=number) for number in range(CHECKED_DAYS)]
    wanted = [day for day in days if day.isoweekday() in weekdays]
    if 2 * sum(is_holiday(country, part, day) for day in wanted) > len(wanted):
        words = _("On these weekdays most days are holidays there: hardly an email would leave.")
        raise UnknownPlaceError("holiday_country", words)


def coming(country: str, part: str, *, today: date) -> list[tuple[date, str]]:
    """The next holidays, from this day on."""
    years = range(today.year, (today + timedelta(days=SHOWN_DAYS)).year + 1) if country else ()
    found = [item for year in years for item in holidays_of(country, part, year).items()]
    return [(day, name) for day, name in found if day >= today][:SHOWN]


@lru_cache(maxsize=1)
def countries() -> dict[str, str]:
    """Code → English name of every country the library knows, by name."""
    from holidays.registry import COUNTRIES

    named = {names[1]: module.replace("_", " ").title() for module, names in COUNTRIES.items()}
    return dict(sorted(named.items(), key=lambda item: item[1]))


def _unknown(country: str, part: str) -> str:
    import holidays

    if country not in countries():
        return _("Write the two capital letters of a country, like PL.")
    parts = holidays.country_holidays(country).subdivisions
    if not parts:
        return _("This country's holidays are the same everywhere: leave the part empty.")
    return _("%(part)s is no part of %(country)s. They are: %(parts)s.") % {
        "part": part,
        "country": country,
        "parts": ", ".join(parts),
    }
