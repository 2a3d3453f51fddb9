"""An interview that was begun by link goes on by phone: the same brief, the same talk, the same answers."""

import asyncio

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from config.api.threads import in_database
from crm import consent, replies
from crm.models import Consent, Conversation, Message, Suppression, TimelineEntry
from interviews import starting
from interviews.models import Interview
from interviews.tests.holding import ANSWERS, invite
from personas.providers.base import Delta, Done
from tests.factories import make_guide, make_persona
from tests.fakes.openai_server import Behaviour, Fault
from voice import relay_interview
from voice.interview_words import words_of
from voice.models import PhoneCall
from voice.tests.relaying import Phone

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("flushed_layer")]
NUMBER = "+4915112345678"


@pytest.fixture
def relayed(settings, twilio):
    settings.VOICE_TALK = "relay"
    return twilio


class Guest:
    """A browser at the page of an interview that has begun."""

    def __init__(self, **guide):
        invitation = invite(make_guide(**guide))
        starting.begin(invitation.interview.pk, consent_evidence={})
        self.interview = invitation.interview
        self.page = f"/chat/{self.interview.conversation_id}"
        self.client = Client()
        self.client.get(f"/i/{invitation.token}")

    def shown(self):
        return self.client.get(self.page).content.decode()

    def asks(self, phone=NUMBER, agrees="yes"):
        """The note that the page comes back with."""
        form = {"phone": phone, **({"agrees": agrees} if agrees else {})}
        answer = self.client.post(f"{self.page}/call", form)
        assert answer.status_code == 302
        return answer["Location"].partition("?note=")[2]

    def said(self):
        rows = Message.objects.filter(conversation_id=self.interview.conversation_id).order_by("seq")
        return list(rows)


def rung(twilio, **guide):
    guest = Guest(**guide)
    assert guest.asks() == "calling"
    return guest, Phone.rung(twilio, PhoneCall.objects.get().sid)


@pytest.fixture
def guest_and_phone(relayed):
    return rung(relayed)


# --- the page -----------------------------------------------------------------------------------


def test_the_page_offers_a_call_only_where_one_can_be_held(relayed, settings):
    guest = Guest()
    assert "Call me instead" in guest.shown()
    settings.VOICE_TALK = "gather"
    assert "Call me instead" not in guest.shown()
    assert guest.asks() == "refused"
    settings.VOICE_TALK, settings.TWILIO_AUTH_TOKEN = "relay", ""
    assert "Call me instead" not in guest.shown()
    assert not PhoneCall.objects.exists()


def test_nobody_is_called_in_a_language_that_has_no_words(relayed):
    guest = Guest(language="ar")
    assert guest.asks() == "refused"
    assert 'name="phone"' not in guest.shown()


def test_asking_for_it_is_the_consent_and_rings_once(relayed):
    guest = Guest()
    assert guest.asks(" +49 151 12345678 ") == "calling"
    assert guest.asks() == "calling"
    call = PhoneCall.objects.get()
    assert (call.to_number, call.continues_id) == (NUMBER, guest.interview.conversation_id)
    given = Consent.objects.filter(channel="phone").first()
    assert (given.purpose, given.given, given.source) == ("interview", True, "interview page")
    assert given.evidence["number"] == "…5678"
    assert relayed.forms[0]["TimeLimit"] == ["3600"]
    assert len(relayed.calls) == 1


def test_the_page_says_that_the_talk_is_on_the_phone(relayed):
    guest = Guest()
    guest.asks()
    page = guest.shown()
    assert "goes on by phone" in page
    assert "Call me instead" not in page


@pytest.mark.parametrize(
    ("form", "note"),
    [
        ({"agrees": ""}, "call-agree"),
        ({"phone": ""}, "call-number"),
        ({"phone": "0151 12345678"}, "call-number"),
        ({"phone": "x" * 5000}, "call-number"),
        ({"phone": "+1234567890"}, "call-number"),
        ({"phone": "\x00"}, "call-number"),
    ],
)
def test_what_cannot_be_called_comes_back_with_a_note(relayed, form, note):
    guest = Guest()
    assert guest.asks(**form) == note
    assert not PhoneCall.objects.exists()


