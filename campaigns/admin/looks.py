"""What the admin pages of campaigns share: colours of states, bars, confirmation pages."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.admin import site
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

CAMPAIGN_COLOURS = {
    "draft": "default",
    "scheduled": "info",
    "running": "success",
    "paused": "warning",
    "finished": "primary",
    "cancelled": "danger",
}
DELIVERY_COLOURS = {
    "queued": "default",
    "claimed": "info",
    "in_data": "info",
    "sent": "success",
    "deferred": "warning",
    "failed": "danger",
    "unknown": "danger",
    "cancelled": "default",
    # what was heard since it was sent
    "bounced": "danger",
    "complained": "danger",
}


def key_in(text: str) -> int:
    """The key of a row as an address names it; 0, which no row has, for what is none."""
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def bar(done: int, total: int) -> SafeString:
    """A bar with its number, which also says it to those who do not see the bar."""
    label = _("%(done)s of %(total)s") % {"done": done, "total": total}
    return format_html(
        '<progress class="rc-bar" max="{}" value="{}" aria-label="{}"></progress> <span>{}</span>',
        max(total, 1),
        done,
        label,
        label,
    )


def moment(at: datetime | None) -> str:
    """Relative within a day, absolute after."""
    if at is None:
        return "–"
    if abs(timezone.now() - at) < timedelta(days=1):
        return str(naturaltime(at))
    return date_format(timezone.localtime(at), "j M Y, H:i")


def page(
    request: HttpRequest, template: str, context: dict[str, Any], *, about: Model, status: int = 200
) -> HttpResponse:
    """A page about one row: the header leads back to it and to its list."""
    frame = {**site.each_context(request), "object": about, "opts": about._meta, "show_back_button": True}
    return TemplateResponse(request, template, {**frame, **context}, status=status)


def confirmation(
    request: HttpRequest, *, about: Model, title: str, question: str, button: str, back: str
) -> HttpResponse:
    context = {"title": title, "question": question, "button": button, "back": back}
    return page(request, "admin/campaigns/confirm.html", context, about=about)
