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


def union_body(data: Any, message: str = "", *, succeeded: bool = True, **more: Any) -> dict[str, Any]:
    """What both kinds of CRM clients read: the documented keys, and those of its public implementation.

    `more` is for what they read at the top level (`total`, `affected_records`).
    """
    metadata = response_metadata()
    return {
        "success": succeeded,
        "message": message,
        "data": data,
        **more,
        "error": None,
        "timestamp": metadata["timestamp"],
        "metadata": metadata,
    }


def answered(data: Any, message: str = "", *, succeeded: bool = True, **more: Any) -> Response:
    """`union_body` as a response. It is personal, so nobody keeps it."""
    content = union_body(data, message, succeeded=succeeded, **more)
    return Response(content, headers={"Cache-Control": "no-store"})
