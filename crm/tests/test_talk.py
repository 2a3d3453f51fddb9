"""Messages are one sequence, stored once; a talk is closed once; a link opens one talk."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from crm import channels, links, talk
from crm.models import AccessLink, Conversation, Message
from crm.sanitising import Sieve, sanitised
from crm.signals import conversation_closed, message_recorded
from tests.factories import make_account, make_contact, make_conversation


@pytest.mark.django_db(transaction=True)
def test_the_same_send_from_twenty_threads_is_one_message():
    conversation = make_conversation()

    def send(_number):
        try:
            return talk.record_message(Conversation.objects.get(pk=conversation.pk), "Hello", "a1")
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(send, range(20)))
    assert len({message.pk for message, _new in found}) == 1
    assert sum(new for _message, new in found) == 1
    assert Conversation.objects.get().last_seq == 1


@pytest.mark.django_db(transaction=True)
def test_numbers_have_no_gap_and_no_double_whoever_speaks_at_once():
    conversation = make_conversation(persona=None)

    def send(number):
        try:
            talk.record_message(Conversation.objects.get(pk=conversation.pk), f"Hello {number}", f"a{number}")
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(send, range(20)))
    assert list(Message.objects.values_list("seq", flat=True)) == list(range(1, 21))


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["", "  \n", "\x00", "x" * 4_001])
def test_a_message_at_fault_is_refused_and_takes_no_number(text):
    conversation = make_conversation()
    with pytest.raises(talk.InvalidMessage):
        talk.record_message(conversation, text)
    assert Conversation.objects.get().last_seq == 0


@pytest.mark.django_db
def test_nul_and_lone_surrogates_are_left_out():
    message, _new = talk.record_message(make_conversation(), "a\x00b\ud800c")
    assert Message.objects.get(pk=message.pk).text == "abc"


@pytest.mark.django_db
def test_a_closed_talk_takes_no_message():
    conversation = make_conversation()
    talk.close(conversation, "completed")
    with pytest.raises(talk.TalkClosed):
        talk.record_message(conversation, "One more thing")


@pytest.mark.django_db(transaction=True)
def test_closing_twice_is_heard_once_and_after_commit():
    heard = []

    def listen(conversation_id, **kwargs):
        heard.append((conversation_id, Conversation.objects.get(pk=conversation_id).state))

    conversation_closed.connect(listen)
    conversation = make_conversation()
    assert [talk.close(conversation, "completed"), talk.close(conversation, "stopped")] == [True, False]
    assert heard == [(conversation.pk, "closed")]
    assert Conversation.objects.get().close_reason == "completed"


@pytest.mark.django_db(transaction=True)
def test_a_receiver_that_fails_loses_no_message():
    def fail(**kwargs):
        raise RuntimeError

    message_recorded.connect(fail)
    talk.record_message(make_conversation(), "Hello")
    message_recorded.disconnect(fail)
    assert Message.objects.count() == 1


@pytest.mark.django_db
def test_a_talk_is_opened_again_for_a_correction():
    conversation = make_conversation()
    talk.close(conversation, "completed")
    assert talk.reopen(conversation)
    assert talk.record_message(conversation, "For tools I meant paper")[1]


@pytest.fixture
def link(db):
    conversation = make_conversation()
    return AccessLink.issue(conversation.contact, "conversation", conversation=conversation)


def test_a_token_opens_its_link_and_notes_the_first_opening(link):
    row, token = link
    assert links.open_link(token, "conversation").pk == row.pk
    assert AccessLink.objects.get().first_opened_at is not None
    assert links.open_link(token, "unsubscribe") is None


@pytest.mark.parametrize(
    "change", [{"revoked_at": timezone.now()}, {"expires_at": timezone.now() - timedelta(1)}]
)
def test_a_link_that_ended_opens_nothing(link, change):
    AccessLink.objects.update(**change)
    assert links.open_link(link[1], "conversation") is None


@pytest.mark.parametrize("token", ["", "x", "y" * 10_000, "\x00"])
def test_no_token_is_no_link(link, token):
    assert links.open_link(token, "conversation") is None


def test_the_cookie_works_for_its_own_conversation_only(link):
    row, token = link
    response = HttpResponse()
    links.remember(response, token, row)
    cookie = response.cookies["rapport_link"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (
        f"/chat/{row.conversation_id}",
        True,
        "Lax",
    )
    request = RequestFactory().get("/", headers={"Cookie": f"rapport_link={token}"})
    assert links.for_cookie(request, row.conversation_id).pk == row.pk
    assert links.for_cookie(request, make_conversation().pk) is None
    scope = {"headers": [(b"cookie", f"a=b; rapport_link={token}".encode())]}
    assert links.for_cookie(scope, row.conversation_id).pk == row.pk


def test_a_channel_nobody_offers_is_named(settings):
    settings.CHANNELS = {}
    with pytest.raises(channels.UnknownChannel, match="pigeon"):
        channels.channel("pigeon")


DIRTY = [
    ("<b>Hello</b> <script>x</script>", "Hello x"),
    ("![cat](https://evil.example/p.png) hi", "cat hi"),
    ("See [this](https://evil.example/a) now", "See this now"),
    ("Go to https://evil.example/x?y now", "Go to [link removed] now"),
    ("javascript:void now", "[link removed] now"),
    ("3 < 5 and 7 > 2", "3 < 5 and 7 > 2"),
    ("array[0] (first)", "array[0] (first)"),
    ("http://testserver/chat is ours", "http://testserver/chat is ours"),
    ("a\x00b\u202ec", "abc"),
]


@pytest.mark.parametrize(("raw", "clean"), DIRTY)
def test_a_reply_is_plain_text_without_foreign_links(raw, clean):
    assert sanitised(raw) == clean


@pytest.mark.parametrize(("raw", "clean"), DIRTY)
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_a_reply_cut_anywhere_comes_out_the_same(raw, clean, size):
    sieve = Sieve()
    pieces = [sieve.feed(raw[start : start + size]) for start in range(0, len(raw), size)]
    assert "".join([*pieces, sieve.flush()]) == clean


@pytest.mark.django_db
def test_the_talk_of_a_callers_id_is_found_by_its_index():
    """SQLite knows that a partial index will do only when the query repeats its condition."""
    account = make_account()
    contact = make_contact(account)
    # Enough that no other index does as well.
    Conversation.objects.bulk_create(
        Conversation(account=account, contact=contact, external_id=f"id-{number}") for number in range(500)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE crm_conversation")
    rows = Conversation.objects.called(account.pk, "their-own-id")
    plan = rows.order_by().explain()
    assert "external_conversation_once" in plan
