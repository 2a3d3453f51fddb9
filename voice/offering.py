"""Which slots to offer, and how a slot is spoken: real dates in the time zone of the call. Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo

from voice.phrases import Phrases
from voice.talk_values import Slot
from voice.wishes import Wish

AT_ONCE = 3  # more cannot be kept in mind on the phone
_NAME_CHARACTERS = 80


def zone_of(name: str) -> tzinfo:
    """The zone of an IANA name; UTC, which is then what is spoken, for a name that is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown is a KeyError
        return UTC


def open_slots(slots: Sequence[Slot], *, now: datetime) -> list[Slot]:
    """Those ahead, the earliest first. Of several at one time, with as many interviewers, one: to the person
    they are the same, and no word could tell them apart.
    """
    ahead = sorted(
        (slot for slot in slots if slot.id and slot.starts_at > now),
        key=lambda slot: (slot.starts_at, slot.id),
    )
    return list({slot.starts_at: slot for slot in reversed(ahead)}.values())[::-1]


def spread(slots: Iterable[Slot], zone: tzinfo) -> list[Slot]:
    """A few to offer unasked: of different days as long as there are any."""
    slots = list(slots)
    first_of_day: dict[date, Slot] = {}
    for slot in slots:
        first_of_day.setdefault(slot.starts_at.astimezone(zone).date(), slot)
    chosen = list(first_of_day.values())[:AT_ONCE]
    chosen += [slot for slot in slots if slot not in chosen][: AT_ONCE - len(chosen)]
    return sorted(chosen, key=lambda slot: (slot.starts_at, slot.id))


def fitting(slots: Iterable[Slot], wish: Wish, zone: tzinfo) -> list[Slot]:
    return [slot for slot in slots if wish.fits(slot.starts_at.astimezone(zone))]


def beside(slots: Sequence[Slot], offered: Sequence[Slot], wish: Wish, zone: tzinfo) -> list[Slot]:
    """Those that "later", "earlier", "another day" or "another time" leaves, seen from what was offered."""
    if not wish.relative or not offered:
        return list(slots)
    if wish.relative == "later":
        return [slot for slot in slots if slot.starts_at > offered[-1].starts_at]
    if wish.relative == "earlier":
        return [slot for slot in slots if slot.starts_at < offered[0].starts_at]
    if wish.relative == "other_day":
        days = {slot.starts_at.astimezone(zone).date() for slot in offered}
        return [slot for slot in slots if slot.starts_at.astimezone(zone).date() not in days]
    return [slot for slot in slots if slot not in offered]


def nearest(slots: Sequence[Slot], wish: Wish, zone: tzinfo) -> list[Slot]:
    """A few where none fits: first those of a day that was asked for."""
    of_day = [slot for slot in slots if wish.fits_day(slot.starts_at.astimezone(zone).date())]
    return of_day[:AT_ONCE] if of_day else spread(slots, zone)


# --- in words -----------------------------------------------------------------------------------


def slot_words(slot: Slot, phrases: Phrases, zone: tzinfo) -> str:
    """As in "Thursday 3 December at 2 PM"."""
    local = slot.starts_at.astimezone(zone)
    day = phrases.say["day"].format(
        weekday=phrases.raw["weekdays"][local.weekday()],
        day=local.day,
        month=phrases.raw["months"][local.month - 1],
    )
    return phrases.say["slot"].format(day=day, time=_time_words(local, phrases))


def _time_words(local: datetime, phrases: Phrases) -> str:
    say = phrases.say
    minutes = f":{local.minute:02}" if local.minute else ""
    if phrases.raw["clock_hours"] == 24:
        words = f"{local.hour}:{local.minute:02}"
    elif local.hour % 12 == 0 and not minutes:
        words = say["noon"] if local.hour else say["midnight"]
    else:
        words = f"{local.hour % 12 or 12}{minutes} {say['pm'] if local.hour >= 12 else say['am']}"
    # When clocks go back an hour comes twice; only the name of the time tells which is meant.
    comes_twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return f"{words} {local.tzname()}" if comes_twice else words


def zone_words(zone: tzinfo, phrases: Phrases) -> str:
    place = str(zone).rpartition("/")[2].replace("_", " ")
    return phrases.say["zone"].format(place=place)


def name_words(name: str) -> str:
    """A name as one short line of printable characters: it is put among what is spoken."""
    line = " ".join(name.split())
    return "".join(character for character in line if character.isprintable())[:_NAME_CHARACTERS].strip()
