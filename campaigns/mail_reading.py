"""Emails from anybody, read under limits: nothing in one can stop the reader or reach the database raw."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import EmailPolicy
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any

from campaigns.html_words import words_of_html

MOST_PARTS = 200
MOST_BOUNDARIES = 100  # multiparts inside each other cost the parser their depth for each line
MOST_DIVIDERS = 2_000
LONGEST_HEADER = 4_000  # characters; the standard library's parser of headers is slow on long ones
MOST_HEADERS = 500
MOST_TEXT = 100_000  # characters of a text part
MOST_ADDRESSES = 50

# Encodings of text that a stranger may name. Others of Python's are slow on purpose-made input.
CHARSETS = re.compile(
    r"utf-8(-sig)?|ascii|iso8859-\d+|cp\d+|koi8-[rut]|gb\w+|big5\w*|euc_\w+|shift_jis\w*|iso2022_\w+"
    r"|utf-16(-[lb]e)?|mac-\w+|tis-620|ptcp154|johab"
)
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
SIZE = re.compile(r';\s*size="?([0-9]{1,12})"?(?:\s*;|\s*$)')
MESSAGE_ID = re.compile(r"<([^<>\s]{3,300})>")


class _LimitedPolicy(EmailPolicy):
    """The standard policy with headers cut before anything looks into them."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name[:100], value[:LONGEST_HEADER]


POLICY = _LimitedPolicy(message_factory=EmailMessage)


@dataclass(frozen=True, slots=True)
class Attached:
    name: str
    kind: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Mail:
    """One email, read: plain values that any database takes, and its parts for those who look closer."""

    message: Message
    message_id: str
    references: tuple[str, ...]  # In-Reply-To first, then References from the last
    from_email: str
    from_name: str
    to: tuple[str, ...]
    subject: str
    text: str
    written_at: datetime | None
    attachments: tuple[Attached, ...] = field(default=())

    def header(self, name: str) -> str:
        return header(self.message, name)


def read(raw: bytes) -> Mail:
    """Never fails because of what the bytes are; what cannot be read is empty."""
    message = _parsed(raw)
    name, address = next(iter(_people(message, "From")), ("", ""))
    return Mail(
        message=message,
        message_id=next(iter(_ids(message, "Message-ID")), ""),
        references=(*_ids(message, "In-Reply-To"), *reversed(_ids(message, "References"))),
        from_email=address,
        from_name=name[:200],
        to=_recipients(message),
        subject=" ".join(header(message, "Subject").split())[:300],
        text=_text(message),
        written_at=_date(message),
        attachments=tuple(_attachments(message)),
    )


def _parsed(raw: bytes) -> Message:
    if raw.lower().count(b"boundary=") > MOST_BOUNDARIES:
        return _head_only(raw)
    try:
        return message_from_bytes(_with_few_parts(raw), policy=POLICY)
    except Exception:  # the parser meets inputs that its authors did not
        return _head_only(raw)


def _with_few_parts(raw: bytes) -> bytes:
    """The email up to its two-thousandth line that could begin a part: each costs the parser a message."""
    found = 0
    for _count in range(MOST_DIVIDERS):
        found = raw.find(b"\n--", found) + 1
        if not found:
            return raw
    return raw[:found]


def _head_only(raw: bytes) -> Message:
    head = re.split(rb"\r?\n\r?\n", raw[:262_144], maxsplit=1)[0]
    plain = re.sub(rb"(?im)^content-[^\n]*\n(?:[ \t][^\n]*\n)*", b"", head + b"\n")
    return message_from_bytes(plain + b"\n", policy=POLICY)


# --- headers ------------------------------------------------------------------------------------------


def clean(text: str) -> str:
    """Without NUL, other controls, and halves of surrogate pairs: a database stores it."""
    return CONTROLS.sub("", text)


def header(message: Message, name: str) -> str:
    """The first header of this name, decoded, in one line; empty when there is none."""
    return next(iter(headers(message, name)), "")


def headers(message: Message, name: str) -> list[str]:
    found = []
    for index, (key, value) in enumerate(message.raw_items()):
        if index > MOST_HEADERS:
            break
        if key.lower() == name.lower():
            found.append(_decoded(name, str(value)[:LONGEST_HEADER]))
    return found


