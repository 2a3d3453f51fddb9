"""Who is invited, by which email, and what became of each."""

from campaigns.models.campaigns import Campaign, ContactImport, Recipient, Variant
from campaigns.models.contents import EmailContent
from campaigns.models.deliveries import Delivery, EmailEvent, SendingFigure, SentText
from campaigns.models.inbound import InboundEmail, Mailbox, MailWebhook, WebhookCall
from campaigns.models.schedules import Schedule, Step
from campaigns.models.servers import EmailTemplate, SendingPace, SmtpServer
from campaigns.models.splits import SplitTest

__all__ = [
    "Campaign",
    "ContactImport",
    "Delivery",
    "EmailContent",
    "EmailEvent",
    "EmailTemplate",
    "InboundEmail",
    "MailWebhook",
    "Mailbox",
    "Recipient",
    "Schedule",
    "SendingFigure",
    "SendingPace",
    "SentText",
    "SmtpServer",
    "SplitTest",
    "Step",
    "Variant",
    "WebhookCall",
]
