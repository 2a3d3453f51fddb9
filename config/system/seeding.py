"""The example to try Rapport with, from `demo/`: persona, guide, invitation, a campaign still to start."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from campaigns.models import Campaign, EmailTemplate, Step
from config.api.models import DEFAULT_ACCOUNT, Account
from interviews.models import Guide, Question
from personas.models import Persona

CAMPAIGN = "Demo campaign"
TEMPLATE = "Invitation to an interview"
REMINDER = "Reminder of an interview"


def example(name: str) -> dict[str, Any]:
    """A file of `demo/`; `manage.py demo` sends the same files through the API."""
    content: dict[str, Any] = json.loads(_file(name).read_text(encoding="utf-8"))
    return content


def examples(name: str) -> list[dict[str, Any]]:
    """A file of `demo/` that holds several."""
    content: list[dict[str, Any]] = json.loads(_file(name).read_text(encoding="utf-8"))
    return content


def _file(name: str) -> Path:
    return Path(settings.BASE_DIR) / "demo" / f"{name}.json"


@transaction.atomic
def seed_demo() -> Campaign:
    """Make what is missing of the example; done again, it changes nothing that staff have changed."""
    account, _ = Account.objects.get_or_create(slug=DEFAULT_ACCOUNT, defaults={"name": "Demo"})
    guide = example_guide(account, example_persona(account))
    example_influencers(account)
    template = example_template(account, TEMPLATE, "invitation")
    # Once somebody renamed or deleted the campaign, it does not come back while another uses the guide.
    existing = Campaign.objects.for_account(account).filter(guide=guide).first()
    return existing or example_campaign(account, guide, template)


def example_campaign(account: Account, guide: Guide, template: EmailTemplate) -> Campaign:
    """With one follow-up, three days after the invitation."""
    campaign: Campaign = Campaign.objects.create(
        account=account, name=CAMPAIGN, guide=guide, template=template
    )
    Step.objects.create(campaign=campaign, template=example_template(account, REMINDER, "reminder"))
    return campaign


def example_template(account: Account, name: str, file: str) -> EmailTemplate:
    """The oldest of this name, as with guides: staff copy what they like."""
    existing = EmailTemplate.objects.for_account(account).filter(name=name).order_by("pk").first()
    return existing or EmailTemplate.objects.create(account=account, name=name, **example(file))


def example_persona(account: Account) -> Persona:
    fields = example("persona")
    slug = fields.pop("slug")
    return Persona.objects.get_or_create(account=account, slug=slug, defaults=fields)[0]


def example_influencers(account: Account) -> None:
    """Those of `demo/influencers.json` whose slug nobody has taken."""
    for fields in examples("influencers"):
        slug, kind = fields.pop("slug"), Persona.Kind.INFLUENCER
        Persona.objects.get_or_create(account=account, slug=slug, defaults={**fields, "kind": kind})


def example_guide(account: Account, persona: Persona) -> Guide:
    fields = example("guide")
    name, questions = fields.pop("name"), fields.pop("questions")
    existing = Guide.objects.for_account(account).filter(name=name).order_by("created_at").first()
    if existing is not None:
        return existing
    guide: Guide = Guide.objects.create(account=account, name=name, persona=persona, **fields)
    Question.objects.bulk_create(
        Question(guide=guide, position=position, **question)
        for position, question in enumerate(questions, start=1)
    )
    return guide
