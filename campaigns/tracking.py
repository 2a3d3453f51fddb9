"""Opens and clicks of campaigns that ask for it: hints about people, never more, and scanners told apart.

A link is rewritten only to an address we signed for this email; any other is answered like a page that is
not there. What is stored of a hit: when, which address, and whether a scanner made it. No IP address, no
browser. (docs/inbound-and-tracking.md)
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from django.db import transaction

from campaigns import hearing, tags
from campaigns.hearing import Heard
from campaigns.models import Delivery, EmailEvent
from campaigns.tracing import CLICK, LONGEST_URL, OPEN

Kind = EmailEvent.Kind
MOST_EVENTS = 200  # of one email: whoever repeats a link for ever fills no table

# A person needs longer than this from our server's 250 to their click; gateways look at once.
TOO_SOON = timedelta(seconds=8)
# Nobody opens so many different links of one email within so short a time.
MANY_LINKS, MANY_WITHIN = 3, timedelta(seconds=5)
SCANNERS = re.compile(
    r"bot\b|crawl|spider|scan|barracuda|mimecast|proofpoint|safelinks|symantec|trend ?micro|fortinet|sophos"
    r"|cisco|ironport|zscaler|checkpoint|virustotal|urldefense|bitdefender|kaspersky|slackbot|linkpreview"
    r"|headless|phantom|python|curl|wget|go-http|java/|okhttp|libwww|node|axios|facebookexternalhit|preview",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Hit:
    """One request for a link or picture: what tells people from scanners, and is not stored."""

    is_head: bool
    user_agent: str
    at: datetime


def destination(tag: str, url: str) -> UUID | None:
    """The email whose link this is, when we signed exactly this address for it."""
    if len(url) > LONGEST_URL or urlsplit(url).scheme not in ("http", "https"):
        return None
    return tags.delivery_of(tag, purpose=CLICK, about=url)


def opened(tag: str, hit: Hit) -> bool:
    """Notes that the picture was asked for. False for a tag that we did not sign."""
    delivery_id = tags.delivery_of(tag, purpose=OPEN)
    if delivery_id is not None:
        _note(delivery_id, Kind.OPENED, hit, detail="")
    return delivery_id is not None


def clicked(delivery_id: UUID, url: str, hit: Hit) -> None:
    """Notes that a link was asked for. The host and path are kept; a query may hold secrets."""
    address = urlsplit(url)
    _note(delivery_id, Kind.CLICKED, hit, detail=f"{address.scheme}://{address.netloc}{address.path}"[:500])


@transaction.atomic
def _note(delivery_id: UUID, kind: Kind, hit: Hit, *, detail: str) -> None:
    delivery = Delivery.objects.select_related("campaign").defer("rendered").filter(pk=delivery_id).first()
    if delivery is None or EmailEvent.objects.filter(delivery=delivery).count() >= MOST_EVENTS:
        return
    is_bot = _is_scanner(delivery, hit) or (
        kind == Kind.CLICKED and _is_one_of_many(delivery, detail, hit.at)
    )
    hearing.note(delivery, kind, Heard("page", uuid4().hex, hit.at, detail), is_bot=is_bot)


def _is_scanner(delivery: Delivery, hit: Hit) -> bool:
    if hit.is_head or not hit.user_agent or SCANNERS.search(hit.user_agent):
        return True
    return delivery.sent_at is None or hit.at - delivery.sent_at < TOO_SOON


def _is_one_of_many(delivery: Delivery, detail: str, at: datetime) -> bool:
    """Several different links at once: a scanner, and so were the hits just before."""
    recent = EmailEvent.objects.filter(delivery=delivery, kind=Kind.CLICKED, at__gte=at - MANY_WITHIN)
    links = {*recent.values_list("detail", flat=True), detail}
    if len(links) < MANY_LINKS:
        return False
    recent.update(is_bot=True)
    people = EmailEvent.objects.filter(delivery=delivery, kind=Kind.CLICKED, is_bot=False).order_by("at")
    first = people.values_list("at", flat=True).first()
    Delivery.objects.filter(pk=delivery.pk).update(clicked_at=first)
    return True


def told(delivery: Delivery, what: str, heard: Heard, *, user_agent: str) -> None:
    """The same from a provider that tracks by itself; kept only when the campaign asks for it."""
    campaign = delivery.campaign
    wanted = campaign is not None and (campaign.track_opens if what == "opened" else campaign.track_clicks)
    if wanted:
        hit = Hit(is_head=False, user_agent=user_agent or "unknown", at=heard.at)
        hearing.note(delivery, what, heard, is_bot=_is_scanner(delivery, hit))
