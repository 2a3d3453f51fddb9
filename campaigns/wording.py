"""What a template must be before it is kept, and what could be better about it."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Q
from django.utils.translation import gettext as _

from campaigns import mime, placeholders
from campaigns.models import Campaign, ContactImport, EmailTemplate
from campaigns.placeholders import PlaceholderError
from config.api.models import Account

SUBJECT_LENGTH = 60  # characters a phone shows
HTML_BYTES = 30_000
# What would run, load or send something, or escape the layout around it.
REFUSED_TAGS = re.compile(
    r"<\s*/?\s*(html|head|body|script|style|iframe|frame|object|embed|form|input|button|link|base|meta|svg)\b",
    re.I,
)
# From the nearest "<" alone: from each of many the rest would be looked through anew.
REFUSED_ATTRIBUTES = re.compile(
    r"<[^<>]*\s(on[a-z]+\s*=|[a-z]+\s*=\s*(?:[\"']\s*)?(javascript|vbscript|data)\s*:)", re.I
)


class TemplateError(ValueError):
    """A template cannot be used. `field` is the one to correct; `str()` says how."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Words:
    """What a template says, before it is laid out."""

    subject: str
    preheader: str
    text: str
    html: str = ""


def check_words(words: Words, *, columns: Collection[str] = ()) -> list[str]:
    """What could be better about a template. Raises TemplateError for what must be."""
    for name in ("subject", "preheader", "text", "html"):
        try:
            placeholders.check(getattr(words, name), columns=columns)
        except PlaceholderError as error:
            raise TemplateError(name, str(error)) from None
    _check_subject(words)
    _check_html(words.html)
    if not words.text.strip():
        raise TemplateError("text", _("Write the email's text: some people read only that."))
    return _advice(words)


def _check_subject(words: Words) -> None:
    if not words.subject.strip():
        raise TemplateError("subject", _("An email needs a subject."))
    for name in ("subject", "preheader"):
        try:
            mime.guard(getattr(words, name), what=name)
        except mime.HeaderInjectionError as error:
            raise TemplateError(name, str(error)) from None
    used = placeholders.names_in(words.subject) & {"link", "unsubscribe"}
    if used:
        raise TemplateError("subject", _("A link has no place in the subject."))


def _check_html(html: str) -> None:
    tag = REFUSED_TAGS.search(html)
    if tag:
        raise TemplateError(
            "html",
            _("Leave out <%(tag)s>: write only the inside of the email; frame and button are made for you.")
            % {"tag": tag[1].lower()},
        )
    if REFUSED_ATTRIBUTES.search(html):
        raise TemplateError(
            "html", _("Leave out scripts: no mail program runs them, and filters reject them.")
        )


def _advice(words: Words) -> list[str]:
    advice = []
    if len(placeholders.PLACEHOLDER.sub("xxxxxx", words.subject)) > SUBJECT_LENGTH:
        advice.append(_("The subject is longer than 60 characters; phones will cut it."))
    if not words.preheader:
        advice.append(_("There is no preheader, the line that inboxes show after the subject."))
    if len(words.html.encode()) > HTML_BYTES:
        advice.append(_("The HTML is larger than 30 KB; some mail programs will cut it."))
    return advice


def words_of(template: EmailTemplate) -> Words:
    return Words(template.subject, template.preheader, template.text, template.html)


def columns_of(account: Account) -> set[str]:
    """Columns that the account's latest imports brought, as templates call them."""
    mappings = (
        ContactImport.objects.for_account(account)
        .order_by("-created_at")
        .values_list("mapping", flat=True)[:50]
    )
    return {name for mapping in mappings for name in mapping.values() if name}


def check_campaign(campaign: Campaign) -> list[str]:
    """The same for all templates of a campaign, with the columns its own account brought."""
    columns = columns_of(campaign.account)
    advice = check_words(words_of(campaign.template), columns=columns)
    for template in _other_templates(campaign):
        try:
            more = check_words(words_of(template), columns=columns)
        except TemplateError as error:
            raise TemplateError(error.field, f"“{template.name}”: {error}") from None
        advice += [f"“{template.name}”: {one}" for one in more]
    return advice


def _other_templates(campaign: Campaign) -> list[EmailTemplate]:
    """Of the follow-ups and of an A/B test's other version."""
    of_campaign = Q(steps__campaign=campaign.pk) | Q(split_tests__campaign=campaign.pk)
    return list(EmailTemplate.objects.filter(of_campaign).exclude(pk=campaign.template_id).distinct())
