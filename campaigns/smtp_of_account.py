"""The one SMTP server of an account's standing campaign, as the documented API sets it up."""

import asyncio
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from campaigns.models import Campaign, SmtpServer
from campaigns.standing import campaign_of
from config.api.marketing_words import MASK
from config.api.models import Account
from crm import fetching

NAME = "Marketing API"
PORT = 587  # the documented program knows no other


class RefusedServer(ValueError):  # noqa: N818
    """`field` is the one to correct; `str()` says how."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Wanted:
    host: str
    username: str
    password: str
    port: int = PORT
    security: str = SmtpServer.Security.STARTTLS
    from_email: str = ""


def server_of(account: Account) -> SmtpServer | None:
    """The standing campaign's."""
    campaign = Campaign.objects.for_account(account).filter(is_standing=True).select_related("smtp_server")
    found = campaign.first()
    return found.smtp_server if found is not None else None


def set_up(account: Account, wanted: Wanted) -> SmtpServer:
    """Sets it up, or changes it. From then on it is used, also where it was paused. Raises RefusedServer."""
    _check_host(wanted.host)
    return _kept(account, wanted)


@transaction.atomic
def _kept(account: Account, wanted: Wanted) -> SmtpServer:
    campaign = campaign_of(account)
    server = campaign.smtp_server or SmtpServer(account=account, name=NAME)
    if wanted.password != MASK:
        server.password = wanted.password
    elif not server.password:
        raise RefusedServer("password", "No password is stored yet: send the password itself.")
    elif server.host != wanted.host or server.username != wanted.username:
        # Whoever may change the host alone could have the stored password sent to a host of theirs.
        raise RefusedServer("password", "Send the password again: it is kept for this host and user only.")
    server.host, server.port, server.username = wanted.host, wanted.port, wanted.username
    server.security = wanted.security
    server.from_email = _sender(wanted)
    server.is_active, server.paused_until, server.pause_reason = True, None, ""
    server.save()
    if campaign.smtp_server_id != server.pk:
        Campaign.objects.filter(pk=campaign.pk).update(smtp_server=server)
    return server


def _sender(wanted: Wanted) -> str:
    """The documented program sends as its user name."""
    sender = wanted.from_email or wanted.username
    try:
        validate_email(sender)
    except ValidationError:
        words = "The user name is no email address: say with from_email which address sends."
        raise RefusedServer("from_email", words) from None
    return sender


def _check_host(host: str) -> None:
    """In production no server inside our own network: whoever has a key could look around in it."""
    if settings.RAPPORT_ENV != "production":
        return
    name = host.strip("[]").rstrip(".").lower()
    if not _is_outside(name):
        raise RefusedServer("host", "This host is not on the internet. Staff can set it up in the admin.")


def _is_outside(name: str) -> bool:
    try:
        return fetching.is_public(fetching.literal(name))
    except ValueError:
        pass
    if "." not in name or name.endswith((".localhost", ".local", ".internal")):
        return False
    try:
        found = asyncio.run(fetching.addresses_of(name))
    except (OSError, ValueError):  # nobody knows the name now; emails to it wait, and say so
        return True
    return all(map(fetching.is_public, found))
