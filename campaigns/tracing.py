"""What tracking puts into an email: links that pass by us first, each signed, and a picture. Pure."""

import re
from html import escape, unescape
from urllib.parse import quote
from uuid import UUID

from django.conf import settings

from campaigns import tags

OPEN, CLICK = "open", "click"
HREF = re.compile(r'(<a\b[^<>]*?\bhref=)"(https?://[^"]+)"', re.I)
BODY_END = re.compile(r"</body\s*>", re.I)
LONGEST_URL = 2_000  # characters; a longer link is left as it is


def traced(
    html: str, delivery_id: UUID, *, opens: bool, clicks: bool, untouched: tuple[str, ...] = ()
) -> str:
    """The HTML part with links that pass by us and a picture at its end, as the campaign asks.

    `untouched` are the person's capabilities, which stay as they are, as does what is no web address.
    """
    if clicks:
        html = HREF.sub(lambda found: _rewritten(found, delivery_id, untouched), html)
    if opens:
        picture = f'<img src="{pixel_url(delivery_id)}" width="1" height="1" alt="" style="display:none">'
        end = BODY_END.search(html)
        at = end.start() if end else len(html)
        html = html[:at] + picture + html[at:]
    return html


def _rewritten(found: re.Match[str], delivery_id: UUID, untouched: tuple[str, ...]) -> str:
    url = unescape(found[2])
    if len(url) > LONGEST_URL or url in untouched or url.startswith(f"{settings.PUBLIC_BASE_URL}/"):
        return found[0]
    return f'{found[1]}"{escape(link_url(delivery_id, url))}"'


def pixel_url(delivery_id: UUID) -> str:
    return f"{settings.PUBLIC_BASE_URL}/t/{tags.tag_of(delivery_id, purpose=OPEN)}.gif"


def link_url(delivery_id: UUID, url: str) -> str:
    tag = tags.tag_of(delivery_id, purpose=CLICK, about=url)
    return f"{settings.PUBLIC_BASE_URL}/t/{tag}?to={quote(url, safe='')}"
