"""The form that a persona's JSON must have: these texts join the system prompt."""

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

MOST_TRAITS = 40
MOST_EXAMPLES = 20
MOST_SUGGESTIONS = 10
LONGEST_TEXT = 1_000  # characters
LONGEST_SUGGESTION = 200  # characters
MOST_GREETINGS = 20
LONGEST_GREETING = 8_000  # characters


def check_traits(value: Any) -> None:
    """Names with a text, a number, a yes or no, or a list of texts. Raises ValidationError."""
    if not isinstance(value, dict) or len(value) > MOST_TRAITS:
        raise ValidationError(
            _('Give up to %(most)d names with values, like {"tone": "warm"}.') % {"most": MOST_TRAITS}
        )
    for name, trait in value.items():
        parts = trait if isinstance(trait, list) else [trait]
        if not _is_text(name) or not all(_is_text(part) or isinstance(part, (int, float)) for part in parts):
            raise ValidationError(
                _("“%(name)s” must be a short text, a number, or a list of them.") % {"name": name}
            )


def check_examples(value: Any) -> None:
    """A list of short exchanges. Raises ValidationError."""
    if (
        not isinstance(value, list)
        or len(value) > MOST_EXAMPLES
        or not all(_is_exchange(one) for one in value)
    ):
        raise ValidationError(
            _('Give up to %(most)d short examples like {"person": "…", "persona": "…"}.')
            % {"most": MOST_EXAMPLES}
        )


def check_suggestions(value: Any) -> None:
    """A short list of short texts. Raises ValidationError."""
    is_list = isinstance(value, list) and len(value) <= MOST_SUGGESTIONS
    if not is_list or not all(_is_text(one) and 0 < len(one) <= LONGEST_SUGGESTION for one in value):
        raise ValidationError(
            _("Give up to %(most)d texts of at most %(longest)d characters.")
            % {"most": MOST_SUGGESTIONS, "longest": LONGEST_SUGGESTION}
        )


def check_greetings(value: Any) -> None:
    """A short list of texts. Raises ValidationError."""
    is_list = isinstance(value, list) and len(value) <= MOST_GREETINGS
    if not is_list or not all(_is_text(one, LONGEST_GREETING) and one.strip() for one in value):
        raise ValidationError(
            _("Give up to %(most)d texts of at most %(longest)d characters.")
            % {"most": MOST_GREETINGS, "longest": LONGEST_GREETING}
        )


def check_address(value: Any) -> None:
    """Where a browser finds a picture: of the web, or a path of this site. Raises ValidationError."""
    if not re.fullmatch(r"(https?://[^\s/?#]+|/(?!/))[^\s\"'<>]*", str(value)):
        raise ValidationError(_("Give an address like https://example.com/nora.jpg."))


def _is_exchange(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"person", "persona"}
        and all(_is_text(text) and text for text in value.values())
    )


def _is_text(value: Any, longest: int = LONGEST_TEXT) -> bool:
    """A short text that every database can keep: without NUL, and without half a surrogate pair."""
    if not isinstance(value, str) or len(value) > longest or "\0" in value:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)
