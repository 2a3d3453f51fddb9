"""The one table of words of the documented API, held to every state there is."""

import pytest

from campaigns.models import Delivery, Recipient
from config.api import marketing_words as words
from crm.models import Conversation
from interviews.models import Interview


@pytest.mark.parametrize("state", Delivery.State.values)
def test_every_state_of_an_email_has_one_of_the_eight_words(state):
    assert words.email_word(recipient="invited", delivery=state) in words.EMAIL_WORDS


@pytest.mark.parametrize("state", Recipient.State.values)
def test_every_state_of_a_recipient_has_one_of_the_eight_words(state):
    assert words.email_word(recipient=state) in words.EMAIL_WORDS


@pytest.mark.parametrize("state", Interview.State.values)
def test_every_state_of_an_interview_has_a_word_in_each_column(state):
    assert words.interview_word(state) in words.INTERVIEW_WORDS
    assert words.SESSION[state] in words.SESSION_WORDS
    assert words.AFTER_SENDING[state] in words.EMAIL_WORDS


@pytest.mark.parametrize("state", Conversation.State.values)
def test_every_state_of_a_talk_with_an_agent_has_a_session_word(state):
    assert words.AGENT_SESSION[state] in words.SESSION_WORDS


@pytest.mark.parametrize("reason", Recipient.Stop.values)
def test_every_reason_to_stop_has_one_of_the_eight_words_or_leaves_that_of_the_email(reason):
    assert words.STOPPED[reason] in ("", *words.EMAIL_WORDS)


def test_no_table_has_a_state_that_is_none():
    assert set(words.DELIVERY) == set(Delivery.State.values)
    assert set(words.RECIPIENT) == set(Recipient.State.values)
    assert (
        set(words.INTERVIEW) == set(words.SESSION) == set(words.AFTER_SENDING) == set(Interview.State.values)
    )
    assert set(words.STOPPED) == set(Recipient.Stop.values)
    assert set(words.AGENT_SESSION) == set(Conversation.State.values)


@pytest.mark.parametrize(
    ("state", "is_requested", "word"),
    [
        (None, False, "not started"),
        ("invited", False, "pending"),
        ("opened", False, "pending"),
        ("invited", True, "started"),
        ("started", False, "started"),
        ("abandoned", False, "started"),
        ("completed", True, "completed"),
        ("failed", False, "completed"),
        ("declined", True, "completed"),
        ("processed", False, "processed"),
        ("expired", True, "not started"),
    ],
)
def test_an_interview_is_called(state, is_requested, word):
    assert words.interview_word(state, is_requested=is_requested) == word


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"recipient": "waiting"}, "pending"),
        ({"recipient": "skipped", "skip_reason": "unsubscribe"}, "failed"),
        ({"recipient": "skipped", "skip_reason": "hard_bounce"}, "bounced"),
        ({"recipient": "invited", "delivery": "deferred"}, "pending"),
        ({"recipient": "invited", "delivery": "in_data"}, "pending"),
        ({"recipient": "invited", "delivery": "sent"}, "sent"),
        ({"recipient": "invited", "delivery": "sent", "interview": "invited"}, "sent"),
        ({"recipient": "invited", "delivery": "sent", "interview": "opened"}, "opened"),
        ({"recipient": "invited", "delivery": "sent", "interview": "started"}, "clicked"),
        ({"recipient": "invited", "delivery": "failed", "interview": "opened"}, "failed"),
        ({"recipient": "invited", "delivery": "unknown"}, "failed"),
        ({"recipient": "invited", "delivery": "cancelled"}, "failed"),
        ({"recipient": "invited", "delivery": "sent", "stop_reason": "max_emails"}, "exhausted"),
        ({"recipient": "invited", "delivery": "sent", "stop_reason": "bounced"}, "bounced"),
        ({"recipient": "invited", "delivery": "sent", "stop_reason": "replied"}, "sent"),
    ],
)
def test_an_email_is_called(facts, word):
    assert words.email_word(**facts) == word
