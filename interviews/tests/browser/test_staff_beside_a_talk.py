"""Staff and a person at the same talk: staff watch it live, take it over, and hand it back."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import expect

from interviews import starting
from tests.browser.fixtures import DESKTOP
from tests.browser.interview import answer, begin
from tests.factories import make_contact, make_guide

pytestmark = pytest.mark.browser

LONG = "I am a nurse on a busy children's ward, and I plan the shifts for twelve people each month."


@pytest.fixture
def talk(site, page):
    guide = make_guide()
    invitation = starting.invite(guide, make_contact(guide.account, name="Ada Lovelace"))
    page.goto(site.here(invitation.url))
    begin(page)
    return invitation.interview


@pytest.fixture
def staff(site, visitors):
    """A member of staff, logged in, on a large screen."""
    client = Client()
    client.force_login(User.objects.create_superuser("sue"))
    # Unfold's own scripts and styles have tests of their own.
    visitor = visitors(viewport=DESKTOP)
    visitor.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site.url}]
    )
    return visitor.page()


ADDRESSES = {
    "interview": lambda interview: f"/admin/interviews/interview/{interview.pk}/transcript/",
    "conversation": lambda interview: f"/admin/crm/conversation/{interview.conversation_id}/transcript/",
}


@pytest.mark.parametrize("kind", ADDRESSES)
def test_a_transcript_opens_at_the_cited_message_and_goes_on_live(talk, page, staff, kind):
    answer(page, LONG)
    staff.goto(f"{ADDRESSES[kind](talk)}?message=2")
    expect(staff.locator("#m2")).to_be_focused()
    expect(staff.locator("#m2")).to_be_in_viewport()
    expect(staff.locator("#live")).to_have_text("Live")
    answer(page, "Spreadsheets and a paper diary every single day, as the program is too slow.")
    expect(staff.locator("#m4 strong")).to_have_text("Ada Lovelace")
    expect(staff.locator("#m5 strong")).to_have_text("Nora")
    expect(staff.locator("#m5 [data-text]")).to_contain_text("How content are you")


def test_the_person_is_told_who_speaks_and_waits_for_no_reply(talk, page, staff):
    staff.goto(ADDRESSES["interview"](talk))
    staff.get_by_role("button", name="Take over").click()
    expect(page.locator(".said.system .words")).to_have_text(
        "A member of our team has joined and answers from now on."
    )
    page.get_by_label("Your answer").fill("Hello, who is there?")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".said.person:not(.sending) .words")).to_have_text("Hello, who is there?")
    expect(page.locator("#talk")).not_to_have_attribute("aria-busy", "true")
    page.get_by_label("Your answer").fill("I have a question.")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".said.person:not(.sending)")).to_have_count(2)

    expect(staff.locator("[data-text]").last).to_have_text("I have a question.")
    staff.get_by_label("Your message").fill("This is Sue. What would you like to know?")
    staff.get_by_role("button", name="Send").click()
    expect(page.locator(".said.staff .words")).to_have_text("This is Sue. What would you like to know?")

    staff.get_by_role("button", name="Hand back").click()
    expect(page.locator(".said.system .words").last).to_have_text(
        "The automatic interviewer continues from here."
    )
    answer(page, LONG)
