"""Time zones by their IANA names, from rows and callers."""

from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _


@lru_cache(maxsize=1000)
def zone_named(name: str) -> ZoneInfo | None:
    """The zone, or None for a name that is empty or that this machine does not know."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def first_zone(*names: str) -> ZoneInfo:
    """The zone of the first name that is known; UTC when none is."""
    return next((zone for name in names if (zone := zone_named(name))), ZoneInfo("UTC"))


def validate_time_zone(name: str) -> None:
    if name and zone_named(name) is None:
        raise ValidationError(_("Write a time zone like Europe/Warsaw."), code="time_zone")
