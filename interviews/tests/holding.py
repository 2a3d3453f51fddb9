"""An interview held turn by turn by the real planner, without a model, in the test's own thread."""

from django.utils import timezone

from crm import briefs, talk
from crm.models import Conversation, Message
from interviews import processing, starting
from interviews.progress import brief_of, talk_of
from tests.factories import make_contact, make_guide

ANSWERS = (
    "I am a nurse on a busy children's ward, and I plan the shifts for twelve people each month.",
    "Spreadsheets and a paper diary every single day, because the planning program is too slow for us.",
    "4",
)


def invite(guide=None, contact=None, **options):
    guide = guide or make_guide()
    return starting.invite(guide, contact or make_contact(guide.account), **options)


def begin(guide=None, contact=None):
    interview = invite(guide, contact).interview
    return starting.begin(interview.pk, consent_evidence={"ip": "127.0.0.1"})


def say(interview, text):
    """One turn: the person's message, recognised, and the planner's words. True when the talk ended."""
    conversation = Conversation.objects.get(pk=interview.conversation_id)
    message, _new = talk.record_message(conversation, text)
    read = briefs.read_message(brief_of(interview), talk_of(conversation.pk))
    Message.objects.filter(pk=message.pk).update(act=read.act, question_key=read.question_key)
    plan = briefs.plan(brief_of(interview), talk_of(conversation.pk), now=timezone.now())
    talk.say(conversation, plan.say, plan=plan)
    if plan.ends:
        talk.close(conversation, plan.end_reason)
        processing.finish(conversation.pk)  # what the signal does after commit; doing it twice is once
    return plan.ends


def hold(guide=None, contact=None, answers=ANSWERS):
    interview = begin(guide, contact)
    for answer in answers:
        say(interview, answer)
    interview.refresh_from_db()
    return interview
