"""No token and no password is written to a log."""

import logging

import pytest
from django.conf import settings

from config.logs import RedactingFormatter, redact

TOKEN = "Zq3vXw81LmNoPq7RsTuV"


def written(message, *, error=None):
    """The line that the log gets."""
    shape = settings.LOGGING["formatters"]["line"]
    formatter = RedactingFormatter(shape["format"], style=shape["style"])
    trouble = (type(error), error, None) if error else None
    return formatter.format(logging.LogRecord("x", logging.ERROR, "x.py", 1, message, (), trouble))


@pytest.mark.parametrize(
    "text",
    [
        f"GET /i/{TOKEN} 200",
        f"GET /api/v1/chat/ws/inbox/me?ticket={TOKEN}",
        f"Authorization: Bearer {TOKEN}",
        f"Incorrect API key: sk-{TOKEN}",
        f"key AIza{TOKEN} is not valid",
        f'connection to "postgresql://rapport:{TOKEN}@db/rapport" failed',
        f"redis://:{TOKEN}@redis:6379 refused",
    ],
)
def test_what_opens_something_is_cut_out(text):
    assert TOKEN not in redact(text)
    assert "…" in redact(text)


def test_a_traceback_is_cut_too():
    line = written("Something failed", error=OSError(f"404 for https://x.example/u/{TOKEN}"))
    assert "404 for https://x.example/u/…" in line
    assert TOKEN not in line


def test_what_is_no_secret_stays():
    for text in ("http://127.0.0.1:8000/live 200", "ada@example.com, at 10:30", "https://a.example/b:c@d"):
        assert redact(text) == text


def test_the_logs_are_written_so():
    assert settings.LOGGING["formatters"]["line"]["class"] == "config.logs.RedactingFormatter"
    assert {handler["formatter"] for handler in settings.LOGGING["handlers"].values()} == {"line"}
