"""What the admin pages of voice share: the frame of a page, and who may open it."""

from typing import Any

from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

CALL_COLOURS = {"active": "info", "completed": "success", "failed": "danger"}
STATE_COLOURS = {
    "draft": "default",
    "running": "success",
    "paused": "warning",
    "finished": "primary",
    "cancelled": "danger",
}


def page(
    request: HttpRequest, template: str, context: dict[str, Any], *, about: type[Model] | Model
) -> HttpResponse:
    """A page about a row, or about all rows of a model: the header leads back to it and to its list."""
    frame: dict[str, Any] = {**site.each_context(request), "opts": about._meta}
    if isinstance(about, Model):
        frame |= {"object": about, "show_back_button": True}
    return TemplateResponse(request, template, {**frame, **context})


def must(allowed: bool) -> None:
    if not allowed:
        raise PermissionDenied
