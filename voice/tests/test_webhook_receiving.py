"""Deliveries that come at the same time are stored together, and each is told what it would be told alone."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import make_account
from voice import webhook_body, webhook_receiving
from voice.models import ReceivedConversation, VoiceEvent
from voice.webhook_receiving import Delivery, Erased, OtherAccount, Stored, keep_each

pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    return make_account("calls")


def delivery(account, conversation, *, words="Hello", label="acc1"):
    body = {
        "emailId": "ada@example.com",
        "accountId": label,
        "conversationId": conversation,
        "transcript": [
            {"timestamp": "2024-01-15T10:30:00Z", "speaker": "user", "content": words, "messageId": "1"}
        ],
        "metadata": {"agentId": "a", "duration": 1, "messageCount": 1, "platform": "web", "userAgent": "t"},
    }
    return Delivery(account, json.dumps(body).encode(), webhook_body.digest_of(body), webhook_body.read(body))


def test_each_has_its_own_answer(account):
    (first,) = keep_each([delivery(account, "known")])
    keep_each([delivery(account, "gone")])
    ReceivedConversation.objects.filter(conversation_id="gone").update(
        status=ReceivedConversation.Status.ERASED
    )
    new, repeat, later, again, other, gone, third = keep_each(
        [
            delivery(account, "new"),
            delivery(account, "new"),
            delivery(account, "new", words="Hello again"),
            delivery(account, "known"),
            delivery(account, "known", label="acc2"),
            delivery(account, "gone"),
            delivery(account, "third"),
        ]
    )
    assert (new.is_new, repeat.is_new, later.is_new, again.is_new, third.is_new) == (
        (True, False, True, False, True)
    )
    assert repeat.event == new.event != later.event
    assert again.event == first.event
    assert isinstance(other, OtherAccount)
    assert isinstance(gone, Erased)
    assert VoiceEvent.objects.count() == 5
    assert ReceivedConversation.objects.get(conversation_id="new").version == 2


def test_one_of_them_begun_by_another_process_in_this_moment_stops_no_other(account, monkeypatch):
    (first,) = keep_each([delivery(account, "theirs")])
    monkeypatch.setattr(webhook_receiving, "_known", lambda deliveries: set())
    theirs, ours = keep_each([delivery(account, "theirs"), delivery(account, "ours")])
    assert theirs == Stored(first.event, is_new=False)
    assert ours.is_new
    assert ours.event.received.conversation_id == "ours"


def test_many_new_ones_cost_as_many_queries_as_one(account):
    def queries(names):
        with CaptureQueriesContext(
            connection,
        ) as caught:
            keep_each([delivery(account, name) for name in names])
        return len(caught)

    assert queries(["one"]) == queries([f"many {number}" for number in range(20)])


def test_two_accounts_may_use_the_same_id(account):
    mine, theirs = keep_each([delivery(account, "c"), delivery(make_account("other"), "c")])
    assert mine.is_new
    assert theirs.is_new
    assert mine.event.account != theirs.event.account
