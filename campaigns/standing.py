"""The one standing campaign of an account, on which the documented marketing API works."""

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import states
from campaigns.models import Campaign, EmailTemplate, Recipient
from config.api.models import Account
from crm.models import Contact
from interviews import starting
from interviews.default_guide import guide_of
from interviews.models import Interview

NAME = "Marketing API"
INVITATION = {
    "name": "Invitation to an interview",
    "subject": "{{ first_name|Hello }}, may we ask you something?",
    "preheader": "A short conversation, whenever it suits you.",
    "text": (
        "Hello {{ first_name|there }},\n\n"
        "we would like to hear about your work. An interviewer asks you a few questions in a chat; it takes "
        "about {{ minutes }} minutes, and you can pause at any time.\n\n"
        "Begin here: {{ link }}\n\n"
        "Thank you,\n{{ organisation }}"
    ),
}


class EndedError(Exception):
    """Staff ended the standing campaign: nothing more leaves. `str()` is for the caller."""


def running_campaign_of(account: Account) -> Campaign:
    """The same, for those who are about to rely on its emails. Raises EndedError."""
    found = campaign_of(account)
    if found.state in (Campaign.State.CANCELLED, Campaign.State.FINISHED):
        words = _("Staff ended this account's campaign “%(name)s”, so no email would leave.")
        raise EndedError(words % {"name": found.name})
    return found


def campaign_of(account: Account) -> Campaign:
    """Safe when several callers ask for it at once: there is one."""
    found = _standing(account)
    if found is not None:
        return found
    try:
        with transaction.atomic():
            return _made(account)
    except IntegrityError:  # made at this moment by another caller
        return Campaign.objects.select_related("account", "guide").get(account=account, is_standing=True)


def _standing(account: Account) -> Campaign | None:
    rows = Campaign.objects.for_account(account).filter(is_standing=True)
    found: Campaign | None = rows.select_related("account", "guide__account", "smtp_server").first()
    return found


def _made(account: Account) -> Campaign:
    template = EmailTemplate.objects.create(account=account, **INVITATION)
    made: Campaign = Campaign.objects.create(
        account=account, name=NAME, guide=guide_of(account), template=template, is_standing=True
    )
    return made


def interview_with(account: Account, contact: Contact) -> Interview:
    """settings.INVITER: the interview that another program asks this person for.

    Somebody on the list keeps it: their invitation leads to this interview, and is due now.
    """
    campaign = campaign_of(account)
    interview = starting.invite(campaign.guide, contact).interview
    rows = Recipient.objects.filter(campaign=campaign, contact=contact, interview=None)
    if rows.filter(state=Recipient.State.WAITING).update(interview=interview, next_at=timezone.now()):
        states.wake(campaign.pk)
    return interview
