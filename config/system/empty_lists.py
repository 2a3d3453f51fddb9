"""What to do next where a list of the admin is still empty."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Words = str | Promise


@dataclass(frozen=True, slots=True)
class NextStep:
    """`heading` says what is missing, `words` how it comes to be; a button where that is another page."""

    heading: Words
    words: Words
    page: str = ""
    button: Words = ""

    @property
    def url(self) -> str:
        return reverse(self.page) if self.page else ""


CAMPAIGNS = "admin:campaigns_campaign_changelist"
TO_CAMPAIGNS = _("To the campaigns")

STEPS: dict[str, NextStep] = {
    "campaigns.Campaign": NextStep(
        _("No campaigns yet"), _("A campaign invites people to one guide by email. Begin with its name.")
    ),
    "campaigns.EmailTemplate": NextStep(
        _("No email templates yet"), _("A template holds the words of an invitation, with places for names.")
    ),
    "campaigns.Delivery": NextStep(
        _("No emails yet"), _("They appear here when a campaign starts."), CAMPAIGNS, TO_CAMPAIGNS
    ),
    "campaigns.SmtpServer": NextStep(
        _("No SMTP servers yet"),
        _("Until you add one, emails stay in the outbox and none leaves this machine."),
    ),
    "campaigns.InboundEmail": NextStep(
        _("No emails have arrived"),
        _("Add a mailbox, and replies and bounces are read within a minute."),
        "admin:campaigns_mailbox_add",
        _("Add a mailbox"),
    ),
    "campaigns.Mailbox": NextStep(
        _("No mailboxes yet"), _("Add the one that replies and bounces come to; it is read by IMAP.")
    ),
    "campaigns.MailWebhook": NextStep(
        _("No provider webhooks yet"), _("Add one if a mail provider sends for you and reports bounces.")
    ),
    "campaigns.WebhookCall": NextStep(
        _("No provider has called"), _("Calls appear here once a provider webhook is set up.")
    ),
    "voice.ReceivedConversation": NextStep(
        _("No conversations were received"),
        _("They appear here once another system calls the webhook API (docs/webhook-api.md)."),
    ),
    "voice.VoiceEvent": NextStep(
        _("No webhook has come"), _("Each one is kept here as it came, and can be read anew.")
    ),
    "voice.PhoneCall": NextStep(
        _("No calls yet"),
        _("They appear here once somebody is called, by the API or by a call batch."),
        "admin:voice_callbatch_changelist",
        _("To the call batches"),
    ),
    "voice.CallBatch": NextStep(
        _("No call batches yet"), _("A batch calls many people about one thing, so many at a time.")
    ),
    "voice.Callee": NextStep(
        _("Nobody is in a call batch"),
        _("Open a call batch and add people."),
        "admin:voice_callbatch_changelist",
        _("To the call batches"),
    ),
    "voice.TimeSlot": NextStep(
        _("No times on offer"), _("Calls offer these times; without one, nobody is called by a batch.")
    ),
    "voice.Appointment": NextStep(
        _("No appointments yet"), _("One appears when somebody agrees to a time on the phone.")
    ),
    "campaigns.Recipient": NextStep(
        _("Nobody is invited yet"), _("Open a campaign and import people."), CAMPAIGNS, TO_CAMPAIGNS
    ),
    "campaigns.ContactImport": NextStep(
        _("No imports yet"), _("Open a campaign and import people from a CSV file."), CAMPAIGNS, TO_CAMPAIGNS
    ),
    "interviews.Interview": NextStep(
        _("No interviews yet"),
        _("Start a campaign, or invite one person from the page of a guide."),
        CAMPAIGNS,
        TO_CAMPAIGNS,
    ),
    "interviews.Guide": NextStep(
        _("No guides yet"), _("A guide holds the goal and the questions of an interview.")
    ),
    "personas.Persona": NextStep(
        _("No personas yet"), _("A persona is who speaks: its name, manner and voice.")
    ),
    "personas.ProviderCredential": NextStep(
        _("No keys of model vendors yet"),
        _("Without one, personas speak the guide's own words; a key of the installation also works."),
    ),
    "personas.LyzrLink": NextStep(
        _("Nothing at Lyzr yet"),
        _("A row holds the ids of an account's agents there; docs/lyzr.md says how they are made."),
    ),
    "personas.Usage": NextStep(_("No use of models yet"), _("A row appears for each day a persona spoke.")),
    "personas.Budget": NextStep(
        _("No budgets yet"), _("Give an account one, and its agents stop asking models when it is used up.")
    ),
    "crm.ContactMerge": NextStep(
        _("No likely doubles"), _("Two contacts that look like one person are proposed here within a minute.")
    ),
    "crm.Contact": NextStep(
        _("No contacts yet"), _("Add one, or open a campaign and import people from a CSV file.")
    ),
    "crm.Conversation": NextStep(
        _("No conversations yet"), _("One appears when a person begins an interview.")
    ),
    "crm.Suppression": NextStep(
        _("Nobody is suppressed"), _("Addresses appear here when people unsubscribe or emails bounce.")
    ),
    "crm.AccessLink": NextStep(_("No links yet"), _("One is made for each person who is invited.")),
    "crm.Erasure": NextStep(
        _("Nobody was erased"), _("To erase a person, open the contact and choose to erase.")
    ),
    "crm.MessageReport": NextStep(
        _("Nothing was reported"), _("Replies that people report in persona chat wait here for you.")
    ),
    "crm.ModerationRule": NextStep(
        _("No moderation rules yet"), _("A rule refuses, masks or flags words in persona chat.")
    ),
    "crm.ModerationByVendor": NextStep(
        _("No vendor moderates"), _("Choose an account and a provider that can, like openai.")
    ),
    "crm.ModerationFlag": NextStep(
        _("Nothing was found"), _("What rules and vendors find in persona chat is listed here.")
    ),
    "crm.Ban": NextStep(_("Nobody is banned"), _("A ban keeps one person out of persona chat.")),
    "knowledge.Collection": NextStep(
        _("No collections yet"), _("A collection holds documents, and says who may read them.")
    ),
    "knowledge.Document": NextStep(
        _("No documents yet"), _("Upload files, or finish an interview: its transcript becomes one.")
    ),
    "knowledge.RemoteCopy": NextStep(
        _("No copies at vendors"),
        _("Give a collection a knowledge base at a vendor, and its documents go there too."),
    ),
    "knowledge.Question": NextStep(
        _("Nothing was asked yet"),
        _("Ask what people said; the answer cites the messages."),
        "admin:knowledge_ask",
        _("Ask a question"),
    ),
    "api.ApiKey": NextStep(
        _("No API keys yet"), _("A program needs one to use the API. It is shown once, when you make it.")
    ),
    "api.AuditEntry": NextStep(
        _("Nothing on record yet"), _("Reading a transcript and every change is written down here.")
    ),
    "system.Heartbeat": NextStep(_("No part has reported yet"), _("Each reports within half a minute.")),
    "system.RequestFigure": NextStep(_("No requests yet"), _("They are counted each minute.")),
}


def next_step(model_label: str) -> NextStep | None:
    """None for a model that this map does not know: the list then says only that it is empty."""
    return STEPS.get(model_label)
