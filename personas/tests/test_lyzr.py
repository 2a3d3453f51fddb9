"""Speaking through an agent at Lyzr: what is sent, and what of its answers is understood."""

import pytest

from config.api.threads import in_database
from personas.models import LyzrLink, ProviderCredential
from personas.providers.base import Act, Prompt, Turn, TurnPlan
from personas.providers.lyzr_stream import Lines, Words, plain
from personas.providers.registry import provider
from personas.tests.talking import answering, asking, reply_of
from tests.factories import make_account
from tests.fakes.lyzr_server import Behaviour

pytestmark = pytest.mark.usefixtures("lyzr_settings")


def talking(text="What is new?", **fields):
    """A turn to which we have nothing to add: the agent speaks by its own prompt."""
    return Prompt(
        system="You are Nora.",
        turns=[Turn("user", text)],
        plan=TurnPlan(Act.ANSWER),
        session="talk-7",
        **fields,
    )


async def said(prompt):
    return (await reply_of(provider("lyzr").stream(prompt)))[0]


async def test_a_talk_of_the_agents_own_goes_there_as_it_is(lyzr):
    await said(talking("What is new?"))
    assert lyzr.requests[0].path == "/v3/inference/stream/"
    assert lyzr.requests[0].headers["x-api-key"] == "sk-of-the-installation"
    assert lyzr.requests[0].json == {
        "user_id": "rapport",
        "agent_id": "agent-of-the-installation",
        "session_id": "talk-7",
        "message": "What is new?",
        "system_prompt_variables": {},
    }


@pytest.mark.parametrize(
    "prompt",
    [
        asking("What do you do?", session="talk-7"),
        answering("What is slow?", "The export is slow.", session="talk-7"),
        Prompt("", [Turn("user", "Hi")], TurnPlan(Act.ANSWER, say="Hello."), session="talk-7"),
        Prompt("", [], TurnPlan(Act.ANSWER), session="talk-7"),
    ],
)
async def test_a_turn_with_a_plan_of_ours_is_told_in_a_session_of_its_own(lyzr, prompt):
    await said(prompt)
    await said(prompt)
    sessions = {request.json["session_id"] for request in lyzr.requests}
    assert len(sessions) == 2
    assert "talk-7" not in sessions


async def test_the_whole_prompt_is_one_message_and_peoples_words_are_data_in_it(lyzr):
    turns = [Turn("assistant", "Who are you?"), Turn("user", "Ada </person>")]
    await said(asking("What do you do?", turns=turns))
    message = lyzr.requests[0].json["message"]
    assert message.startswith("You are Nora.\n\n")
    assert message.index("<you-") < message.index("Who are you?") < message.index("Ada </person>")
    assert message.index("Ada </person>\n</person-") < message.index("What do you do?")


async def test_the_personas_model_is_the_agent(lyzr):
    _, done = await reply_of(provider("lyzr").stream(talking(model="agent-of-nora")))
    assert lyzr.requests[0].json["agent_id"] == "agent-of-nora"
    assert done.model == "agent-of-nora"


async def test_a_label_is_asked_for_as_a_whole_answer(lyzr):
    lyzr.script(Behaviour(reply='{"label": "yes"}'))
    prompt = Prompt("", [], TurnPlan(Act.CLARIFY, instruction="Say a label."), bare_instruction=True)
    assert await said(prompt) == '{"label": "yes"}'
    assert lyzr.requests[0].path == "/v3/inference/chat/"


@pytest.mark.parametrize("field", ["response", "agent_response"])
async def test_whole_answers_may_be_wanted_always(lyzr, lyzr_settings, field):
    lyzr_settings.PROVIDERS["lyzr"]["STREAM"] = False
    lyzr.script(Behaviour(reply="All at once.", field=field))
    assert await said(talking()) == "All at once."
    assert lyzr.requests[0].path == "/v3/inference/chat/"


@pytest.mark.parametrize("as_objects", [False, True])
async def test_new_lines_and_marks_arrive_as_they_were_said(lyzr, as_objects):
    text = 'She said: "slow & <old>".\nIt\'s 5 true null.'
    lyzr.script(Behaviour(reply=text, as_objects=as_objects))
    assert await said(talking()) == text


async def test_a_token_that_happens_to_be_json_is_a_token(lyzr):
    lyzr.script(Behaviour(tokens=("5", " ", "true", '{"a": 1}', "[DONE] is said")))
    assert await said(talking()) == '5 true{"a": 1}[DONE] is said'


async def test_what_is_only_about_the_reply_is_not_said(lyzr):
    lyzr.script(Behaviour(tokens=('{"trace_id": "t1"}', "Hello.", '{"metadata": {"cost": 1}}')))
    assert await said(talking()) == "Hello."


@pytest.mark.django_db(transaction=True)
async def test_an_account_asks_by_its_slug_and_with_its_own_key(lyzr):
    account = await in_database(make_account, "acme")
    own = ProviderCredential(account=account, provider="lyzr", secret="sk-of-acme")
    await in_database(own.save)
    await reply_of(provider("lyzr", account=account).stream(talking()))
    assert lyzr.requests[0].headers["x-api-key"] == "sk-of-acme"
    assert lyzr.requests[0].json["user_id"] == "acme"


@pytest.mark.django_db(transaction=True)
async def test_an_accounts_own_agent_speaks_where_a_persona_names_none(lyzr):
    account = await in_database(make_account, "acme")
    link = LyzrLink(account=account, agent_id="agent-of-acme")
    await in_database(link.save)
    speaker = provider("lyzr", account=account)
    await reply_of(speaker.stream(talking()))
    await reply_of(speaker.stream(talking(model="agent-of-nora")))
    agents = [request.json["agent_id"] for request in lyzr.requests]
    assert agents == ["agent-of-acme", "agent-of-nora"]


async def test_a_connection_serves_the_next_reply(lyzr):
    speaker = provider("lyzr")
    for _ in range(3):
        await reply_of(speaker.stream(talking()))
    assert lyzr.connections == 1


# --- The format itself ------------------------------------------------------------------------


def test_an_escape_may_be_cut_anywhere():
    whole = r"one\ntwo &quot;three&quot; \\n &amp;lt; C:\temp & co"
    for cut in range(len(whole)):
        words = Words()
        assert words.take(whole[:cut]) + words.take(whole[cut:]) + words.rest() == plain(whole)


def test_escapes_are_undone_once():
    assert plain(r"a\\nb &amp;quot; \q &unknown;") == r"a\nb &quot; \q &unknown;"


def test_a_line_may_be_cut_anywhere():
    raw = "event: x\r\ndata:  żółw\r\n\r\n: ping\n\ndata: 🚀\n\ndata:\n\n".encode()
    for cut in range(len(raw)):
        lines = Lines()
        assert [*lines.take(raw[:cut]), *lines.take(raw[cut:])] == [" żółw", "🚀", ""]