def test_a_number_on_do_not_call_stays_there(relayed):
    guest = Guest()
    consent.suppress(guest.interview.account, "phone", NUMBER, Suppression.Reason.UNSUBSCRIBE)
    assert guest.asks() == "call-blocked"
    assert not relayed.calls


def test_the_gates_of_every_call_hold(relayed, settings):
    settings.CALL_HOURS = (0, 0)
    assert Guest().asks() == "call-hours"
    settings.CALL_HOURS, settings.CALLS_PER_WEEK = (0, 24), 1
    first = Guest()
    assert first.asks() == "calling"
    # The same number, written in on the page of somebody else.
    assert Guest().asks() == "call-often"


def test_too_many_wishes_are_slowed_down(relayed):
    guest = Guest()
    notes = [guest.asks() for _time in range(3)]
    assert notes[-1] == "fast"


def test_when_nobody_can_be_rung_the_page_says_so(relayed):
    from tests.fakes.twilio_server import Behaviour as Answer
    from tests.fakes.twilio_server import Fault as Broken

    relayed.script(Answer(fault=Broken.STATUS, status=401, code=20003))
    assert Guest().asks() == "call-failed"
    assert PhoneCall.objects.get().status == "failed"


def test_a_stranger_rings_nobody(relayed):
    guest = Guest()
    assert Client().post(f"{guest.page}/call", {"phone": NUMBER, "agrees": "yes"}).status_code == 404
    assert guest.client.get(f"{guest.page}/call").status_code == 302
    assert not PhoneCall.objects.exists()


# --- the talk -----------------------------------------------------------------------------------


async def agreed(session):
    """The opening is heard and agreed to; gives what is said next."""
    await session.set_up()
    opening = await session.spoken()
    assert "automated AI interviewer calling for Acme" in opening
    assert "What do you do at work?" not in opening  # not to whoever happens to take the call
    await session.prompt("Yes, go ahead.")
    return await session.spoken()


async def test_an_interview_is_held_to_its_end_and_its_answers_are_the_same(relayed):
    guest, phone = await in_database(rung, relayed)
    async with await phone.session() as session:
        assert "What do you do at work?" in await agreed(session)
        await session.prompt(ANSWERS[0])
        assert "Which tools do you use every day?" in await session.spoken()
        await session.prompt(ANSWERS[1])
        assert "from 1 to 5" in await session.spoken()
        await session.press("4")
        assert "That was all we wanted to ask." in await session.spoken()
        assert session.ended is None  # the last words are spoken first
        await session.agent_is_silent()
        assert (await session.until_end())["reason"] == "interviewed"
    content = await phone.after()
    assert "<Say" not in content
    assert "<Hangup" in content
    await in_database(phone.line.hang_up)
    call = await in_database(PhoneCall.objects.get)
    assert (call.status, call.outcome) == ("completed", "interviewed")
    await in_database(finished, guest)


def finished(guest):
    interview = Interview.objects.get(pk=guest.interview.pk)
    assert interview.state in (Interview.State.COMPLETED, Interview.State.PROCESSED)
    assert [answer.value for answer in interview.answers.order_by("position")] == list(ANSWERS)
    notes = [row.act for row in guest.said() if row.author == "system"]
    assert notes == ["on_phone"]
    assert ANSWERS[1] in guest.shown()


async def test_who_hangs_up_goes_on_in_writing(relayed):
    guest, phone = await in_database(rung, relayed)
    async with await phone.session() as session:
        await agreed(session)
        await session.prompt(ANSWERS[0])
        await session.spoken()
    await in_database(phone.line.hang_up)

    def on_the_page():
        page = guest.shown()
        assert "The phone call has ended" in page
        assert "Call me instead" in page
        assert ANSWERS[0].replace("'", "&#x27;") in page
        titles = TimelineEntry.objects.filter(kind="phone_call").values_list("title", flat=True)
        assert list(titles) == ["Phone call: the interview goes on in writing"]

    await in_database(on_the_page)


