"""Keeps capability tokens and credentials out of the logs."""

import logging
import re

SECRETS = (
    # Capability paths: /i/<token>, /u/<token>, /a/<token>, /t/<token>, /sessions/validate/<token>,
    # /s3/signed/<token>, /api/v1/media/files/<token>
    (
        re.compile(
            r"(/(?:i|u|a|t|sessions/(?:validate|extend|revoke)|s3/signed|api/v1/media/files)/)"
            r"[A-Za-z0-9_:\-]{8,}"
        ),
        r"\1…",
    ),
    (
        re.compile(r"([?&](?:token|ticket|key|session_token|signature|X-Amz-[A-Za-z]+)=)[^&\s\"']+", re.I),
        r"\1…",
    ),
    (re.compile(r"((?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=\-]{8,}"), r"\1…"),
    (re.compile(r"\b(rk_|sk-|whsec_|AIza)[A-Za-z0-9_\-]{8,}"), r"\1…"),
    # The password of a URL: postgresql://user:password@host
    (re.compile(r"(\b[a-z][a-z0-9+.\-]*://[^\s:/@]*:)[^\s/@]+(?=@)", re.I), r"\1…"),
)


def redact(text: str) -> str:
    """The text with every token and key in it replaced by an ellipsis."""
    for pattern, replacement in SECRETS:
        text = pattern.sub(replacement, text)
    return text


class RedactingFormatter(logging.Formatter):
    """Of the whole line and its traceback: an exception's words may hold the address that failed."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))
