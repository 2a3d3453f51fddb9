"""An address that names no row is not found, also when it is no id at all: `x` where a UUID belongs."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.db.models import Field
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern
from unfold.admin import ModelAdmin

View = Callable[..., HttpResponseBase]


class CheckedIdsAdmin(ModelAdmin):
    """Every page of one object, Django's own and Unfold's actions, refuses what cannot be its id.

    Django itself does so only where it calls `get_object`.
    """

    def get_urls(self) -> list[URLPattern]:
        patterns: list[URLPattern] = super().get_urls()
        for pattern in patterns:
            if "object_id>" in str(pattern.pattern):
                pattern.callback = self._checked(pattern.callback)
        return patterns

    def _checked(self, view: View) -> View:
        key = self.model._meta.pk

        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            # Whoever may not be here is sent to the login first, whatever the address says.
            if self.admin_site.has_permission(request) and not _is_id(kwargs["object_id"], key):
                raise Http404
            return view(request, *args, **kwargs)

        return answer


def _is_id(text: str, key: "Field[Any, Any]") -> bool:
    try:
        key.to_python(unquote(text))
    except (ValidationError, ValueError, OverflowError):
        return False
    return True
