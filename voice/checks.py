"""What is wrong with the settings of calls, told at the start."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from config.api.checks import SETTINGS
from voice import gates, slots_of_environment


@register(SETTINGS)
def check_calls(app_configs: Any = None, **_options: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    unread = [words for words in settings.CALL_SLOTS if slots_of_environment.read(words) is None]
    if unread:
        found.append(
            Error(
                f"RAPPORT_TIME_SLOTS: {unread[0]!r} is no day and time.",
                hint='Write like "Monday at 10 AM" or "Friday 14:30", separated by commas.',
                id="voice.E001",
            )
        )
    if settings.CALL_HOURS[0] >= settings.CALL_HOURS[1]:
        found.append(Error("RAPPORT_CALL_FROM_HOUR must be before RAPPORT_CALL_UNTIL_HOUR.", id="voice.E002"))
    if settings.VOICE_STAFF_NUMBER and not gates.is_dialled(settings.VOICE_STAFF_NUMBER):
        found.append(
            Error(
                "RAPPORT_VOICE_STAFF_NUMBER is no phone number.",
                hint="Write it like +14155550100.",
                id="voice.E003",
            )
        )
    return found
