"""Who is invited, by which email, and what became of each."""

from campaigns.models.campaigns import Campaign, ContactImport, Recipient
from campaigns.models.deliveries import Delivery, EmailEvent
from campaigns.models.servers import EmailTemplate, SmtpServer

__all__ = [
    "Campaign",
    "ContactImport",
    "Delivery",
    "EmailEvent",
    "EmailTemplate",
    "Recipient",
    "SmtpServer",
]
