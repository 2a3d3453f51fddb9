"""The email after a call that agreed on a time, with a calendar file (RFC 5545)."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from icalendar import Calendar, Event

from config.api.zones import first_zone
from crm import consent
from crm.channels import Attachment, Content, channel
from crm.contacts import email_of
from crm.models.consent import Purpose
from crm.models.contacts import Channel
from voice.models import Appointment

State, Notice = Appointment.State, Appointment.Notice
DUE_FOR = timedelta(days=2)


def due() -> list[Any]:
    """Appointments whose email was not handed over, as a worker that was killed leaves them."""
    rows = Appointment.objects.filter(
        notice=Notice.PENDING, state=State.BOOKED, booked_at__gt=timezone.now() - DUE_FOR
    )
    return list(rows.order_by("booked_at").values_list("pk", flat=True)[:100])


def tell(appointment_id: Any) -> None:
    """Hands the email over, at most once: the channel knows it by its key."""
    rows = Appointment.objects.select_related("contact__account", "slot", "call")
    one = rows.filter(pk=appointment_id, notice=Notice.PENDING, state=State.BOOKED).first()
    if one is None:
        return
    email = email_of(one.contact)
    may = consent.may_contact(one.contact, Channel.EMAIL, Purpose.TRANSACTIONAL, address=email).allowed
    if may:
        channel("email").send(
            one.contact,
            purpose=Purpose.TRANSACTIONAL,
            content=content_of(one),
            attachments=[Attachment("interview.ics", "text/calendar", calendar_of(one))],
            key=f"appointment:{one.pk}",
        )
    state = Notice.QUEUED if may else Notice.IMPOSSIBLE
    Appointment.objects.filter(pk=one.pk, notice=Notice.PENDING).update(notice=state)


def _facts(one: Appointment) -> dict[str, str]:
    invitation = one.call.invitation if one.call else {}
    zone = first_zone(str(invitation.get("zone", "")))
    local = one.slot.starts_at.astimezone(zone)
    return {
        "name": one.contact.name,
        "company": str(invitation.get("company", "")),
        "position": str(invitation.get("position", "")),
        "time": f"{local:%A} {local.day} {local:%B %Y}, {local:%H:%M} ({zone.key})",
    }


def content_of(one: Appointment) -> Content:
    facts = _facts(one)
    subject = _("Your interview: %(time)s") % facts
    lines = [
        _("Hello %(name)s,") % facts if facts["name"] else _("Hello,"),
        _("on the phone we agreed on a time for your interview: %(time)s.") % facts,
        _("The attached file puts it into your calendar."),
        facts["company"],
    ]
    return Content(subject=subject, text="\n\n".join(filter(None, lines)))


def calendar_of(one: Appointment) -> bytes:
    facts = _facts(one)
    event = Event()
    event.add("uid", f"{one.pk}@{settings.MAIL_DOMAIN}")
    event.add("dtstamp", one.booked_at)
    event.add("dtstart", one.slot.starts_at)
    event.add("dtend", one.slot.ends_at)
    event.add("summary", _("Interview: %(position)s, %(company)s") % facts)
    calendar = Calendar()
    calendar.add("prodid", "-//Rapport//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add_component(event)
    return bytes(calendar.to_ical())
