"""The unsubscribe page. Opening it changes nothing: mail scanners open every link."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from campaigns import unsubscribing
from config.api.security import capability_page
from crm import links
from crm.models import AccessLink
from interviews.languages import spoken

ONE_CLICK = "One-Click"


# RFC 8058: the POST comes from a mail provider, without login, cookie or CSRF token. The link is the key.
@csrf_exempt
@capability_page
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    link = links.find(token, AccessLink.Purpose.UNSUBSCRIBE)
    if link is None or not links.is_in_force(link):
        return render(request, "campaigns/unsubscribe.html", {"state": "gone"}, status=404)
    with translation.override(spoken(link.contact.language or link.account.language)):
        return _answer(request, link)


def _answer(request: HttpRequest, link: AccessLink) -> HttpResponse:
    if request.method != "POST":
        return _page(request, link, "done" if unsubscribing.is_unsubscribed(link) else "ask")
    if request.POST.get("List-Unsubscribe") == ONE_CLICK:
        unsubscribing.unsubscribe(link, how="one click")
        return HttpResponse("Unsubscribed.", content_type="text/plain")
    if request.POST.get("undo"):
        unsubscribing.undo(link)
        return _page(request, link, "done" if unsubscribing.is_unsubscribed(link) else "undone")
    unsubscribing.unsubscribe(link, how="page")
    return _page(request, link, "done")


def _page(request: HttpRequest, link: AccessLink, state: str) -> HttpResponse:
    context = {"state": state, "organisation": link.account.name, "address": unsubscribing.address_of(link)}
    return render(request, "campaigns/unsubscribe.html", context)
