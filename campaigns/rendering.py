"""Emails from templates: laid out once for a campaign, filled once per person."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.html import escape
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _

from campaigns import matching, mime, placeholders, shown, tracing
from campaigns.models import Campaign, EmailTemplate, Mailbox, SmtpServer
from campaigns.placeholders import Piece
from campaigns.wording import Words, words_of
from config.api.models import Account
from config.api.zones import first_zone
from crm.channels import Content
from crm.contacts import with_ascii_domain
from crm.models import Contact
from personas import speaking

SUBJECT_LIMIT = 250
URL = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]]")
_ANCHOR = '<a href="{{ link }}" target="_blank" rel="noopener">{{ link }}</a>'
LINK = re.compile(r"\{\{\s*link\s*(?:\|[^{}]*)?\}\}", re.I)
# A line that leads to the link: "Begin here: {{ link }}".
LINK_LINE = re.compile(rf"(?P<lead>.*?)\s*{LINK.pattern}\s*[.!]?\s*", re.I)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who an email is from."""

    email: str
    name: str = ""
    reply_to: str = ""
    # Where replies arrive with a tag that names the email.
    mailbox: Mailbox | None = None

    @property
    def domain(self) -> str:
        return self.email.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Email:
    """One email, filled. `wire` is what goes over the wire; `kept` its text without capabilities."""

    to: str
    subject: str
    text: str
    html: str
    message_id: str
    wire: str
    kept: str


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A campaign's email with all that is the same for everybody already in place."""

    sender: Sender
    subject: tuple[Piece, ...]
    text: tuple[Piece, ...]
    html: tuple[Piece, ...]
    language: str
    time_zone: str
    headers: tuple[tuple[str, str], ...] = field(default=())
    tracks_opens: bool = False
    tracks_clicks: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """What is one person's own in an email."""

    email: str
    name: str = ""
    company: str = ""
    link: str = ""
    unsubscribe: str = ""
    expires_at: datetime | None = None
    columns: Mapping[str, object] = field(default_factory=dict)


# --- Laying out -------------------------------------------------------------------------------


def sender_for(account: Account, server: SmtpServer | None) -> Sender:
    if server is None:
        return Sender(settings.DEFAULT_FROM_EMAIL, account.name, account.privacy_contact)
    name, address = server.from_name or account.name, with_ascii_domain(server.from_email)
    return Sender(address, name, server.reply_to, matching.tagging_mailbox(server))


def skeleton_of(campaign: Campaign, template: EmailTemplate | None = None, *, subject: str = "") -> Skeleton:
    """An email of the campaign, ready to be filled: its own template, or another, under another subject.

    It reads the guide, its persona, account and template.
    """
    words = words_of(template or campaign.template)
    return skeleton_with(campaign, replace(words, subject=subject or words.subject))


def skeleton_with(campaign: Campaign, words: Words) -> Skeleton:
    """The same in other words than a template's."""
    guide = campaign.guide
    with translation.override(guide.language):
        label = _("Begin the interview")
    laid_out = lay_out(
        words,
        sender=sender_for(campaign.account, campaign.smtp_server),
        account=campaign.account,
        language=guide.language,
        about={"interviewer": guide.persona.name, "goal": guide.goal, "minutes": str(guide.minutes)},
        button_label=label,
        by_model=speaking.has_model(guide.persona),
    )
    return replace(laid_out, tracks_opens=campaign.track_opens, tracks_clicks=campaign.track_clicks)


def lay_out_content(content: Content, *, contact: Contact, server: SmtpServer | None) -> Skeleton:
    """The layout around words that another app gives; braces in them are only text."""
    language = _known(contact.language or contact.account.language)
    account = contact.account
    body = content.html or _paragraphs(content.text.replace("\r\n", "\n"))
    return lay_out(
        Words("{{ subject }}", "", "{{ body }}", "{{ body }}"),
        sender=sender_for(account, server),
        account=account,
        language=language,
        about={"subject": content.subject, "body": content.text.strip()},
        raw_html={"body": body},
        button_label=content.button_label or (content.button_url and _("Open")),
        is_invitation=False,
    )


