"""A stored message gets its one reply, whatever happens on the way."""

import asyncio

import pytest
from django.db import connection

from config.api.threads import in_database
from crm import briefs, replies, talk, turns
from crm.models import Conversation, Message
from crm.replies import Failed, Finished, Nothing, Piece, Started
from personas.providers.base import ProviderError
from tests.factories import make_conversation

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("flushed_layer")]

BRIEF = briefs.Brief(
    organisation="Acme",
    goal="We want to learn how people work.",
    closing="That was all. Goodbye.",
    questions=(
        briefs.BriefQuestion("role", "What do you do at work?", "Your work", probe_depth=0),
        briefs.BriefQuestion("tools", "Which tools do you use?", "Your tools", probe_depth=0),
    ),
).to_json()


def open_talk(**fields):
    from django.utils import timezone

    fields.setdefault("brief", BRIEF)
    conversation = make_conversation(**fields)
    plan = briefs.plan(conversation.brief, [], now=timezone.now())
    talk.say(conversation, plan.say, plan=plan)
    return conversation


def said(conversation, text, **fields):
    return talk.record_message(conversation, text, **fields)[0]


async def events_of(message):
    return [event async for event in replies.stream_reply(message.pk)]


async def test_a_message_is_answered_by_the_next_question():
    conversation = await in_database(open_talk)
    message = await in_database(said, conversation, "I am a nurse.")
    events = await events_of(message)
    assert isinstance(events[0], Started)
    assert "".join(e.text for e in events if isinstance(e, Piece)) == events[-1].message["text"]
    assert events[-1].message["text"].endswith("Which tools do you use?")
    assert events[-1].progress == {
        "answered": 1, "total": 2, "question_key": "tools", "topic": "Your tools", "percent": 50,
    }  # fmt: skip
    row = await in_database(Message.objects.get, reply_to=message)
    assert (row.state, row.seq, row.question_key, row.provider) == ("complete", 3, "tools", "offline")


async def test_what_the_person_meant_is_kept_on_their_message():
    conversation = await in_database(open_talk)
    message = await in_database(said, conversation, "skip")
    await events_of(message)
    row = await in_database(Message.objects.get, pk=message.pk)
    assert (row.act, row.question_key) == ("skip", "role")


async def test_the_last_answer_closes_the_talk_with_its_reply():
    heard = []
    from crm.signals import conversation_closed

    def listen(conversation_id, **kwargs):
        heard.append(conversation_id)

    conversation_closed.connect(listen)
    conversation = await in_database(open_talk)
    await events_of(await in_database(said, conversation, "I am a nurse."))
    last = (await events_of(await in_database(said, conversation, "Word and a telephone.")))[-1]
    assert last.closed == "completed"
    assert last.message["text"].endswith("That was all. Goodbye.")
    row = await in_database(Conversation.objects.get, pk=conversation.pk)
    assert (row.state, row.close_reason, heard) == ("closed", "completed", [conversation.pk])


async def test_asking_twice_gives_the_same_reply_once():
    conversation = await in_database(open_talk)
    message = await in_database(said, conversation, "I am a nurse.")
    first, second = await asyncio.gather(events_of(message), events_of(message))
    third = await events_of(message)
    assert first[-1].message == second[-1].message == third[-1].message
    assert await in_database(Message.objects.filter(reply_to=message).count) == 1


async def test_the_reply_is_finished_when_the_reader_leaves():
    conversation = await in_database(open_talk)
    message = await in_database(said, conversation, "I am a nurse.")
    stream = replies.stream_reply(message.pk)
    await anext(stream)
    await stream.aclose()
    await replies.ensure_reply(message.pk).task
    assert (await in_database(Message.objects.get, reply_to=message)).state == "complete"


async def test_a_second_message_waits_its_turn():
    conversation = await in_database(open_talk)
    await in_database(said, conversation, "I am a nurse.")
    with pytest.raises(talk.TurnTaken):
        await in_database(said, conversation, "And a mother.")
    assert await in_database(Message.objects.filter(author="person").count) == 1


