"""What Lyzr remembers of a talk and we lack is appended to ours, once."""

from datetime import UTC, datetime

import pytest

from crm.models import Message
from crm.reconciling import reconcile
from crm.talk import record_message
from crm.tasks import unanswered
from personas.lyzr_agents import LyzrError
from tests.factories import make_contact, make_conversation
from tests.fakes.lyzr_server import Behaviour, Fault

pytestmark = [pytest.mark.usefixtures("lyzr_settings"), pytest.mark.django_db(transaction=True)]
LABEL = "acme+ada+x@example.com"


@pytest.fixture
def talk():
    return make_conversation(make_contact(), external_id=LABEL)


def said(role, content, created_at="2026-11-20T17:25:31.186000"):
    return {"role": role, "content": content, "created_at": created_at}


def ours(talk):
    return list(talk.messages.order_by("seq").values_list("seq", "author", "text"))


def test_a_talk_that_began_there_is_brought_here(talk, lyzr):
    lyzr.sessions[LABEL] = [said("assistant", "Hello."), said("user", "Hi."), said("assistant", "How so?")]
    assert reconcile(talk) == 3
    assert ours(talk) == [(1, "persona", "Hello."), (2, "person", "Hi."), (3, "persona", "How so?")]
    first, second, third = talk.messages.order_by("seq")
    assert first.created_at == datetime(2026, 11, 20, 17, 25, 31, 186000, tzinfo=UTC)
    assert (third.reply_to, third.provider, first.reply_to) == (second, "lyzr", None)
    talk.refresh_from_db()
    assert talk.last_seq == 3


def test_the_session_is_encoded_in_the_address(talk, lyzr):
    reconcile(talk)
    assert lyzr.requests[0].path == "/v1/sessions/acme%2Bada%2Bx%40example.com/history"


def test_another_name_of_it_may_be_given(talk, lyzr):
    lyzr.sessions["a/b?c#d"] = [said("user", "Hi."), said("assistant", "Hello.")]
    assert reconcile(talk, session_id="a/b?c#d") == 2


def test_twice_is_once(talk, lyzr):
    lyzr.sessions[LABEL] = [
        said("user", "Yes."),
        said("assistant", "So?"),
        said("user", "Yes."),
        said("assistant", "So?"),
    ]
    assert reconcile(talk) == 4
    assert reconcile(talk) == 0
    lyzr.sessions[LABEL] += [said("user", "Yes."), said("assistant", "So?")]
    assert reconcile(talk) == 2
    assert reconcile(talk) == 0


def test_what_we_have_stays_as_it_is(talk, lyzr):
    message, _ = record_message(talk, "My  export is slow.", "c1")
    Message.objects.create(
        conversation=talk, seq=2, author="persona", text="I see (cleaned).", reply_to=message
    )
    type(talk).objects.filter(pk=talk.pk).update(last_seq=2)
    lyzr.sessions[LABEL] = [
        said("user", "My export is slow. "),
        said("assistant", "I see http://evil.example"),
        said("user", "And old."),
        said("assistant", "How old?"),
    ]
    assert reconcile(talk) == 2
    assert [text for _, _, text in ours(talk)] == [
        "My  export is slow.",
        "I see (cleaned).",
        "And old.",
        "How old?",
    ]


def test_a_last_word_without_an_answer_waits_for_it(talk, lyzr):
    lyzr.sessions[LABEL] = [said("user", "Hi.")]
    assert reconcile(talk) == 0
    lyzr.sessions[LABEL] += [said("assistant", "Hello.")]
    assert reconcile(talk) == 2
    assert unanswered() == []


def test_what_is_no_message_is_left_out(talk, lyzr):
    lyzr.sessions[LABEL] = [
        said("system", "Be nice."),
        said("assistant", 17),
        "nonsense",
        {"role": "assistant"},
        said("assistant", "\x00 "),
        said("assistant", "Fine.", created_at="yesterday"),
    ]
    assert reconcile(talk) == 1
    assert ours(talk) == [(1, "persona", "Fine.")]


def test_long_words_and_words_before_others_are_kept(talk, lyzr):
    words = ["x" * 5_000, "And more.", "y" * 5_000]
    lyzr.sessions[LABEL] = [said("user", words[0]), said("user", words[1]), said("assistant", words[2])]
    assert reconcile(talk) == 3
    assert [text for _, _, text in ours(talk)] == words
    assert talk.messages.get(seq=3).reply_to.seq == 2
    assert reconcile(talk) == 0


def test_an_answer_that_was_lost_here_is_brought_back(talk, lyzr):
    record_message(talk, "Hi.", "c1")
    lyzr.sessions[LABEL] = [said("user", "Hi."), said("assistant", "Hello.")]
    assert reconcile(talk) == 1
    assert ours(talk) == [(1, "person", "Hi."), (2, "persona", "Hello.")]
    assert reconcile(talk) == 0


def test_a_session_that_lyzr_does_not_know_has_nothing(talk):
    assert reconcile(talk) == 0


FAULTS = [
    (Behaviour(fault=Fault.STATUS, status=401), "authentication"),
    (Behaviour(fault=Fault.STATUS, status=500), "unavailable"),
    (Behaviour(fault=Fault.SILENCE), "timeout"),
    (Behaviour(fault=Fault.WRONG_SHAPE), "bad_response"),
    (Behaviour(fault=Fault.HTML), "bad_response"),
]


@pytest.mark.parametrize(("behaviour", "code"), FAULTS)
def test_a_failure_appends_nothing(talk, lyzr, behaviour, code):
    lyzr.script(behaviour)
    with pytest.raises(LyzrError) as caught:
        reconcile(talk)
    assert caught.value.code == code
    assert ours(talk) == []


def test_a_talk_that_has_ended_can_still_be_completed(talk, lyzr):
    type(talk).objects.filter(pk=talk.pk).update(state="closed")
    lyzr.sessions[LABEL] = [said("user", "Hi."), said("assistant", "Bye.")]
    assert reconcile(talk) == 2