def lay_out(
    words: Words,
    *,
    sender: Sender,
    account: Account,
    language: str,
    about: Mapping[str, str],
    raw_html: Mapping[str, str] | None = None,
    button_label: str = "",
    is_invitation: bool = True,
    by_model: bool = False,
) -> Skeleton:
    """The layout around the words. Everything personal stays a placeholder, filled by `fill`.
    `by_model`: the interviewer's words come from an AI model, and the email says so.

    What is the same for everybody (`about`, the account's own lines) goes through placeholders too, so
    that braces in a goal or an address are only text.
    """
    known = {**about, "postal_line": account.postal_line, "privacy_contact": account.privacy_contact}
    known |= {"organisation": account.name, "button_label": button_label}
    marks = {name: _mark(name) for name in placeholders.KNOWN} | {n: _mark(n) for n, v in known.items() if v}
    with translation.override(language):
        kinds = {"is_invitation": is_invitation, "by_model": by_model}
        context = {**marks, **_look(language, account), **kinds}
        html, text = _html(words, context), _text(words, context)
    escaped = {name: str(escape(value)).replace("\n", "<br>") for name, value in known.items()}
    escaped |= raw_html or {}
    return Skeleton(
        sender=sender,
        subject=placeholders.settle(placeholders.parse(words.subject), known),
        text=placeholders.settle(placeholders.parse(text), known),
        html=placeholders.settle(placeholders.parse(html), escaped),
        language=language,
        time_zone=account.time_zone,
        headers=tuple(_headers(sender)),
    )


def in_thread(skeleton: Skeleton, *, message_id: str, subject: str = "") -> Skeleton:
    """The same email as a reply to an earlier one of ours (RFC 5322, 3.6.4), under its subject when given."""
    reply = (("In-Reply-To", message_id), ("References", message_id))
    words: tuple[Piece, ...] = (f"Re: {subject}",) if subject else skeleton.subject
    return replace(skeleton, subject=words, headers=(*skeleton.headers, *reply))


def _mark(name: str) -> str:
    return mark_safe(f"{{{{ {name} }}}}")  # noqa: S308 (our own literal)


def _look(language: str, account: Account) -> dict[str, str]:
    direction = "rtl" if translation.get_language_info(_known(language))["bidi"] else "ltr"
    ink = ink_on(account.accent)
    return {"language": language, "direction": direction, "accent": account.accent, "accent_ink": ink}


def _html(words: Words, context: dict[str, Any]) -> str:
    is_own = bool(words.html.strip())
    body, has_button = (words.html, bool(LINK.search(words.html))) if is_own else _from_text(words, context)
    return render_to_string(
        "campaigns/email.html",
        {
            **context,
            # Placeholders must survive the escaping: braces and bars do.
            "subject": words.subject,
            "preheader": words.preheader,
            "body": mark_safe(body),  # noqa: S308 (checked when it was saved, or escaped by paragraphs)
            "has_button": has_button,
        },
    )


def _text(words: Words, context: dict[str, Any]) -> str:
    has_link = bool(LINK.search(words.text))
    return render_to_string(
        "campaigns/email.txt", {**context, "body": _lines(words), "text_has_link": has_link}
    )


def _known(language: str) -> str:
    codes = {code for code, _name in settings.LANGUAGES}
    return language if language in codes else settings.LANGUAGE_CODE


def _headers(sender: Sender) -> list[tuple[str, str]]:
    headers = [("From", mime.mailbox(sender.email, sender.name, header="From"))]
    if sender.reply_to and sender.mailbox is None:
        headers.append(("Reply-To", mime.mailbox(sender.reply_to)))
    return headers


def _lines(words: Words) -> str:
    return words.text.replace("\r\n", "\n").strip()


def _from_text(words: Words, context: dict[str, Any]) -> tuple[str, bool]:
    """The inside of the HTML part, made from the text; and whether the button stands in it.

    The first line that is or ends with the link becomes the button, below the words that led to it.
    """
    lines = _lines(words).split("\n")
    found = [(at, match) for at, line in enumerate(lines) if (match := LINK_LINE.fullmatch(line))]
    if not found or not context.get("button_label"):
        return _with_links(lines), False
    at, match = found[0]
    before = _with_links([*lines[:at], _leading(match["lead"])])
    button = render_to_string("campaigns/_button.html", context)
    after = _with_links(lines[at + 1 :])
    return f"{before}\n{button}\n{after}", True


def _with_links(lines: list[str]) -> str:
    return LINK.sub(_ANCHOR, _paragraphs("\n".join(lines)))


def _leading(words: str) -> str:
    """Words that led to a link in their line, now that a button follows below."""
    bare = words.strip().rstrip(",;-–—").rstrip()
    return bare if not bare or unicodedata.category(bare[-1]) == "Po" else f"{bare}:"


