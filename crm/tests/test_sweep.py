"""What a killed process leaves behind is found from rows."""

from datetime import timedelta

import pytest
from django.utils import timezone

from crm import talk, tasks, turns
from crm.models import Message
from crm.tests.test_replies import open_talk, said

pytestmark = pytest.mark.django_db(transaction=True)


def age(message, seconds):
    then = timezone.now() - timedelta(seconds=seconds)
    Message.objects.filter(pk=message.pk).update(created_at=then)


def test_a_message_whose_process_died_before_its_reply_is_answered():
    message = said(open_talk(), "I am a nurse.")
    age(message, 11)
    tasks.sweep()
    assert Message.objects.get(reply_to=message).state == "complete"


def test_a_fresh_message_is_left_to_its_own_process():
    message = said(open_talk(), "I am a nurse.")
    tasks.sweep()
    assert not Message.objects.filter(reply_to=message).exists()


def test_a_silent_reply_is_interrupted_and_tried_once_more():
    message = said(open_talk(), "I am a nurse.")
    turn = turns.begin_turn(message.pk)
    Message.objects.filter(pk=turn.reply_id).update(heartbeat_at=timezone.now() - timedelta(seconds=31))
    tasks.sweep()
    reply = Message.objects.get(reply_to=message)
    assert (reply.state, reply.attempts, reply.pk) == ("complete", 2, turn.reply_id)


def test_a_reply_that_was_interrupted_twice_waits_for_the_person():
    message = said(open_talk(), "I am a nurse.")
    turn = turns.begin_turn(message.pk)
    Message.objects.filter(pk=turn.reply_id).update(state="failed", error_code="interrupted", attempts=2)
    assert tasks.unanswered() == []


def test_a_reply_with_a_heartbeat_is_left_alone():
    message = said(open_talk(), "I am a nurse.")
    turns.begin_turn(message.pk)
    assert turns.interrupt_silent() == 0


def test_closed_and_taken_over_talks_are_not_answered(admin_user):
    closed, taken = open_talk(), open_talk()
    for message in (said(closed, "Hello"), said(taken, "Hello")):
        age(message, 60)
    talk.close(closed, "stopped")
    talk.take_over(taken, admin_user)
    assert tasks.unanswered() == []