async def test_a_hang_up_in_mid_reply_leaves_the_reply_whole(relayed, monkeypatch):
    more = asyncio.Event()

    async def speak(*_given, **_options):
        yield Delta("Thank you for that. ")
        await more.wait()
        yield Delta("Which tools do you use every day?")
        yield Done(provider="offline", model="test")

    guest, phone = await in_database(rung, relayed)
    async with await phone.session() as session:
        await agreed(session)
        monkeypatch.setattr("personas.speaking.speak", speak)
        await session.prompt(ANSWERS[0])
        assert (await session.frame())["token"].startswith("Thank you")
    running = replies.running_in(guest.interview.conversation_id)
    more.set()
    await asyncio.wait_for(running.task, 10)
    last = (await in_database(guest.said))[-1]
    assert (last.state, last.text) == ("complete", "Thank you for that. Which tools do you use every day?")


async def test_an_interruption_keeps_what_was_heard_of_the_reply(relayed):
    guest, phone = await in_database(rung, relayed)
    async with await phone.session() as session:
        await agreed(session)
        await session.prompt(ANSWERS[0])
        reply = await session.spoken()
        heard = reply[: reply.index("use") + 3]
        await session.interrupt(heard.upper())
        await session.prompt(ANSWERS[1])
        assert "from 1 to 5" in await session.spoken()

    def kept():
        (cut,) = [row for row in guest.said() if row.plan.get("interrupted")]
        assert cut.text == f"{heard}…"
        assert cut.question_key == "tools"  # most of the question was heard: it was answered

    await in_database(kept)


async def test_a_question_that_was_not_heard_was_not_asked(relayed):
    """The person goes on with the answer before it, and is asked the question again."""
    guest, phone = await in_database(rung, relayed)
    async with await phone.session() as session:
        await agreed(session)
        await session.prompt(ANSWERS[0])
        reply = await session.spoken()
        await session.interrupt(" ".join(reply.split()[:1]))
        await session.prompt("And at night I drive a taxi through the whole town, which few people know.")
        assert "Which tools do you use every day?" in await session.spoken()

    def kept():
        mine = [row for row in guest.said() if row.author == "person"]
        assert [row.question_key for row in mine] == ["role", "role"]

    await in_database(kept)


@pytest.fixture
def endless(monkeypatch):
    """A persona that speaks until it is stopped, whatever the machine's load."""

    async def speak(*_given, **_options):
        while True:
            yield Delta("word ")
            await asyncio.sleep(0.005)

    return lambda: monkeypatch.setattr("personas.speaking.speak", speak)


async def test_an_interruption_stops_a_reply_that_is_still_being_worded(relayed, endless, monkeypatch):
    guest, phone = await in_database(rung, relayed)
    async with await phone.session() as session:
        await agreed(session)
        endless()
        await session.prompt(ANSWERS[0])
        await session.frame()
        await session.interrupt("word")
        monkeypatch.undo()
        await session.prompt("I also drive a taxi at night, and that takes most of my week by now.")
        assert (await session.spoken()).strip("word ") == ""
        assert "word" not in await session.spoken()

    def kept():
        (cut,) = [row for row in guest.said() if row.plan.get("interrupted")]
        assert (cut.text, cut.act, cut.question_key) == ("word…", "", "")

    await in_database(kept)


async def test_words_before_the_first_word_of_a_reply_are_one_more_message(relayed, monkeypatch):
    asked = asyncio.Event()

    async def speak(*_given, **_options):
        asked.set()
        await asyncio.Event().wait()
        yield Delta("never")

    guest, phone = await in_database(rung, relayed)
    async with await phone.session() as session:
        await agreed(session)
        with monkeypatch.context() as patch:
            patch.setattr("personas.speaking.speak", speak)
            await session.prompt("I am a nurse.")
            await asyncio.wait_for(asked.wait(), 10)
        await session.prompt("On a children's ward, with twelve others, and I plan all of their shifts.")
        assert "Which tools" in await session.spoken()
    mine = [row for row in await in_database(guest.said) if row.author == "person"]
    assert len(mine) == 2


