"""The people of a campaign, called: a draft of a call batch is made of them (voice/batches.py)."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from campaigns.models import Campaign
from crm.models import Contact
from voice import batches
from voice.models import CallBatch


def awaited(campaign: Campaign) -> "QuerySet[Contact]":
    """Those whom the campaign still waits for: nobody who replied, finished, declined or opted out."""
    people = campaign.recipients.filter(stopped_at=None)
    return Contact.objects.for_account(campaign.account).filter(pk__in=people.values("contact"))


def everybody(campaign: Campaign) -> "QuerySet[Contact]":
    return Contact.objects.for_account(campaign.account).filter(pk__in=campaign.recipients.values("contact"))


def batch_of(campaign: Campaign, *, by: str, only_awaited: bool = True) -> CallBatch:
    """A new draft; whom it may call is asked before each call. Raises batches.MoveRefused."""
    with transaction.atomic():
        batch: CallBatch = CallBatch.objects.create(
            account=campaign.account,
            name=_("Calls: %(name)s") % {"name": campaign.name[:180]},
            origin=f"campaign:{campaign.pk}",
            created_by=by[:150],
        )
        if not batches.add(batch, awaited(campaign) if only_awaited else everybody(campaign)):
            raise batches.MoveRefused(_("There is nobody in this campaign to call."))
    return batch
