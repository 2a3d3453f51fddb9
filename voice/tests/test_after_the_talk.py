"""After the talk: the page to move or cancel an appointment, and the emails and calendars that follow."""

import email
import email.policy
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone
from icalendar import Calendar

from campaigns.models import Delivery
from config.logs import redact
from crm import consent
from crm.models import AccessLink, TimelineEntry
from tests.factories import make_account, make_contact
from voice import booking, notices
from voice.models import Appointment, TimeSlot
from voice.tests.conftest import make_callee, make_slots
from voice.tests.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def strict():
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def slots(account):
    return make_slots(account, 3)


@pytest.fixture
def booked(ring, account, slots):
    line = ring(make_callee(account, email="ada@example.com", name="Ada", time_zone="Europe/Berlin"))
    line.answer()
    for key in ("1", "1", "1"):
        line.press(key)
    return Appointment.objects.get()


def letters():
    """The emails so far, the oldest first."""
    wires = Delivery.objects.order_by("id").values_list("rendered", flat=True)
    return [email.message_from_string(wire, policy=email.policy.default) for wire in wires]


def path_in(letter):
    text = letter.get_body(("plain",)).get_content()
    return re.search(r"http://testserver(/a/\S+)", text)[1]


def calendar_in(letter):
    (file,) = [part for part in letter.walk() if part.get_content_type() == "text/calendar"]
    calendar = Calendar.from_ical(file.get_content())
    assert file.get_param("method") == calendar["method"]
    return calendar


def entry_in(letter):
    (entry,) = calendar_in(letter).walk("VEVENT")
    return entry


@pytest.fixture
def path(booked):
    return path_in(letters()[0])


def test_opening_the_link_shows_the_time_and_changes_nothing(strict, path, booked):
    before = Appointment.objects.values().get()
    response = strict.get(path)
    strict.head(path)
    page = response.content.decode()
    assert response.status_code == 200
    assert notices.written_time(booked, booked.slot) in page
    assert "Acme &amp; Sons" in page
    assert Appointment.objects.values().get() == before
    assert AccessLink.objects.get().first_opened_at is None
    assert response["Referrer-Policy"] == "no-referrer"
    assert "no-store" in response["Cache-Control"]
    assert not response.cookies
    assert "<script" not in page


def test_it_is_moved_to_another_time(strict, path, booked, slots):
    response = strict.post(path, {"slot": str(slots[2].pk)})
    booked.refresh_from_db()
    assert booked.slot == slots[2]
    page = response.content.decode()
    assert "Your interview was moved." in page
    assert notices.written_time(booked, slots[2]) in page
    assert slots[0] in TimeSlot.objects.open()
    assert TimelineEntry.objects.get(kind="appointment_moved").contact == booked.contact


def test_the_calendar_entry_moves_with_it(strict, path, booked, slots):
    strict.post(path, {"slot": str(slots[2].pk)})
    first, second = map(entry_in, letters())
    assert first["uid"] == second["uid"]
    assert (first["sequence"], second["sequence"]) == (0, 1)
    assert second.decoded("dtstart") == slots[2].starts_at
    assert letters()[1]["Subject"].startswith("New time of your interview")


def test_the_new_email_has_a_link_of_its_own(strict, path, booked, slots):
    strict.post(path, {"slot": str(slots[2].pk)})
    new = path_in(letters()[1])
    assert new != path
    assert strict.post(new, {"cancel": "1"}).status_code == 200
    assert Appointment.objects.get().state == "cancelled"


def test_it_is_cancelled_and_taken_out_of_the_calendar(strict, path, booked):
    response = strict.post(path, {"cancel": "1"})
    assert b"Your interview is cancelled" in response.content
    booked.refresh_from_db()
    assert (booked.state, booked.notice, booked.remind_at) == ("cancelled", "queued", None)
    letter = letters()[1]
    assert calendar_in(letter)["method"] == "CANCEL"
    assert (entry_in(letter)["status"], entry_in(letter)["sequence"]) == ("CANCELLED", 1)
    assert entry_in(letter)["uid"] == entry_in(letters()[0])["uid"]
    assert str(entry_in(letter)["organizer"]).startswith("mailto:")
    assert "/a/" not in letter.get_body(("plain",)).get_content()
    assert booked.slot in TimeSlot.objects.open()


def test_a_cancelled_one_is_not_moved_and_not_cancelled_again(strict, path, booked, slots):
    strict.post(path, {"cancel": "1"})
    for data in ({"cancel": "1"}, {"slot": str(slots[1].pk)}):
        assert b"Your interview is cancelled" in strict.post(path, data).content
    booked.refresh_from_db()
    assert (booked.state, booked.slot, booked.sequence) == ("cancelled", slots[0], 1)
    assert Delivery.objects.count() == 2


@pytest.mark.parametrize("kind", ["agreed", "moved", "cancelled", "reminder"])
def test_every_subject_can_be_read_whole(booked, kind):
    """Mail programs on a phone cut subjects; the time with its year and zone is in the email itself."""
    longest = datetime(2027, 9, 29, 22, tzinfo=UTC)  # a Wednesday
    booked.slot.starts_at = longest
    booked.call.invitation["zone"] = "America/Argentina/Buenos_Aires"
    told = notices.content_of(booked, kind)
    assert len(told.subject) < 60
    assert "Wednesday 29 September, 19:00" in told.subject
    assert "2027, 19:00 (America/Argentina/Buenos_Aires)" in told.text


