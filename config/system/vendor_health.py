"""The vendors in `GET /health`: Gemini and the S3 store, as the last look in the background found them."""

from typing import Any

from django.db import DatabaseError
from django.utils import timezone

from config.system import providers_probe
from config.system.models import ProviderProbe

# The documented names, and what a look is stored under.
DOCUMENTED = {"gemini_api": "gemini", "s3_storage": providers_probe.STORE}
STALE = 5 * providers_probe.EVERY


def services() -> dict[str, dict[str, Any]]:
    """One query. They change nothing in the overall status: the installation works without either."""
    wanted = providers_probe.probed()
    try:
        probes = {probe.provider: probe for probe in ProviderProbe.objects.filter(provider__in=wanted)}
    except DatabaseError:
        probes = {}
    return {shown: service(probes.get(name), is_set_up=name in wanted) for shown, name in DOCUMENTED.items()}


def service(probe: ProviderProbe | None, *, is_set_up: bool) -> dict[str, Any]:
    if not is_set_up:
        return body("down", error="Not set up.")
    if probe is None or timezone.now() - probe.at > STALE:
        return body("degraded", error="Not looked at in the last minutes.")
    if not probe.is_reachable:
        return body("down", error=f"It {probe.detail}.")
    return body("up", latency_ms=probe.milliseconds)


def body(status: str, *, latency_ms: float | None = None, error: str | None = None) -> dict[str, Any]:
    """A service in its documented keys. There is no pool of connections to tell of."""
    return {
        "status": status,
        "latency_ms": latency_ms,
        "error": error,
        "pool_size": None,
        "pool_free": None,
    }
