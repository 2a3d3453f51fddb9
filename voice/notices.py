"""Emails about an appointment, each with a calendar file (RFC 5545): agreed, moved, cancelled, coming up."""

from datetime import timedelta
from email.utils import parseaddr
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from icalendar import Calendar, Event, vCalAddress

from config.api.zones import first_zone
from crm import consent
from crm.channels import Attachment, Content, channel
from crm.contacts import email_of
from crm.models import AccessLink
from crm.models.consent import Purpose
from crm.models.contacts import Channel
from voice.models import Appointment, TimeSlot

State, Notice = Appointment.State, Appointment.Notice
DUE_FOR = timedelta(days=2)
# Its holder may move or cancel the appointment that `subject` names (voice/pages.py).
LINK_PURPOSE = AccessLink.Purpose.APPOINTMENT


def due() -> list[Any]:
    """Appointments whose email was not handed over, as a worker that was killed leaves them."""
    rows = Appointment.objects.filter(notice=Notice.PENDING, changed_at__gt=timezone.now() - DUE_FOR)
    return list(rows.order_by("changed_at").values_list("pk", flat=True)[:100])


def with_all() -> "QuerySet[Appointment]":
    """Appointments with whatever is told of them, in one query."""
    return Appointment.objects.select_related("account", "contact__account", "slot", "call")


def tell(appointment_id: Any) -> None:
    """Hands over the email about how the appointment stands now. Each version of it is told once."""
    one = with_all().filter(pk=appointment_id, notice=Notice.PENDING).first()
    if one is None:
        return
    may = may_be_told(one)
    # One version: what changes it meanwhile makes an email of its own due.
    rows = Appointment.objects.filter(pk=one.pk, notice=Notice.PENDING, sequence=one.sequence)
    with transaction.atomic():  # the email is a row too, so that both are there or neither
        claimed = rows.update(notice=Notice.QUEUED if may else Notice.IMPOSSIBLE)
        if claimed and may:
            send(one, _kind(one), key=f"appointment:{one.pk}" + (f":{one.sequence}" if one.sequence else ""))


def _kind(one: Appointment) -> str:
    if one.state == State.CANCELLED:
        return "cancelled"
    return "moved" if one.sequence else "agreed"


def may_be_told(one: Appointment) -> bool:
    """It is still ahead, and the person has an address that may be written to."""
    if one.slot.starts_at <= timezone.now():
        return False
    email = email_of(one.contact)
    return consent.may_contact(one.contact, Channel.EMAIL, Purpose.TRANSACTIONAL, address=email).allowed


def send(one: Appointment, kind: str, *, key: str) -> None:
    """At most once by its key: agreed, moved, cancelled, or reminder. Raises what the channel raises."""
    method = "CANCEL" if kind == "cancelled" else "PUBLISH"
    mime = f"text/calendar; method={method}; charset=utf-8"  # RFC 6047: calendars act on it
    channel("email").send(
        one.contact,
        purpose=Purpose.TRANSACTIONAL,
        content=content_of(one, kind, link="" if kind == "cancelled" else _link(one)),
        attachments=[Attachment("interview.ics", mime, calendar_of(one, method=method))],
        key=key,
    )


def _link(one: Appointment) -> str:
    """A page for this appointment alone, until it begins."""
    _row, token = AccessLink.issue(
        one.contact, LINK_PURPOSE, expires_at=one.slot.starts_at, subject={"appointment": str(one.pk)}
    )
    return settings.PUBLIC_BASE_URL + reverse("appointment", args=[token])


# --- words ----------------------------------------------------------------------------------------


def zone_of(one: Appointment) -> ZoneInfo:
    """The one that the times were spoken in; else the person's own."""
    spoken = str(one.call.invitation.get("zone", "")) if one.call else ""
    return first_zone(spoken, one.contact.time_zone, settings.TIME_ZONE)


def written_time(one: Appointment, slot: TimeSlot) -> str:
    zone = zone_of(one)
    local = slot.starts_at.astimezone(zone)
    return f"{local:%A} {local.day} {local:%B %Y}, {local:%H:%M} ({zone.key})"


def _subject_time(one: Appointment) -> str:
    """Short: mail programs cut a subject. With year and zone it stands in the email."""
    local = one.slot.starts_at.astimezone(zone_of(one))
    return f"{local:%A} {local.day} {local:%B}, {local:%H:%M}"


def organisation_of(one: Appointment) -> str:
    return str(one.call.invitation.get("company", "") if one.call else "") or one.account.name


def _facts(one: Appointment) -> dict[str, str]:
    return {
        "name": one.contact.name,
        "company": organisation_of(one),
        "position": str(one.call.invitation.get("position", "")) if one.call else "",
        "time": written_time(one, one.slot),
        "when": _subject_time(one),
    }


def content_of(one: Appointment, kind: str, *, link: str = "") -> Content:
    facts = _facts(one)
    subject, told = _words(kind)
    lines = [
        _("Hello %(name)s,") % facts if facts["name"] else _("Hello,"),
        told % facts,
        _("The attached file takes it out of your calendar.")
        if kind == "cancelled"
        else _("The attached file puts it into your calendar."),
        _("If it does not suit you any more, change or cancel it with the link below.") if link else "",
        facts["company"],
    ]
    return Content(
        subject=subject % facts,
        text="\n\n".join(filter(None, lines)),
        button_url=link,
        button_label=_("Change or cancel") if link else "",
    )


def _words(kind: str) -> tuple[str, str]:
    """Subject and first sentence."""
    if kind == "moved":
        return _("New time of your interview: %(when)s"), _("your interview now takes place on %(time)s.")
    if kind == "cancelled":
        return _("Cancelled: your interview on %(when)s"), _("your interview on %(time)s is cancelled.")
    if kind == "reminder":
        return _("Reminder: your interview, %(when)s"), _("your interview is coming up: %(time)s.")
    return (
        _("Your interview: %(when)s"),
        _("on the phone we agreed on a time for your interview: %(time)s."),
    )


def calendar_of(one: Appointment, *, method: str = "PUBLISH") -> bytes:
    """The same UID for the appointment's whole life; the higher SEQUENCE replaces the lower (RFC 5546)."""
    facts = _facts(one)
    event = Event()
    event.add("uid", f"{one.pk}@{settings.MAIL_DOMAIN}")
    event.add("sequence", one.sequence)
    event.add("dtstamp", one.changed_at)
    event.add("organizer", vCalAddress(f"mailto:{parseaddr(settings.DEFAULT_FROM_EMAIL)[1]}"))
    event.add("dtstart", one.slot.starts_at)
    event.add("dtend", one.slot.ends_at)
    about = ", ".join(filter(None, (facts["position"], facts["company"])))
    event.add("summary", _("Interview: %(about)s") % {"about": about})
    event.add("status", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    calendar = Calendar()
    calendar.add("prodid", "-//Rapport//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(event)
    return bytes(calendar.to_ical())
