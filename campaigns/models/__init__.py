"""Who is invited, by which email, and what became of each."""

from campaigns.models.campaigns import Campaign, ContactImport, Recipient, Variant
from campaigns.models.deliveries import Delivery, EmailEvent
from campaigns.models.schedules import Schedule, Step
from campaigns.models.servers import EmailTemplate, SmtpServer
from campaigns.models.splits import SplitTest

__all__ = [
    "Campaign",
    "ContactImport",
    "Delivery",
    "EmailEvent",
    "EmailTemplate",
    "Recipient",
    "Schedule",
    "SmtpServer",
    "SplitTest",
    "Step",
    "Variant",
]
