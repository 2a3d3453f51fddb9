"""A small example to try Rapport with: a persona, a guide, an invitation, and a campaign still to start."""

from typing import Any

from django.db import transaction

from campaigns.models import Campaign, EmailTemplate
from config.api.models import DEFAULT_ACCOUNT, Account
from interviews.models import Guide, Question
from personas.models import Persona

GUIDE = "How people work"
PERSONA: dict[str, Any] = {
    "name": "Nora",
    "kind": Persona.Kind.INTERVIEWER,
    "tagline": "Asks, listens, and asks once more.",
    "greeting": "Hello, I am Nora. I ask the questions today; take your time with the answers.",
    "instructions": (
        "You are Nora, an interviewer. You are warm, brief and curious. You ask one question at a time, "
        "never judge an answer, never suggest one, and use the person's own words when you ask further."
    ),
    "traits": {"warm": "yes", "brief": "yes", "curious": "yes"},
}
GUIDE_FIELDS: dict[str, Any] = {
    "goal": "We want to learn how people work, what helps them, and what gets in their way.",
    "minutes": 8,
    "welcome": "Thank you for your time. There are six questions. You may skip any of them.",
    "consent_text": (
        "Your answers are stored and read by the team that invited you. You can stop at any time, and "
        "delete your answers afterwards on the last page."
    ),
    "closing": "Thank you. You have given us a clear picture of your work.",
}
QUESTIONS: tuple[dict[str, Any], ...] = (
    {
        "key": "role",
        "topic": "Your work",
        "text": "What do you do at work, and what does a usual day look like?",
        "probe_depth": 1,
        "probes": ["Which part of it takes the most of your time?"],
    },
    {
        "key": "tools",
        "topic": "Your tools",
        "text": "Which tools and programs do you use every day?",
        "probe_depth": 1,
        "probes": ["Which of them would you miss first?"],
    },
    {
        "key": "slow",
        "topic": "What slows you down",
        "text": "Think of last week: what cost you more time than it should have?",
        "probe_depth": 2,
        "probes": ["How often does that happen?", "What do you do when it happens?"],
    },
    {
        "key": "together",
        "topic": "Working together",
        "text": "How do you and your colleagues keep each other up to date?",
        "probe_depth": 1,
    },
    {
        "key": "content",
        "topic": "How it goes",
        "text": "All in all, how content are you with the way you work, from 1 (not at all) to 5 (very)?",
        "kind": Question.Kind.SCALE,
        "choices": ["1", "2", "3", "4", "5"],
        "probe_depth": 0,
    },
    {
        "key": "wish",
        "topic": "One wish",
        "text": "If you could change one thing about your work tomorrow, what would it be?",
        "probe_depth": 1,
        "must_ask": False,
    },
)
TEMPLATE: dict[str, Any] = {
    "subject": "{{ first_name|Hello }}, may we ask how you work?",
    "preheader": "Six questions, about eight minutes, whenever it suits you.",
    "text": (
        "Dear {{ first_name|colleague }},\n\n"
        "we would like to learn how people work, and what gets in their way. {{ interviewer }}, an AI "
        "interviewer, asks six questions. It takes about {{ minutes }} minutes, and you may stop at "
        "any time.\n\n"
        "Begin here: {{ link }}\n\n"
        "The link is yours alone and works until {{ expires }}.\n\n"
        "Thank you\n{{ organisation }}\n"
    ),
}


@transaction.atomic
def seed_demo() -> Campaign:
    """Make what is missing of the example; done again, it changes nothing that staff have changed."""
    account, _ = Account.objects.get_or_create(slug=DEFAULT_ACCOUNT, defaults={"name": "Demo"})
    persona, _ = Persona.objects.get_or_create(account=account, slug="nora", defaults=PERSONA)
    guide = example_guide(account, persona)
    template, _ = EmailTemplate.objects.get_or_create(
        account=account, name="Invitation to an interview", defaults=TEMPLATE
    )
    # Once somebody renamed or deleted the campaign, it does not come back while another uses the guide.
    existing = Campaign.objects.for_account(account).filter(guide=guide).first()
    return existing or Campaign.objects.create(account=account, name=GUIDE, guide=guide, template=template)


def example_guide(account: Account, persona: Persona) -> Guide:
    guide, is_new = Guide.objects.get_or_create(
        account=account, name=GUIDE, defaults={"persona": persona, **GUIDE_FIELDS}
    )
    if is_new:
        Question.objects.bulk_create(
            Question(guide=guide, position=position, **fields)
            for position, fields in enumerate(QUESTIONS, start=1)
        )
    return guide
