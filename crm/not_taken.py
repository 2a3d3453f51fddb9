"""What a person wrote in a form and was not taken: why, on a page that gives the words back."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from crm import talk
from crm.api.chat import wants_events
from crm.assistant_values import theme_of


class NotTakenError(Exception):
    """Its text is for people."""


def wants_json(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("Accept", "")


def refused(
    request: HttpRequest,
    refusal: NotTakenError,
    *,
    back: str,
    base: str = "crm/assistant_base.html",
    **more: Any,
) -> HttpResponse:
    """400: for a script as JSON, else a page of the design `base` that leads `back`."""
    if wants_events(request) or wants_json(request):
        return JsonResponse({"message": str(refusal)}, status=400)
    text = request.POST.get("text", "")[: talk.LONGEST_TEXT]
    values = {"problem": str(refusal), "text": text, "base": base, "back": back}
    return render(
        request, "crm/refused.html", {**values, **more, "theme": theme_of(request.COOKIES)}, status=400
    )
