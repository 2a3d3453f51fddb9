"""Asks the running installation whether every part answers, as a client would: over HTTP."""

import http.client
import json
from dataclasses import dataclass

from django.conf import settings
from django.http.request import validate_host

TIMEOUT = 5  # seconds


@dataclass(frozen=True, slots=True)
class Answer:
    is_ready: bool
    why_not: str


def ask() -> Answer:
    """What GET /ready says."""
    connection = http.client.HTTPConnection(_reachable(settings.HOST), settings.PORT, timeout=TIMEOUT)
    try:
        connection.request("GET", "/ready", headers={"Host": known_host()})
        response = connection.getresponse()
        body = json.loads(response.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Answer(is_ready=False, why_not=f"web does not answer ({type(error).__name__})")
    finally:
        connection.close()
    if response.status == 200:
        return Answer(is_ready=True, why_not="")
    missing = [name for name, state in body.get("parts", {}).items() if state != "up"]
    return Answer(is_ready=False, why_not=f"no answer came yet from {', '.join(missing) or 'a part'}")


def known_host() -> str:
    """A host name that this installation answers to, whichever it is reached by."""
    names = (settings.PUBLIC_HOST, "127.0.0.1", *(name.lstrip(".") for name in settings.ALLOWED_HOSTS))
    return next((name for name in names if validate_host(name, settings.ALLOWED_HOSTS)), "127.0.0.1")


def _reachable(host: str) -> str:
    """An address that listens everywhere is asked on loopback."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (compared, not bound)
