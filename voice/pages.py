"""The page of one appointment: another time, or none. Opening it changes nothing: mail scanners do."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from config.api.security import capability_page
from crm import links
from voice import booking, notices
from voice.models import Appointment
from voice.offering import open_slots

TEMPLATE = "voice/appointment.html"


# The token in the address is the credential, and no cookie is believed: nobody can be made to send it.
@csrf_exempt
@capability_page
@require_http_methods(["GET", "HEAD", "POST"])
def appointment(request: HttpRequest, token: str) -> HttpResponse:
    one = _of(token)
    if one is None:
        return render(request, TEMPLATE, {"state": "gone"}, status=404)
    if request.method != "POST" or _state(one) != "booked":
        return _page(request, one)
    if request.POST.get("cancel"):
        booking.cancel(one)
        return _page(request, _again(one))
    try:
        moved = booking.move(one, request.POST.get("slot", ""))
    except booking.SlotTaken:
        words = _("That time is not free any more. Choose another one; yours is still kept.")
        return _page(request, one, trouble=words, status=409)
    return _page(request, _again(one), done=_("Your interview was moved.") if moved else "")


def _of(token: str) -> Appointment | None:
    """Told nothing of: a link that ran out, of another purpose, or whose appointment is another person's."""
    link = links.find(token, notices.LINK_PURPOSE)
    if link is None or not links.is_in_force(link):
        return None
    rows = notices.with_all().filter(contact=link.contact_id, account=link.account_id)
    return rows.filter(pk=link.subject.get("appointment")).first()


def _again(one: Appointment) -> Appointment:
    return notices.with_all().get(pk=one.pk)


def _state(one: Appointment) -> str:
    if one.state == Appointment.State.CANCELLED:
        return "cancelled"
    return "booked" if one.slot.starts_at > timezone.now() else "past"


def _page(
    request: HttpRequest, one: Appointment, *, done: str = "", trouble: str = "", status: int = 200
) -> HttpResponse:
    state = _state(one)
    context = {
        "state": state,
        "organisation": notices.organisation_of(one),
        "time": notices.written_time(one, one.slot),
        "days": _others(one) if state == "booked" else [],
        "zone": notices.zone_of(one).key,
        "done": done,
        "trouble": trouble,
    }
    return render(request, TEMPLATE, context, status=status)


def _others(one: Appointment) -> list[tuple[str, list[tuple[str, str]]]]:
    """The other times that are free, each once, by day: ids and words. At most booking.MOST_OFFERED."""
    zone = notices.zone_of(one)
    days: dict[str, list[tuple[str, str]]] = {}
    for slot in open_slots(booking.slots_of(one.account), now=timezone.now()):
        if slot.starts_at == one.slot.starts_at:
            continue
        at = slot.starts_at.astimezone(zone)
        days.setdefault(f"{at:%A} {at.day} {at:%B %Y}", []).append((slot.id, f"{at:%H:%M}"))
    return list(days.items())
