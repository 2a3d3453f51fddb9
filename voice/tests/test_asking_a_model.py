"""A model is asked what somebody on the phone meant: only where the rules are unsure, never for long."""

import asyncio

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client

from personas import speaking
from tests.factories import make_persona
from tests.fakes.openai_server import Behaviour, Fault
from voice import model_intents, understanding
from voice.models import Appointment, CallTurn, PhoneCall
from voice.tests.conftest import make_callee, make_slots
from voice.tests.simulator import BASE, checked_twiml, signed_post

pytestmark = pytest.mark.django_db(transaction=True)
UNSURE = "go on then"
FAULTS = [
    Fault.STATUS, Fault.INVALID_JSON, Fault.RESET, Fault.DISCONNECT, Fault.EMPTY, Fault.HTML, Fault.REFUSAL,
]  # fmt: skip


@pytest.fixture
def persona(account):
    return make_persona(account, kind="caller", provider_chain=["openai"])


@pytest.fixture
def slots(account):
    return make_slots(account, 3)


@pytest.fixture
def line(server, persona, slots, ring):
    line = ring()
    line.answer()
    return line


@pytest.fixture
def read_back(line):
    line.say("yes")
    line.press("2")
    return line


def last_turn():
    return CallTurn.objects.order_by("number").last()


def test_a_model_says_what_the_rules_do_not_know(line, server):
    server.behaviour = Behaviour(reply="confirm")
    assert "first" in line.say(UNSURE)
    assert last_turn().intent == "confirm"
    assert "A model takes it for confirm" in last_turn().why
    assert len(server.requests) == 1


def test_the_installations_own_chain_serves_without_a_persona(server, slots, ring, settings):
    settings.DEFAULT_PROVIDER_CHAIN = ["openai"]
    server.behaviour = Behaviour(reply="confirm")
    line = ring()
    line.answer()
    line.say(UNSURE)
    assert last_turn().intent == "confirm"


@pytest.mark.parametrize("words", ["yes", "no", "who is this?", "", "stop calling me"])
def test_where_the_rules_are_sure_nobody_is_asked(line, server, words):
    line.say(words)
    assert not server.requests


def test_keys_need_no_model(line, server):
    line.press("7")
    assert not server.requests


@pytest.mark.parametrize("fault", FAULTS)
def test_when_a_model_fails_the_rules_guess_stands(line, server, fault):
    server.behaviour = Behaviour(reply="confirm", fault=fault, after_tokens=0)
    line.say(UNSURE)
    assert line.is_open
    assert last_turn().intent == "unclear"


def test_a_model_that_takes_twenty_seconds_is_not_waited_for(line, server, monkeypatch):
    monkeypatch.setattr(model_intents, "MODEL_SECONDS", 0.3)
    server.behaviour = Behaviour(reply="confirm", first_token_seconds=20)
    line.say(UNSURE)
    assert line.is_open
    assert last_turn().intent == "unclear"


def test_the_limit_is_well_inside_twilios_own():
    assert model_intents.MODEL_SECONDS <= 5  # of fifteen


@pytest.mark.parametrize(
    "reply", ["choose", "the second one", "book all of them", "{}", "confirm reject", "🙃"]
)
def test_nonsense_of_a_model_books_nothing(read_back, server, reply):
    server.behaviour = Behaviour(reply=reply)
    read_back.say(UNSURE)
    assert last_turn().intent == "unclear"
    assert not Appointment.objects.exists()


def test_what_a_model_confirms_is_what_was_read_back(read_back, server, slots):
    server.behaviour = Behaviour(reply="confirm")
    read_back.say(UNSURE)
    assert Appointment.objects.get().slot == slots[1]
    assert str(slots[1].pk) not in str(server.requests[-1].json)


def test_what_breaks_besides_the_model_leaves_the_rules_guess(line, monkeypatch):
    async def broken(*_given, **_options):
        raise RuntimeError

    monkeypatch.setattr(speaking, "classify", broken)
    line.say(UNSURE)
    assert last_turn().intent == "unclear"


def test_the_same_turn_asked_again_meanwhile_asks_no_second_model(line, monkeypatch):
    """Twilio repeats itself while the model is still being asked."""
    asked, repeated = [], []

    async def slow(*_given, **_options):
        asked.append(1)
        url, form = line.action, line.form(SpeechResult=UNSURE, Confidence="0.9")
        repeated.append(await asyncio.to_thread(signed_post, Client(), url, form))
        return "confirm"

    monkeypatch.setattr(model_intents, "intent_by_model", slow)
    line.say(UNSURE)
    assert asked == [1]
    assert repeated[0].content == line.documents[-1]
    assert CallTurn.objects.filter(number=1).count() == 1


