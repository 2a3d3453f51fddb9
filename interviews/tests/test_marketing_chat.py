"""/chat/…: a person's messages in the caller's own chat, by the label of the session."""

import asyncio
import json

import pytest

from config.api.threads import in_database
from crm.models import Consent, Conversation
from interviews import starting
from interviews.models import Interview
from interviews.tests.marketing import HELLO, Program, said_in
from tests.factories import make_account, make_contact, make_guide

pytestmark = [pytest.mark.django_db(transaction=True)]
LABEL = "acme+ada@example.com"


@pytest.fixture
async def program():
    await in_database(lambda: make_guide(make_account("acme")))
    return await Program.of("acme")


async def test_the_first_message_begins_the_interview_and_the_reply_greets_with_the_first_question(program):
    answer = (await program.say()).json()

    assert "What do you do at work?" in answer["response"] == answer["agent_response"]
    assert answer["session_id"] == LABEL
    assert (answer["user_id"], answer["message_count"], answer["session_status"]) == ("acme", 1, "active")
    interview = await Interview.objects.aget()
    assert interview.state == "started"
    assert not await in_database(lambda: list(interview.answers.all()))


async def test_the_program_vouches_for_the_consent(program):
    await program.say()

    consent = await Consent.objects.aget(purpose="interview")
    assert (consent.source, consent.evidence) == ("api", {"page": "api", "by": "test"})


async def test_a_talk_goes_on_to_its_end_by_the_guide(program):
    await program.say()
    words = (
        "I plan the shifts of twelve nurses on a busy ward each month, which takes me two whole days.",
        "Spreadsheets and a paper diary, because the planning program we were given is far too slow.",
        "4",
    )
    answers = [(await program.say(text)).json() for text in words]

    assert answers[-1]["session_status"] in ("completed", "processed")
    assert answers[-1]["message_count"] == 4
    closed = await program.say("One more thing")
    assert closed.status_code == 409
    assert closed.json()["detail"]


async def test_the_same_client_message_id_is_the_same_message_with_the_same_reply(program):
    first = (await program.say(client_message_id="m1")).json()
    again = (await program.say(client_message_id="m1")).json()

    assert again["message_id"] == first["message_id"]
    assert again["response"] == first["response"]
    assert again["message_count"] == 1


async def test_an_address_with_a_plus_of_its_own_is_one_session(program):
    await program.say(session_id="acme+ada+work@example.com")

    history = (await program.get("/chat/history/acme%2Bada%2Bwork@example.com")).json()
    assert history["session_id"] == "acme+ada+work@example.com"
    assert history["session"]["email"] == "ada+work@example.com"


@pytest.mark.parametrize("session_id", ["no-plus", "acme+", "+ada@example.com", "acme+not an address"])
async def test_what_is_no_label_is_a_400(program, session_id):
    refused = await program.post(
        "/chat/send", {"user_id": "acme", "agent_id": "a", "session_id": session_id, "message": "Hello"}
    )
    assert refused.status_code == 400
    assert "{user_id}+{email}" in refused.json()["detail"]
    assert (await program.get(f"/chat/history/{session_id}")).status_code == 400


async def test_a_missing_field_is_a_422_that_names_it(program):
    refused = await program.post("/chat/send", {"user_id": "acme"})

    assert refused.status_code == 422
    assert {tuple(error["loc"]) for error in refused.json()["errors"]} == {
        ("body", "session_id"), ("body", "message"),
    }  # fmt: skip


