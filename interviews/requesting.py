"""An interview asked for by another program, and held in its chat: the marketing API's way in."""

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from config.api.models import Account
from crm import contacts, talk, turns
from crm.models import Contact, Message
from crm.turns import Turn
from interviews import processing, sessions, starting
from interviews.models import Interview
from interviews.starting import MoveRefused

State = Interview.State
SOURCE = "api"


@dataclass(frozen=True, slots=True)
class Taken:
    """A message of a person, stored; `turn` as turns.take gives it."""

    interview: Interview
    message: Message
    turn: Turn | None
    message_count: int


def request(account: Account, email: str) -> Interview:
    """The account asks the person at this address for an interview. Asked twice, it is one.

    An ended interview stays as it is; an invitation that ran out lives again. Raises InvalidAddress.
    """
    contact, _made = contacts.resolve(account, email=email, source=SOURCE)
    with transaction.atomic():
        # The contact's row is the lock: two requests at once make one interview.
        Contact.objects.select_for_update().get(pk=contact.pk)
        interview = sessions.interview_of(account, email)
        if interview is None:
            made: Interview = import_string(settings.INVITER)(account, contact)
            interview = made
        elif not interview.has_begun and starting.has_run_out(interview):
            starting.renew(interview.pk)
        rows = Interview.objects.filter(pk=interview.pk, requested_at=None)
        rows.filter(state__in=starting.BEFORE_BEGIN).update(requested_at=timezone.now())
        return sessions.interviews_of(account).get(pk=interview.pk)


def take(account: Account, email: str, text: str, *, client_message_id: str | None, vouched_by: str) -> Taken:
    """Stores what the person wrote in the caller's chat, and begins its reply.

    The first message begins the interview: `vouched_by` names the program that says the person agreed to it.
    Raises MoveRefused, and what contacts.resolve and turns.take raise.
    """
    interview = sessions.interview_of(account, email)
    if interview is None or not interview.has_begun:
        interview = _begun(account, email, vouched_by=vouched_by)
    message, turn = turns.take(interview.conversation, text, client_message_id)
    starting.take_up_again(interview.conversation_id)
    return Taken(interview, message, turn, sessions.message_count(interview.conversation_id))


def _begun(account: Account, email: str, *, vouched_by: str) -> Interview:
    interview = request(account, email)
    if interview.state == State.DECLINED:
        raise MoveRefused("This person declined the interview, or it was called off.")
    evidence = {"page": "api", "by": vouched_by}
    starting.begin(interview.pk, consent_evidence=evidence, source=SOURCE, with_greeting=False)
    return sessions.interviews_of(account).get(pk=interview.pk)


def complete(account: Account, interview: Interview) -> Interview:
    """The account ends the interview. Twice is once; one that has not begun is called off."""
    if interview.has_begun:
        talk.close(interview.conversation, "completed")
        processing.finish(interview.conversation_id)
    else:
        starting.call_off(interview.pk)
    return sessions.interviews_of(account).get(pk=interview.pk)