# --- a model that is slow: a word, and then the way to what is said next ----------------------------------


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(understanding, "HOLD_AFTER_SECONDS", 0.05)


def held(answer):
    """Where a held line is sent, after a word to the person."""
    root = checked_twiml(answer)
    assert "moment" in root.find("Say").text
    assert root.find("Gather") is None
    return root.find("Redirect").text


def test_a_slow_model_costs_no_silence(line, soon, monkeypatch):
    asked, may_go_on = [], asyncio.Event()

    async def slow(*_given, **_options):
        asked.append(1)
        await may_go_on.wait()
        return "confirm"

    async def call():
        web = AsyncClient()
        first = await signed_post(web, line.action, line.form(SpeechResult=UNSURE, Confidence="0.9"))
        on = held(first)
        waiting = asyncio.create_task(signed_post(web, on, line.form()))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        may_go_on.set()
        return await waiting, await signed_post(web, on, line.form())

    monkeypatch.setattr(model_intents, "intent_by_model", slow)
    answer, again = async_to_sync(call)()
    assert checked_twiml(answer).find("Gather") is not None
    assert again.content == answer.content
    assert asked == [1]
    assert (last_turn().words, last_turn().intent) == (UNSURE, "confirm")


def test_where_the_process_that_thought_is_gone_the_person_is_asked_again(line, soon, monkeypatch):
    async def never(*_given, **_options):
        await asyncio.Event().wait()

    async def call():
        web = AsyncClient()
        on = held(await signed_post(web, line.action, line.form(SpeechResult=UNSURE, Confidence="0.9")))
        for task in understanding._thinking:
            task.cancel()
        return await signed_post(web, on, line.form())

    monkeypatch.setattr(model_intents, "intent_by_model", never)
    monkeypatch.setattr(model_intents, "MODEL_SECONDS", -1)
    answer = async_to_sync(call)()
    assert "did not hear you" in answer.content.decode()
    assert checked_twiml(answer).find("Gather") is not None


def test_a_held_line_that_is_down_gets_a_goodbye(line, soon, monkeypatch):
    async def slow(*_given, **_options):
        await asyncio.sleep(0.2)
        return "confirm"

    async def call():
        web = AsyncClient()
        on = held(await signed_post(web, line.action, line.form(SpeechResult=UNSURE, Confidence="0.9")))
        await asyncio.to_thread(line.hang_up)
        return await signed_post(web, on, line.form())

    monkeypatch.setattr(model_intents, "intent_by_model", slow)
    assert checked_twiml(async_to_sync(call)()).find("Gather") is None


@pytest.mark.parametrize("query", ["waited=1", "waited=1&turn=x", "waited=1&turn=1&call=nobody"])
def test_a_held_line_of_nobody_gets_a_goodbye(line, query):
    answer = signed_post(Client(), f"{BASE}/twilio-process?{query}", line.form(CallSid="CA-else"))
    assert checked_twiml(answer).find("Gather") is None


def test_a_call_that_ended_while_a_model_was_asked_takes_no_turn(line, monkeypatch):
    async def slow(*_given, **_options):
        await asyncio.to_thread(line.hang_up)
        return "confirm"

    monkeypatch.setattr(model_intents, "intent_by_model", slow)
    line.say(UNSURE)
    assert CallTurn.objects.count() == 1
    assert PhoneCall.objects.get().outcome == "hung_up"


def test_no_thread_waits_for_a_model(server, persona, slots, ring, account, monkeypatch, settings):
    """More calls than there are threads for the database wait at once, until the last of them is there."""
    count = settings.DATABASE_THREADS * 2 + 1
    lines = [ring(make_callee(account, phone=f"+4915112300{number:03d}")) for number in range(count)]
    for line in lines:
        line.answer()

    async def at_once():
        everybody = asyncio.Barrier(count)

        async def together(*_given, **_options):
            await everybody.wait()
            return "confirm"

        monkeypatch.setattr(model_intents, "intent_by_model", together)
        web, said = AsyncClient(), {"SpeechResult": UNSURE, "Confidence": "0.9"}
        work = (signed_post(web, line.action, line.form(**said)) for line in lines)
        return await asyncio.wait_for(asyncio.gather(*work), 60)

    for answer in async_to_sync(at_once)():
        checked_twiml(answer)
    assert CallTurn.objects.filter(number=1, intent="confirm").count() == count


def test_what_is_not_signed_or_no_post_is_refused(web, twilio):
    assert web.post("/twilio-process", {"CallSid": "CA1"}).status_code == 403
    assert web.get("/twilio-process").status_code == 405
