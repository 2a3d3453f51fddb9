"""Where staff log in: Django's own page, with a limit on how often one address may try."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from config.api.addresses import client_address, ident_of_address
from config.api.failures import failure_of
from config.api.handler import answer
from config.api.throttling import take

# An office behind one address gets in; nobody gets through a list of passwords.
PER_ADDRESS = {"per_second": 0, "per_minute": 20, "per_hour": 100}


def login(request: HttpRequest) -> HttpResponseBase:
    return refusal(request) or admin.site.login(request)


def refusal(request: HttpRequest) -> HttpResponse | None:
    """Why nothing is tried; None when it may be. Counted here while Redis is away: staff must get in."""
    if request.method != "POST":
        return None
    allowance = take(f"login:{ident_of_address(client_address(request))}", bucket="login", **PER_ADDRESS)
    failure = None if allowance.allowed else failure_of(allowance.refusal())
    return answer(request, failure) if failure else None
