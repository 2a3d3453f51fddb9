"""Calls in progress as staff see them, the page of one call, what it cost, and the figures."""

from datetime import timedelta
from decimal import Decimal
from typing import get_args

import pytest
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from config.api.models import AuditEntry
from config.api.threads import in_database
from voice import calls, outcomes, prices, tasks
from voice.models import LineMove, PhoneCall, TimeSlot
from voice.routing import websocket_urlpatterns
from voice.talk_values import Outcome
from voice.tests.batching import make_people
from voice.tests.conftest import make_callee, make_slots

pytestmark = pytest.mark.django_db(transaction=True)
LIVE = "/admin/voice/phonecall/live/"
ORIGIN = [(b"origin", b"http://testserver"), (b"host", b"testserver")]


@pytest.fixture
def operator():
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    return client


@pytest.fixture
def talking(ring, account):
    make_slots(account)
    line = ring(make_callee(account, name="Ada", time_zone="UTC"))
    line.report("ringing")
    line.answer(AnsweredBy="human")
    line.say("yes")
    return line


def page_of(client):
    return client.get(
        reverse("admin:voice_phonecall_change", args=[PhoneCall.objects.get().pk])
    ).content.decode()


def test_calls_in_progress_are_shown_with_their_turns_until_they_end(operator, talking):
    page = operator.get(LIVE).content.decode()
    assert "Ada" in page
    assert "Says “yes”." in page
    part = operator.get(f"{LIVE}?part=calls").content.decode()
    assert "<html" not in part
    talking.hang_up()
    assert "Nobody is in a call." in operator.get(f"{LIVE}?part=calls").content.decode()


def test_what_came_of_a_call_is_told_in_words(operator, talking):
    talking.press("0")
    assert PhoneCall.objects.get().outcome == "no_slot_suits"
    shown = [page_of(operator), operator.get(LIVE).content.decode()]
    shown += [
        operator.get(reverse(f"admin:voice_phonecall_{name}")).content.decode()
        for name in ("changelist", "figures")
    ]
    for page in shown:
        assert "no time suited" in page
        assert "no_slot_suits" not in page


def test_every_outcome_has_words():
    told = {*get_args(Outcome), *calls.UNTALKED.values(), *relay_outcomes()} - {""}
    assert told == set(outcomes.WORDS)


def relay_outcomes():
    return {"interviewed", "left_open", "trouble", "handed_over"}


def test_the_form_of_a_time_slot_names_its_zone(operator, settings):
    settings.TIME_ZONE = "Europe/Warsaw"
    page = operator.get(reverse("admin:voice_timeslot_add")).content.decode()
    assert page.count("In the time zone of this installation, Europe/Warsaw.") == 2


def test_watching_is_recorded_once_and_not_with_each_look(operator, talking):
    operator.get(LIVE)
    for _look in range(3):
        operator.get(f"{LIVE}?part=calls")
    (entry,) = AuditEntry.objects.filter(action="watched calls in progress")
    assert (entry.actor, entry.account.slug) == ("operator", "acme")


def test_the_page_asks_as_often_for_many_calls_as_for_few(operator, account, django_assert_max_num_queries):
    for person in make_people(account, 5):
        PhoneCall.objects.create(account=account, contact=person, to_number="+49151")
    with django_assert_max_num_queries(5):  # two of them are the session and the user
        operator.get(f"{LIVE}?part=calls")


async def socket_of(client, path="/voice/live"):
    key = client.cookies["sessionid"].value if "sessionid" in client.cookies else ""
    headers = [*ORIGIN, (b"cookie", f"sessionid={key}".encode())]
    communicator = WebsocketCommunicator(URLRouter(websocket_urlpatterns), path, headers=headers)
    accepted, _code = await communicator.connect(timeout=5)
    return communicator, accepted


@pytest.mark.usefixtures("flushed_layer")
async def test_the_socket_tells_of_each_move_and_turn(operator, talking):
    socket, accepted = await socket_of(operator)
    assert accepted
    assert await socket.receive_json_from(timeout=5) == {"event": "ready"}
    call = await in_database(PhoneCall.objects.get)
    await in_database(talking.press, "1")
    assert await socket.receive_json_from(timeout=5) == {"event": "call", "call": str(call.pk)}
    await in_database(talking.hang_up)
    assert (await socket.receive_json_from(timeout=5))["event"] == "call"
    await socket.disconnect(timeout=5)


