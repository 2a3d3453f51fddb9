"""Pages of calls in a real browser: one of them by axe, the live view live, the console without scripts."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import expect

from crm.models import AccessLink
from tests.browser.fixtures import DESKTOP, PHONE
from voice import notices, turns
from voice.models import Appointment, CallTurn, PhoneCall
from voice.scheduling import Heard
from voice.tests.conftest import make_callee, make_slots

pytestmark = pytest.mark.browser
WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
LIVE = "/admin/voice/phonecall/live/"
CONSOLE = "/admin/voice/phonecall/console/"


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


def talking(account):
    make_slots(account)
    person = make_callee(account, name="Ada Lovelace", time_zone="UTC")
    call = PhoneCall.objects.create(
        account=account,
        contact=person,
        to_number="+4915112345678",
        line="in-progress",
        invitation={"candidate": "Ada", "company": "Acme", "position": "Engineer", "zone": "UTC"},
    )
    turns.greet(call.pk)
    turns.hear(call.pk, 1, Heard("yes"))
    return call


def test_a_turn_appears_while_it_is_watched_and_everybody_can_use_the_page(site, staff, account):
    call = talking(account)
    page = staff(viewport=PHONE, color_scheme="dark")
    page.goto(LIVE, wait_until="networkidle")
    expect(page.locator("#live")).to_have_text("Live")
    turns.hear(call.pk, 2, Heard(digits="1"))
    expect(page.get_by_text("Pressed 1")).to_be_visible()
    found = Axe().run(page, options=WCAG).response["violations"]
    assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_console_works_without_javascript(site, staff, account):
    make_slots(account)
    page = staff(java_script_enabled=False)
    page.goto(CONSOLE)
    page.get_by_label("Company").fill("Acme")
    page.get_by_role("button", name="A person answers").click()
    page.get_by_label("The person says").fill("yes")
    page.get_by_role("button", name="Say", exact=True).click()
    page.get_by_role("button", name="1: yes, or the first").click()
    page.get_by_label("The person says").fill("yes please")
    page.get_by_role("button", name="Say", exact=True).click()
    expect(page.get_by_text("The call is over.")).to_be_visible()
    assert PhoneCall.objects.get().outcome == "booked"
    assert CallTurn.objects.count() == 4


def test_an_appointment_is_moved_by_keyboard_among_many_times(site, visitors, account):
    (slot,) = make_slots(account, 1)
    make_slots(account, 40, hours_apart=5)
    person = make_callee(account, email="ada@example.com", name="Ada", time_zone="Europe/Berlin")
    one = Appointment.objects.create(account=account, slot=slot, contact=person)
    subject = {"appointment": str(one.pk)}
    _row, token = AccessLink.issue(person, notices.LINK_PURPOSE, subject=subject)
    page = visitors(viewport=PHONE).page()
    page.goto(f"{site.url}/a/{token}")
    found = Axe().run(page, options=WCAG).response["violations"]
    assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("input[type=radio]").first.focus()
    for _time in range(20):
        page.keyboard.press("ArrowDown")
        # What has the focus is never behind the button that stays in reach.
        focus, button = (
            page.evaluate(f"document.{which}.getBoundingClientRect().{side}")
            for which, side in (("activeElement", "bottom"), ("querySelector('.go')", "top"))
        )
        assert focus <= button
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Your interview was moved.")
    one.refresh_from_db()
    assert one.slot != slot
