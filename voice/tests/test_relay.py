"""The talk that settles on a time, over Twilio's websocket: the same turns, the same bookings."""

import asyncio
import json

import pytest

from config.api.threads import in_database
from tests.factories import make_persona
from tests.fakes.openai_server import Behaviour
from tests.fakes.twilio_relay import RelaySession, signature
from voice import model_intents, relay, relay_frames, relay_scheduling
from voice import twilio as seam
from voice.models import Appointment, CallTurn, PhoneCall
from voice.tests.conftest import make_slots
from voice.tests.relaying import Phone
from voice.tests.simulator import signature as http_signature

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("flushed_layer")]


@pytest.fixture
def phone(settings, twilio, account, ring):
    """A call over the socket that rings."""
    settings.VOICE_TALK = "relay"
    make_slots(account, 3)
    return Phone(ring())


def turns():
    return list(CallTurn.objects.order_by("number"))


async def test_a_talk_books_what_was_read_back_and_confirmed(phone):
    async with await phone.session() as session:
        assert session.accepted
        await session.set_up()
        assert "automated AI assistant" in await session.spoken()
        assert session.languages == ["en-US"]
        await session.prompt("Yes, I do.")
        assert "first" in await session.spoken()
        await session.press("2")
        assert "Shall I book it?" in await session.spoken()
        await session.prompt("Yes, please.")
        assert (await session.until_end())["reason"] == "ended"
    goodbye = await phone.after()
    assert "Your interview is booked" in goodbye
    assert "<Hangup" in goodbye
    call = await in_database(PhoneCall.objects.get)
    assert (call.status, call.outcome, call.turn_count) == ("completed", "booked", 3)
    assert await in_database(Appointment.objects.count) == 1


async def test_the_call_hears_its_goodbye_in_the_answer_after_the_socket(phone):
    async with await phone.session() as session:
        await session.set_up()
        await session.spoken()
        await session.prompt("Stop calling me.")
        await session.until_end()
    assert "You will not be called again" in await phone.after()
    assert (await in_database(PhoneCall.objects.get)).outcome == "stop_calling"


async def test_what_was_not_heard_was_not_said(phone):
    async with await phone.session() as session:
        await session.set_up()
        greeting = await session.spoken()
        await session.interrupt(" ".join(greeting.split()[:6]))
        await session.prompt("yes")
        await session.spoken()
    first = (await in_database(turns))[0]
    assert first.is_cut
    assert first.said == " ".join(greeting.split()[:6]) + "…"
    assert greeting.split()[-1] in first.twiml  # asked by webhook, it is asked whole


async def test_silence_is_a_turn_and_ends_the_talk_at_last(phone, monkeypatch):
    monkeypatch.setattr(relay_scheduling.SchedulingTalk, "silence_seconds", 0.05)
    monkeypatch.setattr("voice.relay_clock.CHARACTERS_A_SECOND", 1_000_000.0)
    async with await phone.session() as session:
        await session.set_up()
        await session.spoken()
        assert "did not hear you" in await session.spoken()
        await session.until_end()
    assert (await in_database(PhoneCall.objects.get)).outcome == "given_up"


async def test_where_the_socket_cannot_be_opened_the_talk_goes_on_by_webhooks(phone):
    await in_database(phone.answer)
    content = await phone.after("failed", ErrorCode="64102", ErrorMessage="no socket")
    assert "<Gather" in content
    assert "automated AI assistant" in content
    assert "turn=1" in content


async def test_a_line_that_breaks_in_the_middle_goes_on_where_it_stood(phone):
    async with await phone.session() as session:
        await session.set_up()
        await session.spoken()
        await session.prompt("yes")
        await session.spoken()
    content = await phone.after("failed", ErrorCode="64105")
    assert "<Gather" in content
    assert "turn=2" in content
    phone.line.is_open, phone.line.action = (
        True,
        content.split('action="')[1].split('"')[0].replace("&amp;", "&"),
    )
    assert "Shall I book it?" in await in_database(phone.line.press, "1")


async def test_a_fault_of_ours_ends_the_session_and_not_the_call(phone, monkeypatch):
    async with await phone.session() as session:
        await session.set_up()
        await session.spoken()

        def broken(*_given):
            raise RuntimeError

        monkeypatch.setattr("voice.turns.hear_or_ask", broken)
        await session.prompt("yes")
        assert await session.close_code() == relay.BROKEN
    monkeypatch.undo()