def _paragraphs(text: str) -> str:
    return "\n".join(_paragraph(one.strip()) for one in re.split(r"\n\s*\n", text) if one.strip())


def _paragraph(text: str) -> str:
    escaped = URL.sub(_anchor, str(escape(text)))
    return f'<p dir="auto">{escaped}</p>'.replace("\n", "<br>")


def _anchor(url: re.Match[str]) -> str:
    return f'<a href="{url[0]}" target="_blank" rel="noopener">{url[0]}</a>'


def ink_on(accent: str) -> str:
    """Black or white, whichever is easier to read on the colour (WCAG relative luminance)."""
    channels = [int(accent[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#ffffff" if 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05 else "#000000"


# --- Filling ----------------------------------------------------------------------------------


def fill(
    skeleton: Skeleton,
    person: Person,
    *,
    delivery_id: UUID,
    is_test: bool = False,
    attachments: Sequence[mime.Attachment] = (),
) -> Email:
    """One person's email. Raises HeaderInjectionError when a value breaks a header's line."""
    values = _values(skeleton, person)
    escaped = {name: str(escape(value)) for name, value in values.items()}
    subject = placeholders.fill(skeleton.subject, values)
    subject = mime.guard(f"[Test] {subject}" if is_test else subject, what="subject")[:SUBJECT_LIMIT]
    text, html = placeholders.fill(skeleton.text, values), placeholders.fill(skeleton.html, escaped)
    message_id = f"<{delivery_id}@{skeleton.sender.domain}>"
    headers = [
        *skeleton.headers,
        ("To", mime.mailbox(person.email, person.name)),
        ("Subject", mime.words(subject, name="Subject")),
        ("Date", mime.date(timezone.now())),
        ("Message-ID", message_id),
        *_reply_headers(skeleton.sender, delivery_id),
        *_unsubscribe_headers(person),
    ]
    if not is_test:
        html = _traced(html, skeleton, person, delivery_id)
    return Email(
        person.email,
        subject,
        text,
        html,
        message_id,
        mime.message(headers, text, html, attachments=attachments),
        shown.without_capabilities(text, person.link, person.unsubscribe),
    )


def _reply_headers(sender: Sender, delivery_id: UUID) -> list[tuple[str, str]]:
    if sender.mailbox is None:
        return []
    return [("Reply-To", mime.mailbox(matching.reply_address(sender.mailbox, delivery_id)))]


def _traced(html: str, skeleton: Skeleton, person: Person, delivery_id: UUID) -> str:
    if not (skeleton.tracks_opens or skeleton.tracks_clicks):
        return html
    own = (person.link, person.unsubscribe)
    opens, clicks = skeleton.tracks_opens, skeleton.tracks_clicks
    return tracing.traced(html, delivery_id, opens=opens, clicks=clicks, untouched=own)


def _unsubscribe_headers(person: Person) -> list[tuple[str, str]]:
    """RFC 8058: both headers, each on one line."""
    if not person.unsubscribe:
        return []
    url = mime.guard(person.unsubscribe, what="unsubscribe link")
    return [("List-Unsubscribe", f"<{url}>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")]


def _values(skeleton: Skeleton, person: Person) -> dict[str, str]:
    columns = {placeholders.column_name(name): str(value) for name, value in person.columns.items()}
    return columns | {
        "name": person.name,
        "first_name": first_name(person.name),
        "email": person.email,
        "company": person.company or columns.get("company", ""),
        "link": person.link,
        "unsubscribe": person.unsubscribe,
        "expires": _day(skeleton, person.expires_at),
    }


def first_name(name: str) -> str:
    """ "Ada" of "Ada Lovelace" and of "Lovelace, Ada"."""
    family, comma, given = name.partition(",")
    return next(iter((given if comma else family).split()), "")


def _day(skeleton: Skeleton, at: datetime | None) -> str:
    if at is None:
        return ""
    with translation.override(skeleton.language):
        return date_format(timezone.localtime(at, first_zone(skeleton.time_zone)), "DATE_FORMAT")


def person_of(
    contact: Contact,
    *,
    email: str,
    columns: Mapping[str, object],
    link: str,
    unsubscribe: str = "",
    expires_at: datetime | None = None,
) -> Person:
    return Person(
        email=email,
        name=contact.name,
        company=contact.company,
        link=link,
        unsubscribe=unsubscribe,
        expires_at=expires_at,
        columns={**contact.fields, **columns},
    )
