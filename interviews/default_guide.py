"""The guide that an account begins with where another program brings none: for staff to edit."""

from typing import Any

from config.api.models import Account
from interviews.guides import make_guide
from interviews.models import Guide
from personas.models import Persona

NAME = "Interview"
GOAL = "We want to learn from your experience: what you work on, what you solved, and what you think."
CONSENT = (
    "Your answers are stored and read by the team that invited you. You can stop at any time, and see, "
    "correct or delete what you said."
)
QUESTIONS: tuple[dict[str, Any], ...] = (
    {"key": "role", "topic": "Your work", "text": "What do you work on, and what is your part in it?"},
    {
        "key": "project",
        "topic": "A project",
        "text": "Which project of the last year says most about your work, and what came of it?",
    },
    {
        "key": "problem",
        "topic": "A problem solved",
        "text": "What was the hardest problem in it, and how did you solve it?",
    },
    {
        "key": "tools",
        "topic": "How it works",
        "text": "Which tools or methods made the difference, and how do they work together?",
    },
    {
        "key": "opinion",
        "topic": "What you think",
        "text": "What do most people in your field get wrong, and what would you tell them?",
    },
)


def guide_of(account: Account) -> Guide:
    """The oldest guide in use that asks something; made when there is none."""
    guides = Guide.objects.for_account(account).filter(is_active=True, questions__isnull=False)
    found: Guide | None = guides.select_related("account", "persona").order_by("created_at").first()
    return found or make_guide(
        account,
        persona=_interviewer_of(account),
        name=NAME,
        goal=GOAL,
        consent_text=CONSENT,
        language=account.language,
        questions=QUESTIONS,
    )


def _interviewer_of(account: Account) -> Persona:
    """The oldest interviewer; made when there is none."""
    rows = Persona.objects.for_account(account).filter(kind=Persona.Kind.INTERVIEWER)
    found = rows.filter(status=Persona.Status.ACTIVE).order_by("created_at").first()
    if found is not None:
        return found
    defaults = {"name": "Nora", "kind": Persona.Kind.INTERVIEWER, "language": account.language}
    return Persona.objects.get_or_create(account=account, slug="interviewer", defaults=defaults)[0]
