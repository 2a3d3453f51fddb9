"""Words of emails as they may be kept and shown: no link in them opens anything."""

import re
from urllib.parse import urlsplit

from config.logs import redact

# A piece of a path or query that looks like a token: nobody types 22 such characters by hand.
TOKEN = re.compile(r"(?<=[/=])[A-Za-z0-9_\-.~]{22,}")
URL = re.compile(r"https?://[^\s<>\"'\[\]]+")


def without_capabilities(text: str, *links: str) -> str:
    """The text with these links, and any other that holds a token, cut after their host or before it.

    Whoever reads a kept email or a reply that quotes one must not get into a person's interview.
    """
    for link in filter(None, links):
        address = urlsplit(link)
        text = text.replace(link, f"{address.scheme}://{address.netloc}/…")
    return URL.sub(lambda url: TOKEN.sub("…", url[0]), redact(text))
