"""Health, the start page, and the documentation: nothing here asks who you are or tells secrets."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from config.system import health, providers_probe, vendor_health
from voice import status as call_status
from voice import webhook_health as voice_health

SERVICE = "Rapport"


def answer(body: dict[str, Any], *, status: int = 200) -> JsonResponse:
    return JsonResponse(body, status=status, headers={"Cache-Control": "no-store"})


@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """The process answers. Nothing else is asked, so that a slow database restarts nobody."""
    return answer({"status": "alive"})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Every part answers; 503 until it does."""
    found = health.check()
    parts = {part.name: part.state for part in found.parts}
    return answer(
        {"status": "ready" if found.is_ready else "not ready", "parts": parts},
        status=200 if found.is_ready else 503,
    )


@require_safe
def service_health(request: HttpRequest) -> JsonResponse:
    """GET /health, for the persona and the CRM clients: both kinds of keys."""
    found = health.check()
    body = {
        "status": found.status,
        "timestamp": health.now(),
        "services": {
            **{part.name: vendor_health.body(part.state, latency_ms=part.latency_ms) for part in found.parts},
            **vendor_health.services(),
        },
    }
    return answer(body, status=found.http_status)


@require_safe
def webhook_health(request: HttpRequest) -> JsonResponse:
    """GET /api/v1/health, for the webhook clients."""
    found = health.check()
    connected = {"up": "connected", "down": "disconnected"}
    body = {
        "status": found.status,
        "timestamp": health.now(),
        "version": settings.VERSION,
        "dependencies": {
            "database": connected[found.part("database").state],
            "redis": connected[found.part("redis").state],
            "elevenlabs": voice_health.elevenlabs() if found.part("database").is_up else "disconnected",
        },
    }
    return answer(body, status=found.http_status)


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """A page for browsers; for programs, what they are talking to."""
    if request.accepts("text/html") and "text/html" in request.headers.get("Accept", ""):
        return render(request, "system/start.html", {"version": settings.VERSION, "health": health.check()})
    return answer(about())


def about() -> dict[str, Any]:
    """The keys that the documented clients of `GET /` read. Contact data is nobody's business here."""
    return {
        "service": SERVICE,
        "message": SERVICE,
        "version": settings.VERSION,
        "status": "running",
        "docs": "/docs",
        "health": "/health",
        "openapi": "/openapi.json",
        **call_status.documented(),
        "config": {
            "openai_configured": "openai" in providers_probe.addresses(),
            "database_enabled": True,
            **call_status.configured(),
        },
    }
