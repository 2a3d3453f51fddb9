"""Whether the addresses of the models' providers and of the S3 store answer.

They are looked at in the background, and told of from rows.

A look is one HEAD without a key: no model is called, nothing is paid, and no request waits for a vendor.
Any HTTP answer counts, a refusal too: it says that the network, the name and the certificate are well.
"""

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPException, HTTPMessage
from typing import Any

from django.conf import settings
from django.utils import timezone

from config.system.models import ProviderProbe

EVERY = timedelta(minutes=1)
TIMEOUT = 3  # seconds
# Where an entry of settings.PROVIDERS without a BASE_URL sends its calls.
USUAL_ADDRESSES = {
    "openai": "https://api.openai.com/v1",
    "gemini": "https://generativelanguage.googleapis.com",
    "lyzr": "https://agent-prod.studio.lyzr.ai",
}
STORE = "s3_storage"  # what the look at the store of files is kept under


@dataclass(frozen=True, slots=True)
class Look:
    is_reachable: bool
    milliseconds: int | None
    detail: str


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Where it would lead is not the address that is asked about."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


def addresses() -> dict[str, str]:
    """Provider → address, of those that the installation itself can use."""
    return dict(_set_up())


def _set_up() -> Iterator[tuple[str, str]]:
    for name, entry in settings.PROVIDERS.items():
        address = entry.get("BASE_URL") or ""
        if not address and entry.get("API_KEY"):
            address = USUAL_ADDRESSES.get(_vendor(entry), "")
        if address.startswith(("http://", "https://")):
            yield name, address


def _vendor(entry: dict[str, Any]) -> str:
    """Of "personas.providers.openai.OpenAIProvider": openai."""
    module: str = entry["BACKEND"].rpartition(".")[0]
    return module.rpartition(".")[2]


def probed() -> dict[str, str]:
    """The providers, and the store where one is set up."""
    if not settings.AWS_STORAGE_BUCKET_NAME:
        return addresses()
    usual = f"https://s3.{settings.AWS_S3_REGION_NAME}.amazonaws.com"
    return {**addresses(), STORE: settings.AWS_S3_ENDPOINT_URL or usual}


def is_due() -> bool:
    wanted = probed()
    if not wanted:
        return False
    fresh = ProviderProbe.objects.filter(provider__in=wanted, at__gt=timezone.now() - EVERY)
    return fresh.count() < len(wanted)


def look() -> None:
    """Ask each address once and note what was found; forget providers that are no longer set up."""
    wanted = probed()
    ProviderProbe.objects.exclude(provider__in=wanted).delete()
    for name, address in wanted.items():
        found = look_at(address)
        ProviderProbe.objects.update_or_create(
            provider=name,
            defaults={
                "is_reachable": found.is_reachable,
                "milliseconds": found.milliseconds,
                "detail": found.detail[:200],
                "at": timezone.now(),
            },
        )


def look_at(address: str) -> Look:
    request = urllib.request.Request(address, method="HEAD")  # noqa: S310 (http or https, from settings)
    opener = urllib.request.build_opener(NoRedirects())
    started = time.perf_counter()
    try:
        with opener.open(request, timeout=TIMEOUT):
            pass
    except urllib.error.HTTPError as answer:
        answer.close()
    except (OSError, HTTPException, ValueError) as error:
        # The kind of error only: its text may repeat an address with a credential in it.
        reason = getattr(error, "reason", error)
        return Look(False, None, f"does not answer ({type(reason).__name__})")
    milliseconds = round((time.perf_counter() - started) * 1000)
    return Look(True, milliseconds, "answers")