def _decoded(name: str, value: str) -> str:
    unfolded = re.sub(r"\r?\n[ \t]*", " ", value)
    if "=?" not in unfolded:
        return clean(unfolded.encode("utf-8", "surrogateescape").decode("utf-8", "replace")).strip()
    try:
        # As text alone: structured headers are taken apart by us, under limits.
        return clean(str(POLICY.header_factory("Subject", unfolded))).strip()
    except Exception:  # the header parser has its own surprises; the text as it stands says enough
        return clean(unfolded).strip()


def _ids(message: Message, name: str) -> list[str]:
    return [clean(one) for one in MESSAGE_ID.findall(" ".join(headers(message, name)[:3]))]


def _people(message: Message, name: str) -> list[tuple[str, str]]:
    """Names and addresses; an encoded name is decoded after the address is taken apart."""
    found = []
    values = [
        str(value)[:LONGEST_HEADER] for key, value in message.raw_items() if key.lower() == name.lower()
    ]
    for display, address in getaddresses(values[:5])[:MOST_ADDRESSES]:
        if "@" in address:
            found.append((_decoded(name, display), address_of(address)))
    return found


def address_of(text: str) -> str:
    """The address as we keep them: its domain, and what nobody tells apart, in small letters."""
    return clean(text).strip().strip("<>").lower()[:320]


def _recipients(message: Message) -> tuple[str, ...]:
    names = ("Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc")
    return tuple(dict.fromkeys(address for name in names for _name, address in _people(message, name)))


def _date(message: Message) -> datetime | None:
    try:
        at = parsedate_to_datetime(header(message, "Date"))
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


# --- parts --------------------------------------------------------------------------------------------


def parts(message: Message) -> Iterator[Message]:
    """Every part that holds no others, the first 200; messages inside are parts too."""
    for number, part in enumerate(message.walk()):
        if number >= MOST_PARTS:
            return
        yield part


def kind_of(part: Message) -> str:
    try:
        return part.get_content_type()
    except Exception:  # a Content-Type that the parser chokes on says nothing
        return "application/octet-stream"


def is_attached(part: Message) -> bool:
    return header(part, "Content-Disposition").lower().startswith("attachment")


def content(part: Message) -> bytes:
    try:
        payload: Any = part.get_payload(decode=True)
    except Exception:  # broken encodings
        return b""
    return payload if isinstance(payload, bytes) else b""


def text_of(part: Message) -> str:
    """The text of a part, whatever it claims its encoding is; at most MOST_TEXT characters."""
    data = content(part)[: 4 * MOST_TEXT]
    text = data.decode(_charset(part), "replace").replace("\r\n", "\n").replace("\r", "\n")
    return clean(text)[:MOST_TEXT]


def _charset(part: Message) -> str:
    try:
        name = codecs.lookup(str(part.get_content_charset("utf-8"))).name
    except Exception:  # no such encoding, or a name that is none
        return "utf-8"
    return name if CHARSETS.fullmatch(name) else "utf-8"


def _text(message: Message) -> str:
    """The first text part; else the words of the first HTML part. Those of messages inside do not count."""
    html = ""
    for part in _outer(message):
        kind = kind_of(part)
        if is_attached(part):
            continue
        if kind == "text/plain" and (text := text_of(part)).strip():
            return text
        if kind == "text/html" and not html:
            html = words_of_html(text_of(part))[:MOST_TEXT]
    return html


def _outer(message: Message, depth: int = 0) -> Iterator[Message]:
    """Parts of this email, without those of emails it carries."""
    if not message.is_multipart():
        yield message
        return
    if depth > 20 or kind_of(message) == "message/rfc822":
        return
    inside: Any = message.get_payload()
    for part in inside[:MOST_PARTS]:
        yield from _outer(part, depth + 1)


def _attachments(message: Message) -> Iterator[Attached]:
    for part in parts(message):
        if part.is_multipart() or len(header(part, "Content-Disposition")) == 0:
            continue
        try:
            name = part.get_filename() or ""
        except Exception:  # RFC 2231 has many ways to be wrong
            name = ""
        if name or is_attached(part):
            yield Attached(clean(name)[:200], kind_of(part)[:100], len(content(part)) or _told_size(part))


def _told_size(part: Message) -> int:
    """What a part without content says its size is (RFC 2183 2.7): the file stayed with a provider."""
    found = SIZE.search(header(part, "Content-Disposition"))
    return int(found[1]) if found else 0
