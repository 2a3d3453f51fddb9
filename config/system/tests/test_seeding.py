"""The example that `make run` begins with."""

import pytest

from campaigns.models import Campaign, EmailTemplate
from config.system.seeding import GUIDE, seed_demo
from interviews.models import Guide, Question
from personas.models import Persona

pytestmark = pytest.mark.django_db


def counts():
    return [model.objects.count() for model in (Persona, Guide, Question, EmailTemplate, Campaign)]


def test_it_makes_one_of_each():
    campaign = seed_demo()
    assert counts() == [1, 1, 6, 1, 1]
    assert campaign.state == Campaign.State.DRAFT
    assert campaign.guide.name == GUIDE
    assert campaign.guide.persona.name == "Nora"
    assert campaign.account.slug == "default"


def test_seeding_again_makes_nothing_more():
    seed_demo()
    seed_demo()
    assert counts() == [1, 1, 6, 1, 1]


def test_what_staff_changed_stays():
    seed_demo()
    Guide.objects.update(goal="Our own goal")
    Question.objects.filter(key="wish").delete()
    Campaign.objects.update(name="Our own campaign")
    seed_demo()
    assert Guide.objects.get().goal == "Our own goal"
    assert counts() == [1, 1, 5, 1, 1]


def test_every_row_is_valid():
    campaign = seed_demo()
    for row in (
        campaign,
        campaign.guide,
        campaign.template,
        campaign.guide.persona,
        *campaign.guide.questions.all(),
    ):
        row.full_clean()


def test_the_template_fills_its_placeholders():
    wording = pytest.importorskip("campaigns.wording")
    template = seed_demo().template
    wording.check_words(wording.Words(template.subject, template.preheader, template.text, template.html))