async def test_staff_who_took_over_silence_the_persona(django_user_model):
    def taken():
        conversation = open_talk()
        talk.take_over(conversation, django_user_model.objects.create_user("sue", is_staff=True))
        return said(conversation, "Hello?")

    message = await in_database(taken)
    assert await events_of(message) == [Nothing("silent")]


async def test_a_turn_that_the_sweep_gave_up_changes_nothing_any_more():
    def given_up():
        message = said(open_talk(), "I am a nurse.")
        turn = turns.begin_turn(message.pk)
        Message.objects.filter(pk=turn.reply_id).update(state="failed", error_code="interrupted")
        again = turns.begin_turn(message.pk)
        return turn, again, turns.keep_alive([turns.Beat(turn, "late")]), turns.fail_turn(turn, "late")

    turn, again, kept, failed = await in_database(given_up)
    assert (turn.attempt, again.attempt, kept, failed) == (1, 2, {turn.reply_id}, False)
    assert turn.reply_id == again.reply_id


async def test_a_planner_at_fault_fails_the_reply_and_keeps_the_message():
    conversation = await in_database(open_talk, planner="crm.tests.test_replies.broken_planner")
    message = await in_database(said, conversation, "I am a nurse.")
    last = (await events_of(message))[-1]
    assert isinstance(last, Failed)
    assert (last.code, last.retryable) == ("internal", True)
    assert (await in_database(Message.objects.get, reply_to=message)).state == "failed"


def broken_planner(brief, said, *, now):
    raise ZeroDivisionError


async def test_a_failed_reply_is_tried_again_in_the_same_row():
    conversation = await in_database(open_talk, planner="crm.tests.test_replies.broken_planner")
    message = await in_database(said, conversation, "I am a nurse.")
    await events_of(message)
    await in_database(Conversation.objects.update, planner="crm.briefs.plan")
    assert isinstance((await events_of(message))[-1], Finished)
    row = await in_database(Message.objects.get, reply_to=message)
    assert (row.state, row.attempts, row.seq) == ("complete", 2, 3)


async def test_a_cancelled_server_leaves_no_half_reply(endless_words):
    conversation = await in_database(open_talk)
    message = await in_database(said, conversation, "I am a nurse.")
    running = replies.ensure_reply(message.pk)
    while running.started is None:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    running.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running.task
    row = await in_database(Message.objects.get, reply_to=message)
    assert (row.state, row.error_code) == ("failed", "interrupted")


async def test_a_stopped_reply_keeps_what_was_said(endless_words):
    conversation = await in_database(open_talk)
    message = await in_database(said, conversation, "I am a nurse.")
    last = None
    async for event in replies.stream_reply(message.pk):
        last = event
        if isinstance(event, Piece):
            replies.stop(conversation.pk)
    assert isinstance(last, Finished)
    assert last.message["text"].split()[-1] == "word"


async def test_offsets_count_as_javascript_does():
    running = replies.Running(1, started=Started(2, 1))
    running.text = "a😀b"
    stream = replies.follow(running, begin_at=2)
    await anext(stream)
    piece = await anext(stream)
    assert (piece.offset, piece.text) == (3, "b")
    await stream.aclose()


async def test_a_reply_costs_few_queries(django_assert_max_num_queries):
    conversation = await in_database(open_talk)

    def count():
        with django_assert_max_num_queries(11):
            _message, turn = turns.take(conversation, "I am a nurse.", "once")
            plan = briefs.plan(conversation.brief, turn.said, now=turn.message.created_at)
            read = briefs.read_message(conversation.brief, turn.said)
            turns.finish_turn(turn, "Next.", plan=plan, read=read, done=None, sources=())

    await in_database(count)
    assert connection.vendor in ("sqlite", "postgresql")


async def test_what_was_meant_is_kept_also_when_no_provider_can_word_the_reply(monkeypatch):
    async def speak(persona, prompt, *, account):
        raise ProviderError("unavailable", "Away.", retryable=True)
        yield

    monkeypatch.setattr("personas.speaking.speak", speak)
    conversation = await in_database(open_talk)
    message = await in_database(said, conversation, "skip")
    assert isinstance((await events_of(message))[-1], Failed)
    row = await in_database(Message.objects.get, author="person")
    assert (row.act, row.question_key) == ("skip", "role")
