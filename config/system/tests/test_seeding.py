"""The example that `make run` begins with."""

import pytest

from campaigns.models import Campaign, EmailTemplate
from config.system.seeding import example, seed_demo
from interviews.models import Guide, Question
from personas.models import Persona

pytestmark = pytest.mark.django_db


def counts():
    return [model.objects.count() for model in (Persona, Guide, Question, EmailTemplate, Campaign)]


def test_it_makes_one_of_each():
    campaign = seed_demo()
    assert counts() == [4, 1, 6, 2, 1]
    assert campaign.state == Campaign.State.DRAFT
    assert campaign.name == "Demo campaign"
    assert campaign.account.slug == "default"


def test_it_says_what_the_files_of_the_example_say():
    """The guide, persona and invitation that `manage.py demo` sends through the API."""
    campaign = seed_demo()
    guide, persona, invitation = (example(name) for name in ("guide", "persona", "invitation"))
    questions = guide.pop("questions")
    assert {name: getattr(campaign.guide, name) for name in guide} == guide
    assert {name: getattr(campaign.guide.persona, name) for name in persona} == persona
    assert {name: getattr(campaign.template, name) for name in invitation} == invitation
    kept = campaign.guide.questions.order_by("position")
    assert [question.key for question in kept] == [question["key"] for question in questions]
    assert [question.probes for question in kept] == [one.get("probes", []) for one in questions]


def test_the_example_reminds_people_once_after_three_days():
    step = seed_demo().steps.select_related("template").get()
    assert (step.position, step.delay_minutes) == (1, 3 * 24 * 60)
    assert {name: getattr(step.template, name) for name in example("reminder")} == example("reminder")
    step.full_clean()
    step.template.full_clean()


def test_seeding_again_makes_nothing_more():
    seed_demo()
    seed_demo()
    assert counts() == [4, 1, 6, 2, 1]


def test_copies_of_the_same_name_do_not_keep_the_server_from_starting():
    campaign = seed_demo()
    guide, account = campaign.guide, campaign.account
    for template in EmailTemplate.objects.all():
        EmailTemplate.objects.create(account=account, name=template.name, text="{{ link }}")
    Guide.objects.create(account=account, persona=guide.persona, name=guide.name, goal="Mine.")
    assert seed_demo() == campaign
    campaign.delete()
    assert seed_demo().guide == guide


def test_what_staff_changed_stays():
    seed_demo()
    Guide.objects.update(goal="Our own goal")
    Question.objects.filter(key="wish").delete()
    Campaign.objects.update(name="Our own campaign")
    seed_demo()
    assert Guide.objects.get().goal == "Our own goal"
    assert counts() == [4, 1, 5, 2, 1]


def test_every_row_is_valid():
    campaign = seed_demo()
    for row in (
        campaign,
        campaign.guide,
        campaign.template,
        campaign.guide.persona,
        *campaign.guide.questions.all(),
        *Persona.objects.filter(kind=Persona.Kind.INFLUENCER),
    ):
        row.full_clean()


def test_the_template_fills_its_placeholders():
    wording = pytest.importorskip("campaigns.wording")
    assert wording.check_campaign(seed_demo()) == []