# --- models -------------------------------------------------------------------------------------


@pytest.fixture
def with_model(server, relayed):
    def made():
        persona = make_persona(provider_chain=["openai"])
        return rung(relayed, persona=persona)

    return made


async def test_tokens_are_spoken_as_they_come(relayed, monkeypatch):
    more = asyncio.Event()

    async def speak(*_given, **_options):
        yield Delta("Thank you. ")
        await more.wait()
        yield Delta("Which tools?")
        yield Done(provider="offline", model="test")

    _guest, phone = await in_database(rung, relayed)
    async with await phone.session() as session:
        await agreed(session)
        monkeypatch.setattr("personas.speaking.speak", speak)
        await session.prompt(ANSWERS[0])
        assert await session.frame() == {"type": "text", "token": "Thank you. ", "last": False}
        more.set()
        assert await session.spoken() == "Which tools?"


async def test_a_model_that_takes_long_is_waited_for_with_a_word(with_model, server, monkeypatch):
    monkeypatch.setattr(relay_interview, "FILLER_SECONDS", 0.05)
    monkeypatch.setattr(relay_interview, "MOST_FILLERS", 100_000)
    gate = asyncio.Event()

    async def speak(*_given, **_options):
        await gate.wait()
        yield Delta("Which tools?")
        yield Done(provider="openai", model="test")

    _guest, phone = await in_database(with_model)
    async with await phone.session() as session:
        await agreed(session)
        monkeypatch.setattr("personas.speaking.speak", speak)
        await session.prompt(ANSWERS[0])
        assert await session.spoken() == "One moment, please. "
        gate.set()
        while (said := await session.spoken()) == "One moment, please. ":
            pass
        assert said == "Which tools?"


async def test_a_model_that_never_answers_ends_the_call_and_not_the_interview(
    with_model, server, monkeypatch
):
    monkeypatch.setattr(relay_interview, "FILLER_SECONDS", 0.05)
    guest, phone = await in_database(with_model)
    async with await phone.session() as session:
        await agreed(session)
        server.behaviour = Behaviour(reply="Late.", first_token_seconds=20)
        await session.prompt(ANSWERS[0])
        assert (await session.until_end())["reason"] == "trouble"
    assert "you can go on in writing" in await phone.after()
    interview = await in_database(Interview.objects.get, pk=guest.interview.pk)
    assert interview.state == "started"


@pytest.mark.parametrize("fault", [Fault.STATUS, Fault.TRUNCATED, Fault.EMPTY])
async def test_a_model_that_fails_is_asked_once_more(with_model, server, fault):
    _guest, phone = await in_database(with_model)
    async with await phone.session() as session:
        await agreed(session)
        broken = Behaviour(fault=fault, after_tokens=0, status=503)
        server.behaviour = Behaviour(reply="Thank you. Which tools do you use?")
        server.script(broken, broken, broken)
        await session.prompt(ANSWERS[0])
        frames = []
        while not (session.ended or "Which tools" in "".join(frames)):
            frames.append((await session.frame()).get("token", ""))
    assert session.ended is None or session.ended["reason"] == "trouble"


async def test_nonsense_of_a_model_is_spoken_and_decides_nothing(with_model, server):
    guest, phone = await in_database(with_model)
    async with await phone.session() as session:
        await agreed(session)
        server.behaviour = Behaviour(reply="<b>The interview is over.</b> Call 0900 now! {'end': true}")
        await session.prompt(ANSWERS[0])
        said = await session.spoken()
        assert "<b>" not in said
    interview = await in_database(Interview.objects.get, pk=guest.interview.pk)
    assert interview.state == "started"
    assert (await in_database(guest.said))[-1].question_key in ("role", "tools")


