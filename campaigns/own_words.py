"""Emails in words that an account wrote for one person, in place of the standing campaign's template."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from campaigns import rendering, wording
from campaigns.models import Campaign, EmailContent
from campaigns.rendering import Skeleton
from campaigns.wording import Words
from config.api.models import Account
from crm import contacts

LONGEST = 20_000  # characters
PLACEHOLDERS = {"interview_link": "{{ link }}", "email": "{{ email }}"}
KNOWN = re.compile(r"\{(interview_link|email|follow_up_num)\}")


class RefusedContent(ValueError):  # noqa: N818
    """`str()` says what to change."""


def keep(account: Account, email: str, content: str, *, at: datetime) -> None:
    """Raises RefusedContent, contacts.InvalidAddress."""
    if not content.strip():
        raise RefusedContent("Write something.")
    try:
        wording.check_words(_words("x", "", content, number=1))
    except wording.TemplateError as error:
        raise RefusedContent(str(error)) from None
    contact, _made = contacts.resolve(account, email=email, source="api")
    EmailContent.objects.update_or_create(
        contact=contact, defaults={"account": account, "content": content, "created_at": at}
    )


def _words(subject: str, preheader: str, content: str, *, number: int) -> Words:
    """Only the three documented placeholders mean something; other braces are text."""
    text = content.replace("{{", "{ {").replace("}}", "} }")
    filled = KNOWN.sub(lambda found: PLACEHOLDERS.get(found[1], str(number)), text)
    return Words(subject, preheader, filled)


def texts_for(campaign: Campaign, contact_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Contact → their own text. Only the standing campaign asks for any."""
    if not campaign.is_standing:
        return {}
    rows = EmailContent.objects.filter(account=campaign.account_id, contact__in=list(contact_ids))
    return dict(rows.values_list("contact_id", "content"))


def laid_out(campaign: Campaign, content: str, *, like: Skeleton, number: int) -> Skeleton:
    """The email `like` with this text in place of its own; `number` counts the emails from 1."""
    own = rendering.skeleton_with(campaign, _words("", "", content, number=number))
    return replace(own, subject=like.subject, headers=like.headers)
