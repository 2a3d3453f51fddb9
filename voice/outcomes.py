"""What a call came to, in words for people: programs are told the key (docs/phone-caller-api.md)."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

WORDS = {
    "booked": _l("a time was agreed"),
    "declined": _l("declined"),
    "wrong_person": _l("not the right person"),
    "voicemail": _l("reached an answering machine"),
    "stop_calling": _l("asked not to be called again"),
    "no_slot_suits": _l("no time suited"),
    "given_up": _l("ended without a time"),
    "hung_up": _l("hung up before a time was agreed"),
    "busy": _l("busy"),
    "no_answer": _l("not answered"),
    "not_placed": _l("could not be placed"),
    "cancelled": _l("cancelled"),
    "interviewed": _l("the interview was held to its end"),
    "left_open": _l("the interview goes on in writing"),
    "trouble": _l("broken off by a fault"),
    "handed_over": _l("asked for a person"),
}


def in_words(outcome: str) -> str:
    return str(WORDS.get(outcome, outcome))


def title_of(outcome: str) -> str:
    """For the timeline of the person."""
    return _("Phone call: %(what)s") % {"what": in_words(outcome)}
