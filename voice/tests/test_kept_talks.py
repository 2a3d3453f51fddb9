"""A call becomes a conversation of the person's, with its turns as messages, once."""

import pytest

from crm.models import Conversation, Message
from voice import kept_talks, personal_data, tasks
from voice.models import PhoneCall
from voice.tests.conftest import make_callee, make_slots
from voice.tests.test_races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def talked(ring, account):
    make_slots(account)
    line = ring(make_callee(account, name="Ada", time_zone="UTC"))
    line.answer()
    line.say("yes")
    line.silence()
    line.press("1")
    line.say("yes")
    return line


def test_turns_become_messages_when_the_line_is_down(talked):
    assert not Conversation.objects.exists()
    talked.hang_up()
    call = PhoneCall.objects.get()
    conversation = call.transcript
    assert (conversation.channel, conversation.state, conversation.close_reason) == (
        "phone",
        "closed",
        "booked",
    )
    assert conversation.contact == call.contact
    said = list(conversation.messages.order_by("seq").values_list("author", "text"))
    assert [author for author, _text in said] == [
        "persona", "person", "persona", "persona", "person", "persona", "person", "persona",
    ]  # fmt: skip
    assert said[1][1] == "yes"
    assert said[4][1] == "Pressed 1"
    assert conversation.last_seq == 8
    turn = call.turns.get(number=1)
    assert conversation.messages.get(seq=2).created_at == turn.at


def test_it_is_kept_once_however_often_it_is_asked_for(talked):
    talked.hang_up()
    talked.report("completed", CallDuration="42")
    call = PhoneCall.objects.get()
    assert kept_talks.keep(call.pk) is None
    PhoneCall.objects.update(transcript=None, transcript_is_due=True)
    Conversation.objects.all().delete()
    kept = at_once(lambda _number: kept_talks.keep(call.pk), range(4))
    assert len([one for one in kept if one]) == 1
    assert Conversation.objects.count() == 1


def test_the_sweep_keeps_what_a_killed_worker_left(talked):
    talked.hang_up()
    PhoneCall.objects.update(transcript=None, transcript_is_due=True)
    Conversation.objects.all().delete()
    tasks.sweep()
    assert Conversation.objects.count() == 1


def test_a_call_in_which_nobody_spoke_is_no_conversation(ring):
    ring().report("busy")
    assert not Conversation.objects.exists()


def test_a_talk_whose_end_was_never_reported_is_kept_in_the_end(talked, twilio):
    from datetime import UTC, datetime

    PhoneCall.objects.update(started_at=datetime(2026, 1, 1, tzinfo=UTC))
    twilio.calls[talked.sid] |= {"status": "completed", "duration": "33"}
    tasks.sweep()
    assert PhoneCall.objects.get().transcript is not None


def test_deleting_a_call_deletes_what_was_said(talked, api):
    talked.hang_up()
    assert api.delete(f"/conversations/{talked.sid}").status_code == 200
    assert not Conversation.objects.exists()
    assert not Message.objects.exists()


def test_erasing_the_conversation_erases_the_call(talked):
    talked.hang_up()
    call = PhoneCall.objects.get()
    personal_data.erase(call.contact, conversation_id=call.transcript_id)
    assert not PhoneCall.objects.exists()
