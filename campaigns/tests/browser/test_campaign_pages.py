"""The pages of a campaign in a real browser: light and dark, phone and desktop, with and without scripts."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import expect

from campaigns import importing, inviting, states
from campaigns.models import Delivery, SplitTest, Step
from campaigns.tests.test_campaign_admin import at
from campaigns.tests.test_progress_pages import spread_out
from tests.browser.fixtures import DESKTOP, PHONE
from tests.factories import make_campaign, make_contact, make_template

pytestmark = pytest.mark.browser

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
FILE = "E-Mail;Imię i nazwisko;Miasto\nala@example.com;Małgorzata Wójcik;Gdańsk\nbad;Kto;Łódź\n"


@pytest.fixture
def staff(site, visitors):
    """Opens the browser of a member of staff, logged in."""
    client = Client()
    client.force_login(User.objects.create_superuser("sue"))
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site.url}

    def page(**options):
        visitor = visitors(**{"viewport": DESKTOP, **options})
        visitor.context.add_cookies([cookie])
        return visitor.page()

    return page


def built():
    """A draft with everything in it."""
    campaign = make_campaign(people=2)
    reminder = make_template(campaign.account, name="Reminder", subject="Still time, {{ first_name }}")
    Step.objects.create(campaign=campaign, template=reminder, keeps_subject=False)
    SplitTest.objects.create(campaign=campaign, subject_b="Ten minutes?")
    return campaign


def addresses():
    """Every page of ours, with something on it."""
    draft, sent = built(), spread_out()
    Delivery.objects.filter(campaign=sent, pk=Delivery.objects.first().pk).update(state="unknown")
    kept = importing.receive(draft, FILE.encode("cp1250"), filename="people.csv")
    importing.check_as_guessed(kept)
    return [
        at("campaign_changelist"),
        at("campaign_change", draft.pk),
        at("campaign_preview", draft.pk),
        at("campaign_schedule", draft.pk),
        at("campaign_move", draft.pk, "start"),
        at("campaign_import", draft.pk),
        at("campaign_import_look", draft.pk, kept.pk),
        at("campaign_course", sent.pk),
        at("campaign_course", draft.pk),
        at("campaign_winner", draft.pk, "a"),
        at("campaign_unknown", sent.pk),
        at("recipient_changelist"),
        at("recipient_change", sent.recipients.first().pk),
    ]


# What is laid out depends on the size, what is coloured on the scheme: two of the four pairs see each.
@pytest.mark.parametrize(
    ("size", "scheme"), [(PHONE, "dark"), (DESKTOP, "light")], ids=["phone-dark", "desktop-light"]
)
def test_every_page_can_be_used_by_everybody(site, staff, scheme, size):
    page = staff(viewport=size, color_scheme=scheme)
    faults = {}
    for address in addresses():
        page.goto(address, wait_until="networkidle")
        found = Axe().run(page, options=WCAG).response["violations"]
        faults[address] = [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
    assert {address: found for address, found in faults.items() if found} == {}


def test_the_preview_follows_what_is_chosen_without_saving(site, staff):
    campaign = built()
    campaign.recipients.create(contact=make_contact(name="Zoë Łącka", email="zoe@example.com"))
    make_template(campaign.account, name="Short", subject="Short and to the point")
    page = staff()
    page.goto(at("campaign_change", campaign.pk))
    subject = page.locator("[data-part=subject]")
    expect(subject).to_have_text("Ada, may we ask you something?")
    expect(page.frame_locator("iframe[data-part=html]").get_by_text("Hello Ada,")).to_be_visible()
    preview = page.locator("#preview")
    preview.get_by_label("or the address").fill("zoe@example.com")
    expect(subject).to_have_text("Zoë, may we ask you something?")
    preview.locator("select[name=email]").select_option(label="Follow-up 1")
    expect(subject).to_have_text("Still time, Zoë")
    preview.locator("select[name=email]").select_option(label="Invitation")
    page.locator("#id_template").select_option(label="Short")
    expect(subject).to_have_text("Short and to the point")
    preview.get_by_label("or the address").fill("nobody@example.com")
    expect(page.locator("[data-part=problem]")).to_contain_text("Nobody in this campaign")


def test_an_import_is_watched_to_its_end(site, staff, tmp_path):
    campaign = make_campaign()
    (tmp_path / "people.csv").write_bytes(FILE.encode("cp1250"))
    page = staff()
    page.goto(at("campaign_import", campaign.pk))
    page.set_input_files("input[type=file]", tmp_path / "people.csv")
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_text("The encoding is a guess.")).to_be_visible()
    page.get_by_label("What “Miasto” is").select_option(label="leave out")
    page.get_by_role("button", name="Check again with these columns").click()
    page.get_by_role("button", name="Import 1 person").click()
    expect(page.locator("[data-figure=label]")).to_have_text("Done")
    assert campaign.recipients.get().contact.name == "Małgorzata Wójcik"


def test_all_of_it_works_without_javascript(site, staff, tmp_path):
    campaign = built()
    (tmp_path / "people.csv").write_text("Wer,Adresse\nAda,ada@example.com\n")
    page = staff(java_script_enabled=False)
    page.goto(at("campaign_import", campaign.pk))
    page.set_input_files("input[type=file]", tmp_path / "people.csv")
    page.get_by_role("button", name="Check the file").click()
    page.get_by_label("What “Wer” is").select_option(label="Name")
    page.get_by_label("What “Adresse” is").select_option(label="Email")
    page.get_by_role("button", name="Check with these columns").click()
    page.get_by_role("button", name="Import 1 person").click()
    expect(page.locator("[data-figure=label]")).to_have_text("Done")
    page.goto(at("campaign_change", campaign.pk))
    page.locator("#preview select[name=email]").select_option(label="Follow-up 1")
    page.locator("#preview").get_by_role("button", name="Preview and test").click()
    expect(page.get_by_role("heading", name="Still time, Ada")).to_be_visible()


def test_the_course_is_drawn_anew_and_an_open_table_stays_open(site, staff):
    campaign = spread_out()
    page = staff()
    page.clock.install()
    page.goto(at("campaign_course", campaign.pk))
    page.get_by_text("The figures as a table").click()
    unsent = Delivery.objects.filter(campaign=campaign).first()
    Delivery.objects.filter(pk=unsent.pk).update(state="failed")
    page.clock.run_for(21_000)
    expect(page.locator(".rc-legend li").first).to_contain_text("Sent: 3")
    expect(page.locator("details")).to_have_attribute("open", "")


def test_a_person_unsubscribes_with_a_form_that_says_where_it_comes_from(site, visitors):
    """The demo refuses what comes from nowhere: no-referrer alone makes `Origin: null` of our own form."""
    campaign = make_campaign(people=1)
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    rendered = Delivery.objects.get(campaign=campaign).rendered
    page = visitors(viewport=PHONE).page()
    page.goto(site.here(re.search(r"^List-Unsubscribe: <(\S+)>", rendered, re.M)[1]))
    for button, heading in (
        ("Stop invitations", "You will get no more invitations"),
        ("That was a mistake: keep sending them", "Invitations stay on"),
    ):
        with page.expect_request(lambda request: request.method == "POST") as sent:
            page.get_by_role("button", name=button).click()
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
        assert sent.value.all_headers()["origin"] == site.url
    assert Axe().run(page, None, WCAG).response["violations"] == []
