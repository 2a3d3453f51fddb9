from datetime import timedelta

import pytest
from django.utils import timezone

from config.api.models import digest
from crm.models import AccessLink, Conversation, Message, TimelineEntry
from crm.talk import TalkClosed, record_message
from interviews import starting
from interviews.models import Guide, Interview, Question
from interviews.progress import progress_of, told_by
from interviews.tests.holding import begin, hold, invite, say
from tests.factories import make_account, make_contact, make_guide

pytestmark = pytest.mark.django_db


def test_an_invitation_is_a_conversation_with_an_expiring_link(settings):
    settings.PUBLIC_BASE_URL = "https://talk.example"
    invitation = invite(days=3)

    link = AccessLink.objects.get(digest=digest(invitation.token))
    assert invitation.url == f"https://talk.example/i/{invitation.token}"
    assert link.conversation_id == invitation.interview.conversation_id
    assert link.expires_at == invitation.interview.expires_at
    assert timedelta(days=2, hours=23) < link.expires_at - timezone.now() <= timedelta(days=3)
    assert invitation.interview.state == "invited"


def test_a_thousand_people_are_invited_in_few_queries(django_assert_max_num_queries):
    guide = make_guide()
    contacts = [make_contact(guide.account) for _ in range(60)]

    with django_assert_max_num_queries(9):
        invitations = starting.invite_many(guide, contacts)

    assert [invitation.interview.contact for invitation in invitations] == contacts
    assert len({invitation.token for invitation in invitations}) == 60


def test_a_contact_of_another_account_cannot_be_invited():
    with pytest.raises(ValueError, match="one account"):
        invite(make_guide(), make_contact(make_account("other")))


def test_nobody_can_talk_before_they_agreed():
    interview = invite().interview
    with pytest.raises(TalkClosed):
        record_message(interview.conversation, "Hello, is anybody there?")
    assert not Message.objects.exists()


def test_opening_is_only_a_hint():
    interview = invite().interview
    assert starting.mark_opened(interview.pk)
    assert not starting.mark_opened(interview.pk)
    interview.refresh_from_db()
    assert (interview.state, interview.opened_at is not None) == ("opened", True)
    assert not Message.objects.exists()


def test_begin_freezes_the_guide_keeps_the_consent_and_greets():
    interview = begin(make_guide(welcome="Welcome.", consent_version="7"))

    greeting = Message.objects.get(conversation=interview.conversation_id)
    consent = interview.contact.consents.get()
    assert greeting.text == "Welcome. What do you do at work?"
    assert (consent.purpose, consent.given, consent.text_version) == ("interview", True, "7")
    assert interview.frozen_guide["brief"]["questions"][2]["choices"] == ["1", "2", "3", "4", "5"]
    assert Conversation.objects.get(pk=interview.conversation_id).brief == interview.frozen_guide["brief"]
    assert TimelineEntry.objects.get(kind="interview_started").ref["id"] == str(interview.pk)


def test_begin_posted_twice_begins_once():
    interview = begin()
    starting.begin(interview.pk, consent_evidence={})
    assert Message.objects.count() == 1
    assert interview.contact.consents.count() == 1


def test_a_later_change_of_the_guide_does_not_reach_an_interview_that_began():
    interview = begin()
    Question.objects.filter(guide=interview.guide).update(text="Something else?")
    interview.refresh_from_db()
    assert told_by(interview)[1].question.text == "Which tools do you use every day?"


def test_an_invitation_that_ran_out_cannot_begin():
    interview = invite(days=1).interview
    with pytest.raises(starting.MoveRefused, match="run out"):
        starting.begin(interview.pk, consent_evidence={}, now=timezone.now() + timedelta(days=2))
    assert not Message.objects.exists()


def test_a_finished_interview_cannot_begin_again():
    interview = hold()
    with pytest.raises(starting.MoveRefused, match="already"):
        starting.begin(interview.pk, consent_evidence={})


def test_whoever_declined_may_change_their_mind():
    interview = invite().interview
    starting.decline(interview.pk)
    assert starting.decline(interview.pk).state == "declined"
    assert not Conversation.objects.get(pk=interview.conversation_id).is_open

    interview = starting.begin(interview.pk, consent_evidence={})
    assert interview.state == "started"
    assert Conversation.objects.get(pk=interview.conversation_id).is_open


def test_what_has_begun_cannot_be_declined():
    with pytest.raises(starting.MoveRefused):
        starting.decline(begin().pk)


def test_a_shuffled_guide_has_one_order_for_each_person():
    guide = make_guide(
        order=Guide.Order.SHUFFLED, questions=[{"key": f"q{n}", "text": f"Q{n}?"} for n in range(8)]
    )
    orders = []
    for _ in range(4):
        interview = begin(guide)
        orders.append([question["key"] for question in interview.frozen_guide["brief"]["questions"]])
    assert all(sorted(order) == [f"q{n}" for n in range(8)] for order in orders)
    assert len({tuple(order) for order in orders}) > 1


def test_invitations_expire_by_the_sweep_and_a_fresh_link_revives_them():
    old = invite(days=1)
    kept = invite(days=9)
    later = timezone.now() + timedelta(days=2)

    assert starting.expire_due(now=later) == 1
    assert Interview.objects.get(pk=old.interview.pk).state == "expired"
    assert Interview.objects.get(pk=kept.interview.pk).state == "invited"

    fresh = starting.renew(old.interview.pk, now=later)
    assert fresh.interview.state == "invited"
    assert AccessLink.objects.for_token(old.token).get().revoked_at is not None
    assert starting.begin(old.interview.pk, consent_evidence={}, now=later).state == "started"


def test_a_quiet_interview_is_abandoned_and_taken_up_when_the_person_returns():
    interview = begin()
    starting.abandon_quiet(now=timezone.now() + timedelta(days=6))
    assert Interview.objects.get(pk=interview.pk).state == "started"

    Conversation.objects.update(last_activity_at=timezone.now() - timedelta(days=8))
    assert starting.abandon_quiet() == 1
    assert starting.take_up_again() == 0

    say(interview, "I am a nurse and I plan the shifts of twelve people, which takes days.")
    assert starting.take_up_again() == 1
    assert Interview.objects.get(pk=interview.pk).state == "started"


def test_a_correction_reopens_the_talk():
    interview = hold()
    reopened = starting.reopen_for_correction(interview.pk)
    assert reopened.state == "started"
    assert Conversation.objects.get(pk=interview.conversation_id).is_open
    assert starting.reopen_for_correction(interview.pk).state == "started"


def test_there_is_nothing_to_correct_before_the_end():
    with pytest.raises(starting.MoveRefused):
        starting.reopen_for_correction(invite().interview.pk)


def test_progress_says_how_far_and_which_question_waits():
    interview = invite().interview
    assert progress_of(interview).total == 3
    interview = starting.begin(interview.pk, consent_evidence={})
    assert progress_of(interview).question_key == "role"
    say(interview, "I am a nurse on a busy children's ward, and I plan the shifts of twelve people.")
    assert (progress_of(interview).answered, progress_of(interview).question_key) == (1, "tools")