async def test_two_messages_at_once_are_never_interleaved(program):
    await program.say()
    both = await asyncio.gather(program.say("I plan the shifts."), program.say("I plan the other shifts."))

    codes = sorted(response.status_code for response in both)
    assert codes in ([200, 409], [200, 200])
    authors = [message.author for message in await said_in()]
    assert authors == ["person", "persona"] * (len(authors) // 2)


async def test_a_person_who_declined_is_not_asked_on(program):
    guide = await in_database(lambda: make_guide(make_account("acme")))
    contact = await in_database(lambda: make_contact(guide.account, email="ada@example.com"))
    invited = await in_database(starting.invite, guide, contact)
    await in_database(starting.decline, invited.interview.pk)

    assert (await program.say()).status_code == 409


# --- the streams ------------------------------------------------------------------------------


async def test_the_stream_counts_first_and_last_and_says_done_once(program):
    frames = await program.stream()

    assert json.loads(frames[0]) == {"message_count": 1, "type": "metadata"}
    assert json.loads(frames[-2]) == {"message_count": 1, "type": "complete"}
    assert frames[-1] == "[DONE]"
    assert frames.count("[DONE]") == 1
    text = "".join(json.loads(frame)["content"] for frame in frames[1:-2])
    assert text == (await said_in())[-1].text


async def test_the_agents_stream_goes_to_the_interview_while_that_is_under_way(program):
    await program.post("/interview/start", {"user_id": "acme", "email": "ada@example.com"})
    frames = await program.stream(path="/chat/agent/send/stream")

    assert json.loads(frames[0])["type"] == "metadata"
    assert (await Interview.objects.aget()).state == "started"


async def test_without_an_interview_the_agent_answers_and_nothing_is_counted(program):
    frames = await program.stream("What did people say?", path="/chat/agent/send/stream")

    assert all(set(json.loads(frame)) == {"content"} for frame in frames[:-1])
    assert frames[-1] == "[DONE]"
    assert not await Interview.objects.aexists()
    session = (await program.get(f"/chat/history/{LABEL}")).json()["session"]
    assert (session["agent_type"], session["session_status"]) == ("chat_agent", "active")


async def test_a_session_of_the_agent_may_be_called_anything(program):
    body = {"user_id": "acme", "agent_id": "", "session_id": "dashboard 7", "message": "Hello"}
    for _ in range(2):
        answer = await program.post("/chat/agent/send/stream", body)
        assert answer.status_code == 200
        assert b"[DONE]" in b"".join([part async for part in answer.streaming_content])
    assert await Conversation.objects.acount() == 1


# --- what was said ----------------------------------------------------------------------------


async def test_the_history_is_whole_after_the_end_too(program):
    await program.say()
    await program.post(f"/chat/session/complete/{LABEL}")
    history = (await program.get(f"/chat/history/{LABEL}", agent_id="agent456")).json()

    assert [message["role"] for message in history["messages"]] == ["user", "assistant"]
    assert history["messages"][0]["content"] == HELLO
    assert all(message["timestamp"].endswith("Z") and message["id"] for message in history["messages"])
    assert (history["total_messages"], history["message_count"]) == (2, 1)
    assert history["session"]["session_status"] in ("completed", "processed")


async def test_the_history_of_nobody_yet_is_empty(program):
    history = (await program.get("/chat/history/acme+nobody@example.com")).json()

    assert (history["messages"], history["session"], history["message_count"]) == ([], None, 0)


async def test_a_long_history_comes_in_pages(program):
    await program.say()
    first = await program.get(f"/chat/history/{LABEL}", limit=1)
    following = first.headers["Link"].partition(">")[0].removeprefix("<").removeprefix("http://testserver")
    second = await program.get(following)

    assert first.json()["total_messages"] == 2
    assert [message["role"] for message in second.json()["messages"]] == ["assistant"]


async def test_the_sessions_of_an_account_come_latest_first(program):
    for name in ("ada", "bo"):
        await program.say(session_id=f"acme+{name}@example.com")
    listed = (await program.get("/chat/sessions/acme")).json()

    assert [session["email"] for session in listed["sessions"]] == ["bo@example.com", "ada@example.com"]
    assert listed["total_sessions"] == 2
    assert listed["sessions"][0]["message_count"] == 1


@pytest.mark.parametrize("kind", ["session", "interview"])
async def test_ending_a_session_twice_is_once(program, kind):
    await program.say()
    first, again = [await program.post(f"/chat/{kind}/complete/{LABEL}") for _ in range(2)]

    assert first.json() == again.json()
    assert first.json()["status"] == "completed"
    assert first.json()["completed_at"].endswith("Z")


async def test_ending_the_session_of_nobody_is_a_404(program):
    assert (await program.post("/chat/session/complete/acme+nobody@example.com")).status_code == 404


# --- who may ----------------------------------------------------------------------------------

CALLS = [
    ("post", "/chat/send"),
    ("post", "/chat/interview/send/stream"),
    ("post", "/chat/agent/send/stream"),
    ("get", f"/chat/history/{LABEL}"),
    ("get", "/chat/sessions/acme"),
    ("post", f"/chat/session/complete/{LABEL}"),
    ("post", f"/chat/interview/complete/{LABEL}"),
]
BODY = {"user_id": "acme", "agent_id": "a", "session_id": LABEL, "message": "Hello"}


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_another_account_is_told_404(program, method, path):
    await program.say()
    stranger = await Program.of("other")
    answer = await (stranger.post(path, BODY) if method == "post" else stranger.get(path))
    assert answer.status_code == 404


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_without_a_key_it_is_401_and_with_another_scope_403(program, method, path):
    for caller, status in ((Program(), 401), (await Program.of("acme", scopes=("usage",)), 403)):
        answer = await (caller.post(path, BODY) if method == "post" else caller.get(path))
        assert answer.status_code == status


async def test_a_session_of_another_user_id_is_refused_even_with_ones_own_beside_it(program):
    stranger = await Program.of("other")
    answer = await stranger.post("/chat/send", {**BODY, "user_id": "other"})
    assert answer.status_code == 404