# --- who took the call --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "outcome", "goodbye"),
    [
        ("No, thank you.", "left_open", "go on in writing"),
        ("I'm driving.", "left_open", "go on in writing"),
        ("You have the wrong number.", "wrong_person", "sorry to have troubled you"),
        ("Stop calling me!", "stop_calling", "not be called again"),
    ],
)
async def test_who_does_not_want_to_is_let_go(relayed, words, outcome, goodbye):
    guest, phone = await in_database(rung, relayed)
    async with await phone.session() as session:
        await session.set_up()
        await session.spoken()
        await session.prompt(words)
        await session.until_end()
    assert goodbye in await phone.after()
    call = await in_database(PhoneCall.objects.get)
    assert (call.status, call.outcome) == ("failed", outcome)
    blocked = await in_database(Suppression.objects.filter(channel="phone").count)
    assert blocked == (outcome != "left_open")
    assert len(await in_database(guest.said)) == 1


async def test_keys_answer_the_opening_and_unknown_words_are_asked_again(relayed):
    _guest, phone = await in_database(rung, relayed)
    async with await phone.session() as session:
        await session.set_up()
        await session.spoken()
        await session.prompt("Banana.")
        assert "did not understand" in await session.spoken()
        await session.press("*")
        assert "automated AI interviewer" in await session.spoken()
        await session.press("1")
        assert "What do you do at work?" in await session.spoken()


async def test_a_wish_not_to_be_called_is_obeyed_in_the_middle(relayed):
    _guest, phone = await in_database(rung, relayed)
    async with await phone.session() as session:
        await agreed(session)
        await session.prompt("We stop calling customers after six.")  # an answer
        await session.spoken()
        await session.prompt("Please don't call me again.")
        assert (await session.until_end())["reason"] == "stop_calling"
    assert await in_database(Suppression.objects.filter(channel="phone").exists)


async def test_an_answering_machine_hears_no_interview(relayed):
    _guest, phone = await in_database(rung, relayed)
    content = await in_database(phone.answer, AnsweredBy="machine_end_beep")
    assert "<Connect" not in content
    assert "try again" not in content
    assert (await in_database(PhoneCall.objects.get)).retry_at is None


@pytest.mark.parametrize(
    ("language", "words"), [("en", "automated call"), ("de", "automatischer Anruf"), ("pl", "połączenie")]
)
async def test_a_machine_is_spoken_to_in_the_language_of_the_voice(relayed, language, words):
    _guest, phone = await in_database(rung, relayed, language=language)
    assert words in await in_database(phone.answer, AnsweredBy="machine_end_beep")
    later = phone.line.voice_url.replace("twilio-voice", "twilio-process")
    goodbye = (await in_database(phone.line.post, later)).content.decode()
    assert words_of(language)["after_dial"] in goodbye


async def test_a_german_interview_is_held_in_german(relayed):
    _guest, phone = await in_database(rung, relayed, language="de")
    async with await phone.session() as session:
        await session.set_up()
        assert "KI-Interviewer" in await session.spoken()
        assert session.languages == ["de-DE"]
        await session.prompt("Ja, gerne.")
        assert (await session.spoken()).startswith("Gut.")


# --- the line -----------------------------------------------------------------------------------


async def test_a_line_that_breaks_is_taken_up_where_it_was(relayed):
    _guest, phone = await in_database(rung, relayed)
    async with await phone.session() as session:
        await agreed(session)
        await session.prompt(ANSWERS[0])
        await session.spoken()
    assert "<Connect" in await phone.after("failed", ErrorCode="64105")
    async with phone.open() as session:
        await session.set_up()
        again = await session.spoken()
        assert "the line broke" in again
        assert "Which tools do you use every day?" in again
    assert "<Connect" in await phone.after("failed", ErrorCode="64105")
    content = await phone.after("failed", ErrorCode="64105")
    assert "<Connect" not in content
    assert "go on in writing" in content