async def test_who_asks_for_a_human_is_connected(phone, settings):
    settings.VOICE_STAFF_NUMBER = "+4930123456"
    async with await phone.session() as session:
        await session.set_up()
        await session.spoken()
        await session.prompt("Can I talk to a real person?")
        assert await session.until_end() == {
            "reason": "handed_over",
            "call": str(await in_database(_call_id)),
        }
    content = await phone.after()
    assert "<Dial" in content
    assert ">+4930123456</Dial>" in content
    assert (await in_database(PhoneCall.objects.get)).outcome == "handed_over"


def _call_id():
    return PhoneCall.objects.get().pk


async def test_without_a_number_of_staff_nobody_is_promised_a_human(phone):
    async with await phone.session() as session:
        await session.set_up()
        await session.spoken()
        await session.prompt("Can I talk to a real person?")
        assert await session.spoken()
    assert (await in_database(PhoneCall.objects.get)).status == "active"


# --- a model that helps -------------------------------------------------------------------------


@pytest.fixture
def persona(account, server):
    return make_persona(account, kind="caller", provider_chain=["openai"])


async def test_a_model_says_what_the_rules_do_not_know(persona, server, phone):
    server.behaviour = Behaviour(reply="confirm")
    async with await phone.session() as session:
        await session.set_up()
        await session.spoken()
        await session.prompt("go on then")
        assert "first" in await session.spoken()
    assert (await in_database(turns))[-1].intent == "confirm"


@pytest.mark.parametrize("reply", ["the second one", "🙃"])
async def test_nonsense_of_a_model_books_nothing(persona, server, phone, reply):
    server.behaviour = Behaviour(reply=reply)
    async with await phone.session() as session:
        await session.set_up()
        await session.spoken()
        await session.prompt("go on then")
        await session.spoken()
    assert (await in_database(turns))[-1].intent == "unclear"
    assert not await in_database(Appointment.objects.exists)


async def test_a_model_that_takes_twenty_seconds_is_not_waited_for(persona, server, phone, monkeypatch):
    monkeypatch.setattr(model_intents, "MODEL_SECONDS", 0.3)
    server.behaviour = Behaviour(reply="confirm", first_token_seconds=20)
    async with await phone.session() as session:
        await session.set_up()
        await session.spoken()
        await session.prompt("go on then")
        await session.spoken()
    assert (await in_database(turns))[-1].intent == "unclear"


# --- who may open it ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        "wss://calls.example{0}",
        "https://calls.example{0}",
        "wss://calls.example:443{0}",
        "wss://calls.example{0}/",
    ],
)
async def test_the_forms_of_the_signed_address_that_are_met(phone, form):
    await in_database(phone.answer)
    path = phone.relay["url"].removeprefix("wss://calls.example")
    async with phone.open(signed=signature(form.format(path))) as session:
        assert session.accepted


@pytest.mark.parametrize(
    "signed",
    ["", "nonsense", "é", signature("wss://else.example/x"), signature("wss://calls.example/twilio-relay/x")],
)
async def test_what_twilio_did_not_sign_is_refused(phone, signed):
    await in_database(phone.answer)
    async with phone.open(signed=signed) as session:
        assert not session.accepted


async def test_another_token_signs_nothing(phone):
    await in_database(phone.answer)
    async with phone.open(signed=signature(phone.relay["url"], token="another")) as session:
        assert not session.accepted


async def test_two_signatures_are_none(phone):
    await in_database(phone.answer)
    async with phone.open(headers=[(b"x-twilio-signature", b"x")]) as session:
        assert not session.accepted


async def test_a_call_that_is_over_or_unknown_is_refused(phone):
    await in_database(phone.answer)
    await in_database(phone.line.hang_up)
    async with phone.open() as session:
        assert not session.accepted
    url = "wss://calls.example/twilio-relay/01890000-0000-7000-8000-000000000000"
    async with RelaySession(url, "CA1") as session:
        assert not session.accepted


async def test_the_session_of_another_call_is_closed(phone):
    async with await phone.session() as session:
        await session.set_up("CA-of-another")
        assert await session.close_code() == relay.REFUSED


async def test_the_whole_application_lets_twilio_in_without_an_origin(phone):
    from config.asgi import application

    async with await phone.session(application=application) as session:
        assert session.accepted


async def test_what_is_asked_after_the_socket_proves_itself_too(phone, web):
    def asked():
        phone.answer()
        path = phone.action.removeprefix("https://calls.example")
        forged = {"X-Twilio-Signature": http_signature(phone.action, {}, "another")}
        return web.post(path, {"CallSid": phone.line.sid}, headers=forged).status_code

    assert await in_database(asked) == 403


