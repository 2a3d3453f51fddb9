"""What may not be said is refused, masked or flagged: before an answer, and before it is shown."""

import pytest
from django.urls import reverse

from config.api.threads import in_database
from crm import deciding, moderation
from crm.models import Message, ModerationByVendor, ModerationFlag, ModerationRule
from crm.tests.persona_chatting import Talker, make_influencer
from personas import own_keys
from personas.breaker import breaker
from tests.factories import make_account, make_persona
from tests.fakes.openai_server import Behaviour, Fault, OpenAIServer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("signed_tokens")]


@pytest.fixture(autouse=True)
def _nothing_remembered():
    moderation.forget()
    breaker.forget()
    own_keys.forget()


@pytest.fixture
def server():
    with OpenAIServer() as running:
        yield running


@pytest.fixture
def with_model(server, settings):
    settings.PROVIDERS = {
        **settings.PROVIDERS,
        "openai": {
            "BACKEND": "personas.providers.openai.OpenAIProvider",
            "API_KEY": "sk-of-the-installation",
            "BASE_URL": server.base_url,
            "MODEL": "fake-model",
            "CONNECT_TIMEOUT": 3,
            "READ_TIMEOUT": 5,
            "TOTAL_TIMEOUT": 10,
        },
    }
    return server


def add_rule(patterns, **fields):
    fields = {"account": make_account("default"), "name": patterns, "action": "refuse", **fields}
    return ModerationRule.objects.create(patterns=patterns, **fields)


def by_vendor(**fields):
    return ModerationByVendor.objects.create(account=make_account("default"), provider="openai", **fields)


async def chat_with(talker, *rules, speaks=False, **fields):
    """The chat with an influencer of an account with these rules: (patterns, fields)."""
    for patterns, more in rules:
        await in_database(add_rule, patterns, **more)
    chain = ["openai"] if speaks else ["offline"]
    return await talker.begin(provider_chain=chain, greeting="Hello.", **fields)


async def flags():
    return [(flag.side, flag.found_by, flag.action) async for flag in ModerationFlag.objects.order_by("pk")]


# --- What people write ------------------------------------------------------------------------


async def test_a_refused_message_is_kept_and_told_in_the_documented_form():
    talker = Talker()
    chat = await chat_with(talker, ("idiot*", {}))
    answer = await talker.say(chat, "You idiots")
    body = answer.json()
    assert (answer.status_code, body["error"]) == (422, "content_filter")
    assert body["details"]["user_message"]["content"] == "You idiots"
    assert await flags() == [("input", "idiot*", "refuse")]


async def test_a_stream_is_refused_alike():
    talker = Talker()
    chat = await chat_with(talker, ("idiot", {}))
    frames = await talker.stream(chat, "You idiot")
    assert [name for name, _data in frames] == ["accepted", "error"]
    assert frames[-1][1]["error"] == "content_filter"


async def test_no_model_reads_a_refused_message_later(with_model):
    talker = Talker()
    chat = await chat_with(talker, ("idiot", {}), speaks=True)
    await talker.say(chat, "You idiot")
    assert with_model.requests == []
    assert (await talker.say(chat, "Good morning")).status_code == 200
    asked = str(with_model.requests[-1].json["messages"])
    assert "Good morning" in asked
    assert "idiot" not in asked


async def test_masked_words_do_not_reach_the_model_and_stay_in_the_chat(with_model):
    talker = Talker()
    chat = await chat_with(talker, ("idiot", {"action": "mask"}), speaks=True)
    answer = await talker.say(chat, "Is he an idiot?")
    assert answer.json()["user_message"]["content"] == "Is he an idiot?"
    assert "Is he an •••••?" in str(with_model.requests[-1].json["messages"])


async def test_a_flag_changes_nothing_and_is_there_for_staff():
    talker = Talker()
    chat = await chat_with(talker, ("idiot", {"action": "flag"}))
    assert (await talker.say(chat, "You idiot")).status_code == 200
    assert await flags() == [("input", "idiot", "flag")]


async def test_rules_are_of_their_account_their_persona_and_their_side():
    def others():
        add_rule("idiot", account=make_account("other"))
        add_rule("idiot", persona=make_persona(make_account("default")))
        add_rule("idiot", sides="output")
        add_rule("idiot", is_active=False)

    await in_database(others)
    talker = Talker()
    chat = await chat_with(talker)
    assert (await talker.say(chat, "You idiot")).status_code == 200
    assert await flags() == []


async def test_what_a_changed_rule_lets_through_is_answered_at_the_next_try():
    talker = Talker()
    chat = await chat_with(talker, ("idiot", {}))
    await talker.say(chat, "You idiot", client_message_id="one")
    await in_database(lambda: ModerationRule.objects.get().delete())
    again = await talker.say(chat, "You idiot", client_message_id="one")
    assert again.status_code == 200
    assert (await Message.objects.aget(client_message_id="one")).act == ""


# --- What personas say ------------------------------------------------------------------------


