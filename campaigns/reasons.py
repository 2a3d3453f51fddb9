"""Why somebody gets no email, or no more: read from rows, for many people in few queries."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.utils import timezone

from campaigns.models import Campaign, Recipient, Step
from config.api.prepared import PreparedValues, among
from crm import consent
from crm.contacts import email_of
from crm.models import Contact, Message, Suppression
from crm.models.consent import Purpose
from crm.models.contacts import Channel
from crm.standing import TAKEN_OVER
from interviews.models import Interview

Stop = Recipient.Stop

BY_INTERVIEW: dict[str, str] = {
    Interview.State.COMPLETED: Stop.COMPLETED,
    Interview.State.PROCESSED: Stop.COMPLETED,
    Interview.State.FAILED: Stop.COMPLETED,
    Interview.State.DECLINED: Stop.DECLINED,
    Interview.State.EXPIRED: Stop.EXPIRED,
}
BY_SUPPRESSION: dict[str, str] = {
    Suppression.Reason.UNSUBSCRIBE: Stop.UNSUBSCRIBED,
    Suppression.Reason.HARD_BOUNCE: Stop.BOUNCED,
    Suppression.Reason.COMPLAINT: Stop.COMPLAINED,
}
BEGUN = (Interview.State.STARTED, Interview.State.ABANDONED)
NOT_BEGUN = (Interview.State.INVITED, Interview.State.OPENED)
# Said of an email that was left out when it was about to leave; the person is still followed up.
CONDITION = "the step's condition no longer holds"


def against_inviting(campaign: Campaign, contacts: Sequence[Contact]) -> dict[UUID, str]:
    """Contact → why may_contact would refuse an invitation. Addresses should be prefetched."""
    asked = [(contact, email_of(contact)) for contact in contacts]
    said = consent.verdicts(campaign.account, Channel.EMAIL, Purpose.INVITATION, asked)
    verdicts = zip(contacts, said, strict=True)
    return {contact.pk: verdict.reason for contact, verdict in verdicts if not verdict.allowed}


def to_stop(campaign: Campaign, people: Sequence[Recipient]) -> dict[int, str]:
    """Recipient → why they are no longer followed up. Read with interviews, contacts and their addresses.

    Whether a talk was taken over is read from the talk itself: it may have been handed back since.
    """
    refused = against_inviting(campaign, [person.contact for person in people])
    with_staff = taken_over(person.interview for person in people)
    found = {}
    for person in people:
        if reason := by_interview(person.interview):
            found[person.pk] = reason
        elif person.interview and person.interview.conversation_id in with_staff:
            found[person.pk] = Stop.TAKEN_OVER
        elif reason := refused.get(person.contact_id, ""):
            found[person.pk] = of_refusal(reason)
    return found


def of_refusal(reason: str) -> str:
    """The stop that follows from may_contact's reason, or from our own."""
    return reason if reason in Stop.values else BY_SUPPRESSION.get(reason, Stop.SUPPRESSED)


def by_interview(interview: Interview | None) -> str:
    if interview is None:
        return ""
    has_run_out = interview.expires_at is not None and interview.expires_at <= timezone.now()
    return BY_INTERVIEW.get(interview.state, Stop.EXPIRED if has_run_out else "")


def taken_over(interviews: Iterable[Interview | None]) -> set[UUID]:
    talks = [one.conversation_id for one in interviews if one is not None]
    return {talk for (talk,) in _taken_over(talks=talks)} if talks else set()


_taken_over = PreparedValues(
    lambda: (
        Message.objects.filter(among(Message, "conversation", name="talks"), act=TAKEN_OVER)
        .order_by()
        .values_list("conversation_id")
    )
)


def holds(step: Step, interview: Interview | None) -> bool:
    """Whether the step's condition holds for somebody whom nothing stops."""
    if step.condition == Step.Condition.NOT_STARTED:
        return interview is None or interview.state in NOT_BEGUN
    if step.condition == Step.Condition.STARTED:
        return interview is not None and interview.state in BEGUN
    return True
