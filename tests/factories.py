"""Rows for tests: each function makes one valid row, and whatever it needs, from few words."""

from itertools import count

from config.api.models import Account, ApiKey
from crm.models import Contact, ContactAddress, Conversation
from interviews.models import Guide, Question
from knowledge.models import Collection
from personas.models import Persona

_number = count(1)


def make_account(slug="acme", **fields):
    fields.setdefault("name", slug.title())
    return Account.objects.get_or_create(slug=slug, defaults=fields)[0]


def make_key(account=None, scopes=("*",), name="test"):
    """The key itself, ready for an Authorization header."""
    return ApiKey.issue(account or make_account(), name, scopes=list(scopes))[1]


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def make_persona(account=None, **fields):
    fields.setdefault("slug", f"persona-{next(_number)}")
    fields.setdefault("name", "Nora")
    fields.setdefault("kind", Persona.Kind.INTERVIEWER)
    fields.setdefault("provider_chain", ["offline"])
    return Persona.objects.create(account=account or make_account(), **fields)


def make_contact(account=None, email=None, name="Ada Lovelace", **fields):
    account = account or make_account()
    contact = Contact.objects.create(account=account, name=name, **fields)
    email = email or f"person{next(_number)}@example.com"
    ContactAddress.objects.create(
        account=account, contact=contact, kind="email", value=email, as_given=email, is_primary=True
    )
    return contact


def make_conversation(contact=None, **fields):
    contact = contact or make_contact()
    fields.setdefault("persona", make_persona(contact.account))
    return Conversation.objects.create(account=contact.account, contact=contact, **fields)


def make_collection(account=None, **fields):
    fields.setdefault("slug", f"collection-{next(_number)}")
    fields.setdefault("name", "Handbook")
    return Collection.objects.create(account=account or make_account(), **fields)


QUESTIONS = (
    {"key": "role", "topic": "Your work", "text": "What do you do at work?", "probe_depth": 1},
    {"key": "tools", "topic": "Your tools", "text": "Which tools do you use every day?", "probe_depth": 1},
    {
        "key": "rating",
        "topic": "How it goes",
        "text": "How content are you with them, from 1 to 5?",
        "kind": "scale",
        "choices": ["1", "2", "3", "4", "5"],
        "probe_depth": 0,
    },
)


def make_guide(account=None, questions=QUESTIONS, **fields):
    account = account or make_account()
    fields.setdefault("persona", make_persona(account))
    fields.setdefault("name", "How people work")
    fields.setdefault("goal", "We want to learn how people work and what slows them down.")
    fields.setdefault("consent_text", "Your answers are stored and read by our research team.")
    fields.setdefault("closing", "Thank you. That was all we wanted to ask.")
    guide = Guide.objects.create(account=account, **fields)
    for position, question in enumerate(questions):
        Question.objects.create(guide=guide, position=position, **question)
    return guide


def make_smtp_server(account=None, port=1, **fields):
    from campaigns.models import SmtpServer

    fields.setdefault("name", "Test server")
    fields.setdefault("host", "127.0.0.1")
    fields.setdefault("security", "none")
    fields.setdefault("from_email", "invitations@rapport.example")
    fields.setdefault("max_connections", 2)
    return SmtpServer.objects.create(account=account or make_account(), port=port, **fields)


def make_template(account=None, **fields):
    from campaigns.models import EmailTemplate

    fields.setdefault("name", "Invitation")
    fields.setdefault("subject", "{{ first_name|Hello }}, may we ask you something?")
    fields.setdefault("preheader", "Ten minutes, whenever it suits you.")
    fields.setdefault("text", "Hello {{ first_name|there }},\n\nlet us talk.\n\n{{ link }}\n\nThank you.")
    return EmailTemplate.objects.create(account=account or make_account(), **fields)


def make_campaign(account=None, people=0, **fields):
    """A draft campaign with so many new people in it."""
    from campaigns.models import Campaign, Recipient

    account = account or make_account()
    fields.setdefault("name", "Autumn interviews")
    fields.setdefault("guide", fields.get("guide") or make_guide(account))
    fields.setdefault("template", fields.get("template") or make_template(account))
    campaign = Campaign.objects.create(account=account, **fields)
    for _person in range(people):
        Recipient.objects.create(campaign=campaign, contact=make_contact(account))
    return campaign