async def test_a_refused_sentence_is_never_shown(with_model):
    with_model.behaviour = Behaviour(reply="Good day. I will find you idiots. And more.")
    talker = Talker()
    chat = await chat_with(talker, ("idiots", {"sides": "output"}), speaks=True)
    frames = await talker.stream(chat, "Hello")
    shown = "".join(data["text"] for name, data in frames if name == "delta")
    assert "find you" not in shown
    assert frames[-1][1]["error"] == "content_filter"
    reply = await Message.objects.aget(state="failed")
    assert "idiots" not in reply.text
    assert await flags() == [("output", "idiots", "refuse")]


async def test_masked_words_of_a_reply_are_dots_for_everybody(with_model):
    with_model.behaviour = Behaviour(reply="Some idiots came. They left.")
    talker = Talker()
    chat = await chat_with(talker, ("idiots", {"action": "mask"}), speaks=True)
    answer = await talker.say(chat, "Who came?")
    assert answer.json()["assistant_message"]["content"] == "Some •••••• came. They left."


async def test_a_phrase_across_two_sentences_is_found(with_model):
    with_model.behaviour = Behaviour(reply="I said kill. Him they spared. Bye.")
    talker = Talker()
    chat = await chat_with(talker, ("kill him", {}), speaks=True)
    assert (await talker.say(chat, "Hello")).status_code == 422


async def test_a_reply_without_an_end_is_not_held_for_ever(with_model):
    words = " ".join(["word"] * 400)
    with_model.behaviour = Behaviour(reply=words)
    talker = Talker()
    chat = await chat_with(talker, ("idiots", {}), speaks=True)
    assert (await talker.say(chat, "Hello")).json()["assistant_message"]["content"] == words


# --- By a vendor ------------------------------------------------------------------------------


async def test_a_vendor_refuses_what_people_write(with_model):
    await in_database(by_vendor)
    talker = Talker()
    chat = await chat_with(talker, speaks=True)
    assert (await talker.say(chat, "Plan a murder")).status_code == 422
    assert [request.path for request in with_model.requests] == ["/v1/moderations"]
    assert with_model.requests[0].json == {"model": "omni-moderation-latest", "input": "Plan a murder"}
    assert await flags() == [("input", "openai: violence", "refuse")]


async def test_a_vendor_checks_a_reply_before_it_is_shown(with_model):
    await in_database(lambda: by_vendor(checks_input=False))
    with_model.behaviour = Behaviour(reply="It was murder. Yes.")
    talker = Talker()
    chat = await chat_with(talker, speaks=True)
    frames = await talker.stream(chat, "Hello")
    assert [name for name, _data in frames] == ["accepted", "error"]
    assert await flags() == [("output", "openai: violence", "refuse")]


@pytest.mark.parametrize(("on_failure", "status"), [("let_through", 200), ("refuse", 503)])
async def test_what_happens_while_the_vendor_is_away(with_model, on_failure, status):
    await in_database(lambda: by_vendor(checks_output=False, on_failure=on_failure))
    talker = Talker()
    chat = await chat_with(talker, speaks=True)
    with_model.script(Behaviour(fault=Fault.STATUS, status=500))
    answer = await talker.say(chat, "Plan a murder")
    assert answer.status_code == status
    if status == 503:
        assert answer.json()["details"]["user_message"]["content"] == "Plan a murder"


async def test_a_provider_that_cannot_moderate_counts_as_away():
    await in_database(lambda: by_vendor(on_failure="refuse"))
    await ModerationByVendor.objects.aupdate(provider="offline")
    talker = Talker()
    chat = await chat_with(talker)
    assert (await talker.say(chat, "Hello")).status_code == 503


@pytest.mark.parametrize(
    "answer", [None, {}, {"results": []}, {"results": [{"flagged": "x", "categories": {}}]}]
)
def test_an_answer_of_another_form_is_an_error(answer):
    from personas.providers.openai_moderation import flagged_in

    with pytest.raises((TypeError, LookupError, ValueError)):
        flagged_in(answer)


# --- In the admin -----------------------------------------------------------------------------


def test_staff_write_rules_and_see_what_was_found(admin_client):
    account = make_account("default")
    form = {"account": account.pk, "name": "Rude", "patterns": "*", "sides": "both", "action": "flag"}
    page = reverse("admin:crm_moderationrule_add")
    assert "needs a letter" in admin_client.post(page, form).content.decode()
    assert admin_client.post(page, {**form, "patterns": "idiot*", "is_active": "on"}).status_code == 302
    other = make_influencer(make_account("other"))
    wrong = admin_client.post(page, {**form, "patterns": "x", "persona": str(other.pk)})
    assert "of another account" in wrong.content.decode()
    for name in ("moderationrule", "moderationbyvendor", "moderationflag"):
        assert admin_client.get(reverse(f"admin:crm_{name}_changelist")).status_code == 200


def test_history_leaves_out_what_was_refused():
    from django.utils import timezone

    from crm.brief_values import Said

    said = [
        Said("person", "bad", "unfit", "", 1, timezone.now()),
        Said("person", "good", "", "", 2, timezone.now()),
    ]
    assert [line.text for line in deciding.history(said)] == ["good"]