def test_staff_who_cancel_tell_the_person_too(booked):
    booking.cancel(booked)
    assert calendar_in(letters()[1])["method"] == "CANCEL"


def test_a_time_that_is_gone_is_told_and_the_old_one_kept(strict, path, booked, slots):
    other = make_callee(booked.account, phone="+4915112345679")
    Appointment.objects.create(account=booked.account, slot=slots[1], contact=other)
    response = strict.post(path, {"slot": str(slots[1].pk)})
    assert response.status_code == 409
    assert b"not free any more" in response.content
    booked.refresh_from_db()
    assert (booked.slot, booked.sequence) == (slots[0], 0)


@pytest.mark.parametrize("slot", ["", "x", "01890000-0000-7000-8000-000000000000", "\0"])
def test_what_is_no_time_on_offer_is_refused_kindly(strict, path, booked, slot):
    assert strict.post(path, {"slot": slot}).status_code == 409
    assert Appointment.objects.get().slot == booked.slot


def test_another_accounts_time_is_not_to_be_had(strict, path, booked):
    (foreign,) = make_slots(make_account("other"), 1)
    assert strict.post(path, {"slot": str(foreign.pk)}).status_code == 409
    assert str(foreign.pk) not in strict.get(path).content.decode()


def test_the_same_time_again_is_no_change(strict, path, booked):
    assert strict.post(path, {"slot": str(booked.slot_id)}).status_code == 200
    assert Appointment.objects.get().sequence == 0
    assert Delivery.objects.count() == 1


def test_of_two_who_want_one_time_one_has_it(booked, slots):
    other = make_callee(booked.account, phone="+4915112345679")
    second = Appointment.objects.create(account=booked.account, slot=slots[1], contact=other)

    def move(one):
        try:
            return booking.move(one, str(slots[2].pk))
        except booking.SlotTaken:
            return False

    assert sorted(at_once(move, [booked, second])) == [False, True]
    assert Appointment.objects.filter(slot=slots[2], state="booked").count() == 1


def test_once_it_has_begun_nothing_is_changed_any_more(strict, path, booked):
    begun = timezone.now() - timedelta(minutes=1)
    TimeSlot.objects.filter(pk=booked.slot_id).update(starts_at=begun)
    assert b"has begun" in strict.post(path, {"cancel": "1"}).content
    assert Appointment.objects.get().state == "booked"


def test_a_link_that_ran_out_or_is_none_leads_nowhere(strict, path, booked):
    for method in (strict.get, strict.post):
        assert method("/a/nothing").status_code == 404
    AccessLink.objects.update(expires_at=timezone.now())
    assert strict.post(path, {"cancel": "1"}).status_code == 404
    assert Appointment.objects.get().state == "booked"


def test_a_link_of_another_purpose_or_person_opens_no_appointment(strict, booked):
    subject = {"appointment": str(booked.pk)}
    _row, unsubscribing = AccessLink.issue(booked.contact, "unsubscribe", subject=subject)
    _row, foreign = AccessLink.issue(make_contact(), notices.LINK_PURPOSE, subject=subject)
    for token in (unsubscribing, foreign):
        assert strict.post(f"/a/{token}", {"cancel": "1"}).status_code == 404
    assert Appointment.objects.get().state == "booked"


def test_the_page_asks_the_database_the_same_for_few_and_many_times(
    strict, path, booked, account, django_assert_max_num_queries
):
    with django_assert_max_num_queries(4):
        strict.get(path)
    make_slots(account, 20, hours_apart=5)
    with django_assert_max_num_queries(4):
        assert strict.get(path).content.count(b'type="radio"') > 10


def test_times_of_all_weeks_may_be_chosen_day_by_day(strict, path, booked, account):
    more = make_slots(account, 60, hours_apart=12)
    page = strict.get(path).content.decode()
    assert str(more[-1].pk) in page
    local = [slot.starts_at.astimezone(ZoneInfo("Europe/Berlin")) for slot in more]
    days = {f"{at:%A} {at.day} {at:%B %Y}" for at in local}
    assert all(page.count(f"<legend>{day}</legend>") == 1 for day in days)


def test_each_time_is_shown_once_and_the_own_one_is_no_other(strict, path, booked, slots, account):
    make_slots(account, 3)  # another interviewer at the same times
    page = strict.get(path).content.decode()
    assert page.count('type="radio"') == 2
    assert str(slots[1].pk) in page


def test_the_token_stays_out_of_the_logs(path):
    assert redact(f'"GET {path} HTTP/1.1" 200') == '"GET /a/… HTTP/1.1" 200'


@pytest.mark.parametrize("writes", [True, False])
def test_in_writing_is_promised_only_where_an_email_may_go(ring, account, slots, writes):
    person = make_callee(account, email="ada@example.com")
    if not writes:
        consent.suppress(account, "email", "ada@example.com", "complaint")
    line = ring(person)
    line.answer()
    for key in ("1", "1", "1"):
        line.press(key)
    assert ("in writing" in line.heard[-1]) == writes
    assert Delivery.objects.exists() == writes