@pytest.mark.usefixtures("flushed_layer")
async def test_the_socket_is_for_staff_who_may_see_calls(operator):
    watcher = Client()
    await in_database(lambda: watcher.force_login(User.objects.create_user("watcher", is_staff=True)))
    for client in (Client(), watcher):
        _socket, accepted = await socket_of(client)
        assert not accepted


@pytest.mark.usefixtures("flushed_layer")
async def test_who_signed_out_is_told_nothing_more(operator, talking):
    socket, _accepted = await socket_of(operator)
    await socket.receive_json_from(timeout=5)
    await in_database(operator.logout)
    await in_database(talking.press, "1")
    told = await socket.receive_output(timeout=5)
    while told["type"] == "websocket.send":  # what happened before, told late
        told = await socket.receive_output(timeout=5)
    assert told == {"type": "websocket.close", "code": 4401}


def test_the_page_of_a_call_shows_the_line_the_times_and_the_appointment(operator, talking):
    talking.press("1")
    talking.say("yes")
    talking.hang_up()
    assert list(LineMove.objects.values_list("line", flat=True)) == [
        "queued", "ringing", "in-progress", "completed",
    ]  # fmt: skip
    page = page_of(operator)
    for words in ("Ringing", "human", "chosen", "offered", "this call was not recorded", "not known yet"):
        assert words in page, words
    assert "(UTC)" in page  # the zone of the times in this talk
    assert f"{TimeSlot.objects.earliest('starts_at').starts_at:%d %b %Y} 10:00 UTC" in page
    assert "Open the conversation" in page
    assert AuditEntry.objects.filter(action="read phone call", actor="operator").exists()


def test_reports_that_move_nothing_leave_nothing(talking):
    talking.report("ringing")
    talking.report("in-progress")
    assert LineMove.objects.count() == 3


def make_due():
    PhoneCall.objects.update(price_due_at=timezone.now())


def test_the_price_is_asked_for_after_the_end(operator, talking, twilio):
    talking.hang_up()
    call = PhoneCall.objects.get()
    assert call.price_due_at - call.ended_at == timedelta(minutes=2)
    make_due()
    tasks.sweep()  # Twilio has not rated it yet
    call.refresh_from_db()
    assert (call.price, call.price_looks) == (None, 1)
    assert call.price_due_at > timezone.now() + timedelta(minutes=9)
    twilio.calls[talking.sid] |= {"price": "-0.02600", "price_unit": "USD"}
    make_due()
    tasks.sweep()
    call.refresh_from_db()
    assert (call.price, call.price_unit, call.price_due_at) == (Decimal("-0.02600"), "USD", None)
    assert "0.026 USD" in page_of(operator)


def test_a_price_that_never_comes_is_given_up(talking, twilio):
    talking.hang_up()
    for _look in prices.WAITS:
        make_due()
        tasks.sweep()
    call = PhoneCall.objects.get()
    assert (call.price, call.price_due_at) == (None, None)


@pytest.mark.parametrize("price", ["free", "", "NaN", "9" * 40])
def test_a_price_that_is_none_is_not_believed(talking, twilio, price):
    talking.hang_up()
    twilio.calls[talking.sid] |= {"price": price, "price_unit": "USD"}
    make_due()
    tasks.sweep()
    assert PhoneCall.objects.get().price is None


def test_the_figures_page_shows_rates_days_outcomes_and_times(operator, talking, account):
    talking.press("1")
    talking.say("yes")
    talking.hang_up()
    busy = PhoneCall.objects.create(account=account, contact=make_people(account, 1)[0], to_number="+49151")
    calls.report(busy.pk, "busy")
    page = operator.get(f"/admin/voice/phonecall/figures/?days=30&account={account.slug}").content.decode()
    assert "50 %" in page
    assert "busy" in page
    assert PhoneCall.objects.exclude(confirmed_slot="").get().confirmed_slot in page
    assert operator.get("/admin/voice/phonecall/figures/?days=x&account=nobody").status_code == 200
