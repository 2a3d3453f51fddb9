"""What is wrong with the settings of calls, told at the start."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from voice import slots_of_environment


@register()
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
    return found
