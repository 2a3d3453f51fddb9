"""A site of three-line views that fail in every way, under the paths of every family."""

from asgiref.sync import sync_to_async
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import DataError, OperationalError
from django.http import Http404, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_protect
from rest_framework import serializers
from rest_framework.exceptions import Throttled
from rest_framework.views import APIView

from config.api.async_views import async_endpoint
from config.api.authentication import account_of
from config.api.envelope import success
from config.api.errors import ApiError, ConflictError, NotFoundError
from config.api.models import Account, AuditEntry
from config.api.pagination import KeysetPagination, PagePagination
from config.api.parsers import json_body
from config.api.security import capability_page

ERRORS = {
    "bug": lambda: ValueError("secret-in-a-traceback"),
    "conflict": lambda: ConflictError("This talk has ended."),
    "data": lambda: DataError("value too long: secret-in-a-traceback"),
    "database": lambda: OperationalError("could not connect to secret-in-a-traceback"),
    "denied": lambda: PermissionDenied("secret-in-a-traceback"),
    "extra": lambda: ApiError("CALL_LIMIT", "No more calls.", status_code=409, details={"attempts": 3}),
    "http404": lambda: Http404("secret-in-a-traceback"),
    "missing": lambda: NotFoundError("conversation"),
    "number": lambda: OverflowError("Python int too large to convert to SQLite INTEGER"),
    "suspicious": lambda: SuspiciousOperation("secret-in-a-traceback"),
    "throttled": lambda: Throttled(wait=7),
}


class Item(serializers.Serializer):
    text = serializers.CharField()


class Order(serializers.Serializer):
    email = serializers.EmailField()
    items = Item(many=True, required=False)


class Raising(APIView):
    authentication_classes = permission_classes = throttle_classes = ()

    def get(self, request, kind, **_):
        raise ERRORS[kind]()


class Checking(APIView):
    authentication_classes = permission_classes = throttle_classes = ()

    def post(self, request, **_):
        order = Order(data=request.data)
        order.is_valid(raise_exception=True)
        return success(request, order.validated_data, status=201)


class Guarded(APIView):
    required_scope = "things"

    def get(self, request):
        return success(request, {"account": account_of(request).slug})


class Public(APIView):
    authentication_classes = permission_classes = ()

    def get(self, request):
        return success(request, {"accounts": Account.objects.count()})


class Entries(APIView):
    required_scope = "things"
    pager = KeysetPagination

    def get(self, request):
        pager = self.pager()
        rows = AuditEntry.objects.for_account(account_of(request))
        page = pager.paginate_queryset(rows, request, view=self)
        return pager.get_paginated_response([row.action for row in page])


class EntriesByTime(Entries):
    ordering = "-at"


class EntriesByPage(Entries):
    pager = PagePagination


def plain(request, kind):
    raise ERRORS[kind]()


async def plain_async(request, kind):
    raise ERRORS[kind]()


def queries(request):
    Account.objects.count()
    Account.objects.count()
    return JsonResponse(success(request, None).data)


async def queries_async(request):
    await sync_to_async(Account.objects.count)()
    return JsonResponse(success(request, None).data)


@async_endpoint(scope="things", methods=("POST",))
async def ask(request, caller):
    return JsonResponse({"account": caller.account.slug, "asked": json_body(request)})


@async_endpoint()
async def fail_async(request, kind):
    raise ERRORS[kind]()


@capability_page
def page(request):
    return HttpResponse("<p>Hello.</p>")


@capability_page
async def page_async(request):
    return HttpResponse("<p>Hello.</p>")


urlpatterns = [
    path("api/v1/guarded", Guarded.as_view()),
    path("api/v1/public", Public.as_view()),
    path("api/v1/entries", Entries.as_view()),
    path("api/v1/entries-by-time", EntriesByTime.as_view()),
    path("api/v1/entries-by-page", EntriesByPage.as_view()),
    path("api/v1/ask", ask),
    path("async/<kind>", fail_async),
    path("plain/<kind>", plain),
    path("plain-async/<kind>", plain_async),
    path("queries", queries),
    path("queries-async", queries_async),
    path("form", csrf_protect(page)),
    path("admin/page", page),
    path("i/page", page),
    path("i/page-async", page_async),
    path("<path:prefix>/raise/<kind>", Raising.as_view()),
    path("<path:prefix>/check", Checking.as_view()),
]
handler400 = "config.api.handler.bad_request"
handler403 = "config.api.handler.permission_denied"
handler404 = "config.api.handler.not_found"
handler500 = "config.api.handler.server_error"
