"""Where rewritten links and the picture of an email lead. They note a hint, and change nothing else."""

import base64

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.views.decorators.http import require_safe

from campaigns import tracking
from campaigns.tracking import Hit
from config.api.security import capability_page

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


@capability_page
@require_safe
def link(request: HttpRequest, tag: str) -> HttpResponse:
    """On to the address that was signed for this email; anything else is not here."""
    url = request.GET.get("to", "")
    delivery_id = tracking.destination(tag, url)
    if delivery_id is None:
        raise Http404
    tracking.clicked(delivery_id, url, _hit(request))
    return HttpResponseRedirect(url)


@capability_page
@require_safe
def pixel(request: HttpRequest, tag: str) -> HttpResponse:
    """One transparent dot, for a tag that we signed."""
    if not tracking.opened(tag, _hit(request)):
        raise Http404
    return HttpResponse(PIXEL, content_type="image/gif")


def _hit(request: HttpRequest) -> Hit:
    agent = request.headers.get("User-Agent", "")[:500]
    return Hit(is_head=request.method == "HEAD", user_agent=agent, at=timezone.now())
