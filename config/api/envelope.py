"""The body of success, as the CRM API documents it and all our own APIs use it."""

from typing import Any

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.metadata import response_metadata


def body(data: Any, **more: Any) -> dict[str, Any]:
    """`{"success": true, "data": …, "metadata": {…}}`; `more` goes between data and metadata."""
    return {"success": True, "data": data, **more, "metadata": response_metadata()}


def success(request: Request | HttpRequest, data: Any, status: int = 200) -> Response:
    return Response(body(data), status=status)