# --- frames -------------------------------------------------------------------------------------

JUNK = [
    " ",
    "{",
    "[]",
    "null",
    '"x"',
    "{}",
    '{"type": 1}',
    "[" * 5000,
    '{"type": "prompt", "voicePrompt": {}}',
]
PASSED_OVER = [
    '{"type": "later"}', '{"type": "prompt"}', '{"type": "prompt", "voicePrompt": "yes", "last": false}',
    '{"type": "dtmf", "digit": "x"}', '{"type": "info", "name": "tokensPlayed", "value": "x"}',
    '{"type": "error", "description": "bad"}', '{"type": "interrupt"}',
]  # fmt: skip


@pytest.mark.parametrize("frame", JUNK)
def test_what_is_no_frame_is_told_apart(frame):
    with pytest.raises(relay_frames.BadFrame):
        relay_frames.read(frame)


async def test_junk_is_passed_over_and_the_talk_goes_on(phone):
    async with await phone.session() as session:
        await session.set_up()
        await session.spoken()
        for frame in (*JUNK, *PASSED_OVER):
            await session.socket.send_to(text_data=frame)
        await session.socket.send_to(bytes_data=b"\x00")
        await session.prompt("yes\x00")
        assert "first" in await session.spoken()
    assert len(await in_database(turns)) == 2


async def test_endless_junk_and_frames_too_large_or_too_many_close_the_session(phone):
    for sent, code in (
        (["{"] * (relay.BAD_FRAMES_ALLOWED + 1), relay.REFUSED),
        ([json.dumps({"type": "prompt", "voicePrompt": "x" * relay_frames.LARGEST_FRAME})], relay.TOO_LARGE),
        (['{"type": "later"}'] * (relay_frames.FRAMES_A_SECOND * 10), relay.REFUSED),
    ):
        async with await phone.session() as session:
            for frame in sent:
                await session.socket.send_to(text_data=frame)
            assert await session.close_code() == code


async def test_words_before_the_setup_are_nobodys(phone):
    async with await phone.session() as session:
        await session.prompt("yes")
        await session.set_up()
        assert "automated AI assistant" in await session.spoken()
    assert len(await in_database(turns)) == 1


async def test_a_long_word_and_one_that_nothing_can_store(phone):
    async with await phone.session() as session:
        await session.set_up()
        await session.spoken()
        await session.prompt("\ud800" + "yes " * 2_000)
        assert await session.spoken()


# --- the TwiML ----------------------------------------------------------------------------------


async def test_an_answering_machine_is_not_led_to_the_socket(phone):
    content = await in_database(phone.answer, AnsweredBy="machine_end_beep")
    assert "<Connect" not in content
    assert "<Hangup" in content


@pytest.mark.parametrize(
    ("talk", "base"), [("gather", "https://calls.example"), ("relay", "http://calls.example")]
)
async def test_calls_are_held_by_webhooks_unless_the_socket_is_wanted_and_safe(
    ring, twilio, settings, account, talk, base
):
    settings.VOICE_TALK, settings.WEBHOOK_BASE_URL = talk, base
    await in_database(make_slots, account, 3)
    line = await in_database(ring)
    url = line.voice_url
    from django.test import Client

    from voice.tests.simulator import signed_post

    answer = await in_database(signed_post, Client(), url, line.form())
    assert b"<Gather" in answer.content


def test_the_document_is_escaped_and_speaks_the_persons_language():
    made = seam.relay(socket="wss://x/?a=1&b=2", action="https://x", language="de", hints=("ja & nein",))
    assert "a=1&amp;b=2" in made
    assert 'language="de-DE"' in made
    assert 'events="speaker-events"' in made
    dialled = seam.dial("One <moment>", "+4930123456", afterwards="Bye", language="pl")
    assert "One &lt;moment&gt;" in dialled


async def test_a_second_document_for_the_same_call_is_the_same(phone):
    first = await in_database(phone.answer)
    assert await in_database(phone.answer) == first
    assert len(await in_database(turns)) == 1


async def test_who_hangs_up_leaves_nothing_behind(phone):
    before = asyncio.all_tasks()
    session = await phone.session()
    await session.__aenter__()
    await session.set_up()
    await session.spoken()
    await session.hang_up()
    assert await in_database(phone.line.hang_up)
    assert (await in_database(PhoneCall.objects.get)).outcome == "hung_up"
    left = {task for task in asyncio.all_tasks() - before if "_read" in repr(task)}
    assert not left