async def test_a_reply_that_is_owed_is_given_first(relayed, monkeypatch):
    guest, phone = await in_database(rung, relayed)
    async with await phone.session() as session:
        await agreed(session)

        async def broken(*_given, **_options):
            raise RuntimeError
            yield

        with monkeypatch.context() as patch:
            patch.setattr("personas.speaking.speak", broken)
            await session.prompt(ANSWERS[0])
            assert (await session.until_end())["reason"] == "trouble"
    await in_database(phone.line.hang_up)
    await in_database(guest.asks)
    phone = await in_database(lambda: Phone.rung(relayed, PhoneCall.objects.first().sid))
    async with await phone.session() as session:
        assert await agreed(session) == "Good. "
        assert "Which tools do you use every day?" in await session.spoken()


async def test_silence_is_asked_about_and_ends_the_call_at_last(relayed, monkeypatch):
    monkeypatch.setattr(relay_interview.InterviewTalk, "silence_seconds", 0.05)
    monkeypatch.setattr("voice.relay_clock.CHARACTERS_A_SECOND", 1_000_000.0)
    _guest, phone = await in_database(rung, relayed)
    async with await phone.session() as session:
        await session.set_up()
        await session.spoken()
        await session.until_end()
    assert (await in_database(PhoneCall.objects.get)).outcome == "left_open"


async def test_staff_who_took_the_talk_over_answer_in_writing(relayed, django_user_model):
    guest, phone = await in_database(rung, relayed)
    async with await phone.session() as session:
        await agreed(session)

        def taken_over():
            from crm import talk

            staff = django_user_model.objects.create_superuser("operator")
            talk.take_over(guest.interview.conversation, staff)

        await in_database(taken_over)
        await session.prompt(ANSWERS[0])
        assert (await session.until_end())["reason"] == "left_open"


@pytest.mark.parametrize("is_agreed", [True, False])
async def test_a_talk_that_was_ended_on_its_page_says_goodbye(relayed, is_agreed):
    guest, phone = await in_database(rung, relayed)
    async with await phone.session() as session:
        if is_agreed:
            await agreed(session)
        else:
            await session.set_up()
            await session.spoken()

        def stopped():
            guest.client.post(f"{guest.page}/send", {"act": "stop"})
            assert not Conversation.objects.get(pk=guest.interview.conversation_id).is_open

        await in_database(stopped)
        await session.prompt("Yes, I am here.")
        assert await session.spoken() == "Thank you. Goodbye."
        await session.agent_is_silent()
        assert (await session.until_end())["reason"] == "interviewed"


def test_a_page_asks_one_thing_of_the_phone_however_many_calls_there_were(relayed, settings):
    guest = Guest()
    with CaptureQueriesContext(connection) as before:
        guest.shown()
    guest.asks()
    PhoneCall.objects.update(status="failed")
    guest.asks()
    with CaptureQueriesContext(connection) as after:
        guest.shown()
    settings.VOICE_TALK = "gather"
    with CaptureQueriesContext(connection) as without:
        guest.shown()
    assert len(before) == len(after) == len(without) + 1


async def test_who_asks_for_a_human_is_connected_when_there_is_one(relayed, settings):
    settings.VOICE_STAFF_NUMBER = "+4930123456"
    _guest, phone = await in_database(rung, relayed)
    async with await phone.session() as session:
        await agreed(session)
        await session.press("0")
        await session.until_end()
    assert ">+4930123456</Dial>" in await phone.after()


async def test_what_is_kept_goes_with_the_talk(relayed):
    guest, phone = await in_database(rung, relayed)
    async with await phone.session() as session:
        await agreed(session)
    await in_database(phone.line.hang_up)

    def erased():
        from crm import erasure

        asked = erasure.request(
            guest.interview.contact, conversation=guest.interview.conversation, requested_by="the person"
        )
        erasure.run(asked.pk)
        assert not PhoneCall.objects.exists()
        assert not TimelineEntry.objects.filter(kind="phone_call").exists()

    await in_database(erased)
