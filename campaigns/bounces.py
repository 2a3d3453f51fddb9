"""Reports about our emails: bounces by RFC 3464 and without it, and complaints by RFC 5965. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from enum import StrEnum

from campaigns.mail_reading import Mail, address_of, clean, header, headers, kind_of, parts, text_of

# Our Message-IDs are <delivery id@domain>.
OURS = re.compile(r"\b([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}@[A-Za-z0-9.\-]{1,255})", re.I)
STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
CODE = re.compile(r"(?<![\d.\-])([45]\d\d)[ \-](?=[\dA-Za-z#<])")
ADDRESS = re.compile(r"[\w.+\-=']{1,64}@[A-Za-z0-9.\-]{1,255}\.[A-Za-z]{2,}")

# RFC 3463: the address is none. Others of class 5 are about the message, a policy or a full mailbox.
DEAD = {"5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.4"}
GONE = re.compile(
    r"user unknown|unknown user|no such (?:user|mailbox|recipient|address)"
    r"|(?:user|mailbox|recipient|address|account) (?:does not|doesn'?t) exist"
    r"|(?:user|mailbox|recipient|account) (?:was |is )?(?:not found|unknown|disabled|unavailable|invalid)"
    r"|invalid (?:recipient|mailbox|address)|does not have an? .{0,30}account|wasn'?t found at"
    r"|not our customer|address rejected: (?:access denied|undeliverable)|host (?:or domain name )?not found"
    r"|unbekannter (?:empfänger|benutzer)|existiert nicht|couldn'?t be found|domain .{0,60}does not exist",
    re.I,
)
FULL = re.compile(
    r"(?:mailbox|quota|inbox).{0,30}(?:full|exceed)|over ?quota|out of storage|insufficient storage", re.I
)
REPORTER = re.compile(r"^(?:mailer-daemon|postmaster|mail-daemon|mail\.daemon)@", re.I)
REPORT_SUBJECT = re.compile(
    r"undeliver|delivery (?:status|failure|has failed|incomplete)|failure notice|returned mail|mail delivery"
    r"|nicht zustellbar|unzustellbar|non remis|échec de la remise|no se (?:pudo|puede) entregar|niedostarczon"
    r"|nie można dostarczyć|mancata consegna",
    re.I,
)
DELAY_SUBJECT = re.compile(r"delayed|delay\)|warning: (?:message|could not)|verzögert", re.I)
# RFC 5965 section 7.3 and RFC 6650: types that are no complaint of a person.
NO_COMPLAINT = {"not-spam", "auth-failure", "dkim", "auth", "virus"}


class Verdict(StrEnum):
    HARD = "hard"
    SOFT = "soft"
    DELAY = "delay"
    DELIVERED = "delivered"
    COMPLAINT = "complaint"


@dataclass(frozen=True, slots=True)
class Report:
    """What a server says became of an email. `message_ids` are ours that it mentions, the likeliest first."""

    verdict: Verdict
    recipient: str = ""
    status: str = ""
    reply: str = ""
    message_ids: tuple[str, ...] = ()

    def as_facts(self) -> dict[str, str]:
        facts = {"verdict": self.verdict.value, "recipient": self.recipient, "status": self.status}
        return {name: value for name, value in {**facts, "reply": self.reply}.items() if value}


def report_in(mail: Mail) -> Report | None:
    """The report that this email is, or None."""
    by_kind: dict[str, Message] = {}
    for part in parts(mail.message):
        by_kind.setdefault(kind_of(part), part)
    ids = tuple(dict.fromkeys(_our_ids(mail)))
    if feedback := by_kind.get("message/feedback-report"):
        return _complaint(feedback, mail, ids)
    if status := by_kind.get("message/delivery-status"):
        return _by_status(status, mail, ids)
    return _in_words(mail, ids)


def _our_ids(mail: Mail) -> Iterator[str]:
    """Message-IDs of the email that is reported on, from its own headers before words around them."""
    for part in parts(mail.message):
        if part is not mail.message:
            yield from OURS.findall(header(part, "Message-ID"))
    for part in parts(mail.message):
        if kind_of(part) == "text/rfc822-headers":
            yield from OURS.findall(text_of(part))
    for reference in mail.references:
        yield from OURS.findall(reference)
    for part in parts(mail.message):
        if kind_of(part).startswith("text/"):
            yield from OURS.findall(text_of(part))


# --- RFC 5965 -----------------------------------------------------------------------------------------


def _complaint(part: Message, mail: Mail, ids: tuple[str, ...]) -> Report | None:
    fields = _fields(part)
    kind = fields.get("feedback-type", "abuse").lower()
    if kind in NO_COMPLAINT:
        return None
    recipient = _after_semicolon(fields.get("original-rcpt-to", "")) or _original_to(mail)
    return Report(Verdict.COMPLAINT, recipient, "", f"Feedback-Type: {kind}", ids)


def _fields(part: Message) -> dict[str, str]:
    """Name: value lines, whether the parser took them for headers of a message inside or for text."""
    inside = part.get_payload()
    blocks = [one for one in inside if isinstance(one, Message)] if isinstance(inside, list) else []
    found = {name.lower(): header(block, name) for block in blocks for name in list(block.keys())[:50]}
    for line in text_of(part).split("\n")[:200]:
        name, colon, value = line.partition(":")
        if colon and name.strip() and not name[0].isspace():
            found.setdefault(name.strip().lower(), value.strip())
    return found


def _original_to(mail: Mail) -> str:
    for part in parts(mail.message):
        if part is not mail.message and (found := ADDRESS.search(header(part, "To"))):
            return address_of(found[0])
    return ""


# --- RFC 3464 -----------------------------------------------------------------------------------------


def _by_status(part: Message, mail: Mail, ids: tuple[str, ...]) -> Report | None:
    inside = part.get_payload()
    blocks = [one for one in inside if isinstance(one, Message)] if isinstance(inside, list) else []
    told = [block for block in blocks[:20] if header(block, "Action") or header(block, "Status")]
    if not told:
        return _in_words(mail, ids)
    reports = [_of_recipient(block, ids) for block in told]
    worst = (Verdict.HARD, Verdict.SOFT, Verdict.DELAY, Verdict.DELIVERED)
    return min(reports, key=lambda report: worst.index(report.verdict))


def _of_recipient(block: Message, ids: tuple[str, ...]) -> Report:
    action, reply = header(block, "Action").lower().split(" ")[0], header(block, "Diagnostic-Code")[:500]
    given = STATUS.search(header(block, "Status"))
    status = given[1] if given else ""
    in_reply = STATUS.search(reply)
    if in_reply and (not status or status.endswith(".0.0")):
        status = in_reply[1]  # "5.0.0" only says that it failed
    recipient = header(block, "Original-Recipient") or header(block, "Final-Recipient")
    return Report(_verdict(action, status, reply), _after_semicolon(recipient), status, reply, ids)


def _verdict(action: str, status: str, reply: str) -> Verdict:
    if action in ("delivered", "relayed", "expanded") or (not action and status.startswith("2")):
        return Verdict.DELIVERED
    if action == "delayed":
        return Verdict.DELAY
    return Verdict.HARD if is_dead(status, reply) else Verdict.SOFT


def is_dead(status: str, reply: str) -> bool:
    """Nobody has this address. A full mailbox, a policy or a server that was away is not that."""
    if status in DEAD:
        return not FULL.search(reply)
    if status.startswith("4") or FULL.search(reply):
        return False
    if status and not status.endswith(".0.0") and not status.startswith("5.4"):
        return False
    return bool(GONE.search(reply))


def _after_semicolon(text: str) -> str:
    """The address of "rfc822; ada@example.com"."""
    found = ADDRESS.search(text.rpartition(";")[2])
    return address_of(found[0]) if found else ""


# --- in words alone -----------------------------------------------------------------------------------


def _in_words(mail: Mail, ids: tuple[str, ...]) -> Report | None:
    """A bounce of a server that does not follow RFC 3464: qmail, Exim, Exchange, Gmail's own."""
    failed = [address_of(one) for one in headers(mail.message, "X-Failed-Recipients")]
    is_reporter = bool(REPORTER.match(mail.from_email)) or mail.header("Return-Path") == "<>"
    if not failed and not (is_reporter and REPORT_SUBJECT.search(mail.subject)):
        return None
    text = mail.text[:20_000]
    status, code = STATUS.search(text), CODE.search(text)
    reply = _telling_line(text)
    recipient = failed[0].split(",")[0].strip() if failed else _first_address(text, mail)
    if DELAY_SUBJECT.search(mail.subject):
        return Report(Verdict.DELAY, recipient, status[1] if status else "", reply, ids)
    words = reply or text
    known = status[1] if status else f"{code[1][0]}.0.0" if code else ""
    verdict = Verdict.HARD if is_dead(known, words) else Verdict.SOFT
    return Report(verdict, recipient, status[1] if status else "", reply, ids)


def _telling_line(text: str) -> str:
    """The line that says why, for staff to read."""
    for pattern in (GONE, FULL, STATUS, CODE):
        for line in text.split("\n"):
            if pattern.search(line):
                return clean(line.strip())[:500]
    return ""


def _first_address(text: str, mail: Mail) -> str:
    own = {mail.from_email, *mail.to}
    found = (address_of(one) for one in ADDRESS.findall(text))
    return next((one for one in found if one not in own and not OURS.match(one)), "")
