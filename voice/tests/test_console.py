"""The test console: the same code answers what is typed, and nothing comes of it."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from crm.models import Consent, Contact, Conversation, Suppression, TimelineEntry
from tests.factories import make_account, make_persona
from tests.fakes.openai_server import Behaviour
from voice import calls, figures, practice, tasks
from voice.models import Appointment, PhoneCall
from voice.tests.conftest import make_slots

pytestmark = pytest.mark.django_db(transaction=True)
BEGIN = "/admin/voice/phonecall/console/"


@pytest.fixture
def operator():
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    return client


@pytest.fixture
def begin(operator, account):
    make_slots(account)

    def begin(**form):
        form = {"account": account.pk, "candidate": "Ada", "zone": "UTC", "language": "en", **form}
        answer = operator.post(BEGIN, form)
        assert answer.status_code == 302, answer.content
        return PhoneCall.objects.latest("started_at")

    return begin


def turn(client, call, **form):
    answer = client.post(reverse("voice-console-turn", args=[call.pk]), form)
    assert answer.status_code == 302
    call.refresh_from_db()
    return client.get(answer.headers["Location"]).content.decode()


def test_a_typed_talk_agrees_on_a_time_and_leaves_nothing(operator, begin):
    call = begin(company="Acme", position="Engineer")
    page = operator.get(reverse("admin:voice_phonecall_console", args=[call.pk])).content.decode()
    assert "Acme" in page
    page = turn(operator, call, words="yes", confidence="0.9")
    assert "confirm" in page
    turn(operator, call, keys="1")
    page = turn(operator, call, words="yes, please")
    assert "The call is over." in page
    assert (call.status, call.outcome, call.is_test) == ("completed", "booked", True)
    assert call.confirmed_slot
    calls.report(call.pk, "completed")
    for model in (Appointment, Contact, Conversation, TimelineEntry, Suppression, Consent):
        assert not model.objects.exists(), model
    assert figures.figures(PhoneCall.objects.filter(is_test=False))["total_calls"] == 0


def test_what_the_rules_saw_is_shown_with_intent_and_confidence(operator, begin):
    page = turn(operator, begin(), words="yes", confidence="0.5")
    assert "Says “yes”." in page
    assert "confidence 0.45" in page


@pytest.mark.parametrize(
    ("form", "outcome"),
    [
        ({"words": "stop calling me"}, "stop_calling"),
        ({"keys": "9"}, "stop_calling"),
        ({"keys": "0"}, "declined"),
    ],
)
def test_nobody_is_put_on_do_not_call(operator, begin, form, outcome):
    call = begin()
    turn(operator, call, **form)
    assert (call.outcome, call.retry_at) == (outcome, None)
    assert not Suppression.objects.exists()
    assert not Consent.objects.exists()


def test_silence_is_a_turn_and_ends_the_call_in_the_end(operator, begin):
    call = begin()
    for _time in range(3):
        page = turn(operator, call, do="silence")
    assert "Silence" in page
    assert call.outcome == "given_up"


def test_a_machine_hears_its_message_and_is_not_called_again(operator, begin):
    call = begin(answered_by="machine", company="Acme")
    assert (call.outcome, call.answered_by, call.retry_at) == ("voicemail", "machine_end_beep", None)
    page = operator.get(reverse("admin:voice_phonecall_console", args=[call.pk])).content.decode()
    assert "automated call from Acme" in page


def test_hanging_up_ends_it_as_on_the_phone(operator, begin):
    call = begin()
    turn(operator, call, do="hang_up")
    assert (call.line, call.status, call.outcome) == ("completed", "failed", "hung_up")
    assert not TimelineEntry.objects.exists()


def test_a_time_that_is_taken_meanwhile_is_refused_as_on_the_phone(operator, begin, account):
    call = begin()
    turn(operator, call, words="yes")
    turn(operator, call, keys="1")
    account.time_slots.update(is_offered=False)
    turn(operator, call, words="yes")
    assert call.confirmed_slot == ""


def test_the_model_is_asked_as_on_the_phone_and_its_cost_is_shown(
    operator, begin, account, server, settings, monkeypatch
):
    monkeypatch.setattr("voice.model_intents.MODEL_SECONDS", 60)  # whatever the machine is busy with
    monkeypatch.setattr("personas.speaking.CLASSIFY_SECONDS", 60)
    make_persona(account, kind="caller", provider_chain=["openai"])
    settings.PROVIDERS["openai"]["PRICES"] = {"*": (1000.0, 1000.0)}
    server.behaviour = Behaviour(reply="confirm")
    call = begin()
    page = turn(operator, call, words="go on then")
    assert "A model takes it for confirm." in page
    assert call.turns.get(number=1).model_micro_usd > 0
    assert "USD" in page


def test_a_real_call_cannot_be_typed_into(operator, account, ring):
    make_slots(account)
    ring().answer()
    call = PhoneCall.objects.get()
    assert operator.get(reverse("admin:voice_phonecall_console", args=[call.pk])).status_code == 404
    assert operator.post(reverse("voice-console-turn", args=[call.pk]), {"words": "yes"}).status_code == 404
    assert call.turns.count() == 1


def test_a_test_call_is_in_no_list_and_no_figure_of_the_api(begin, api):
    call = begin()
    assert api.get("/conversations").json() == {"conversations": []}
    assert api.get(f"/conversations/{call.pk}").status_code == 404
    assert api.get("/analytics").json()["total_calls"] == 0


def test_strangers_and_those_who_may_only_look_are_kept_out(begin):
    call = begin()
    path = reverse("voice-console-turn", args=[call.pk])
    assert Client().post(path, {"words": "yes"}).status_code == 403
    watcher = Client()
    watcher.force_login(User.objects.create_user("watcher", is_staff=True))
    assert watcher.post(path, {"words": "yes"}).status_code == 404
    assert watcher.get(BEGIN).status_code == 403
    assert Client(enforce_csrf_checks=True).post(path, {"words": "yes"}).status_code == 403


@pytest.mark.parametrize("wrong", [{"zone": "Mars/Olympus"}, {"language": "xx"}, {"account": "x"}])
def test_a_scene_that_cannot_be_is_asked_for_again(operator, account, wrong):
    form = {"account": account.pk, "candidate": "Ada", "zone": "UTC", "language": "en", **wrong}
    assert operator.post(BEGIN, form).status_code == 200
    assert not PhoneCall.objects.exists()


def test_what_nobody_hung_up_ends_and_old_ones_go(begin, twilio):
    from django.utils import timezone

    forgotten, old = begin(), begin()
    PhoneCall.objects.filter(pk=forgotten.pk).update(started_at=timezone.now() - practice.LEFT_OPEN * 2)
    PhoneCall.objects.filter(pk=old.pk).update(started_at=timezone.now() - practice.KEPT_FOR * 2)
    tasks.sweep()
    (left,) = PhoneCall.objects.all()
    assert (left.pk, left.line) == (forgotten.pk, "completed")
    assert twilio.calls == {}


def test_test_calls_of_one_account_do_not_shut_each_other_out(begin):
    assert begin().pk != begin().pk
    assert PhoneCall.objects.filter(is_test=True, account=make_account("acme")).count() == 2
