"""The main job as people do it, in a real browser: staff invite, a person is interviewed, staff ask.

`look(page, name)` is called at every page worth seeing; the screenshot script passes a camera.
"""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.fixtures import DESKTOP, PHONE
from tests.browser.interview import answer, begin, is_over

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "only for trying things"
QUESTION = "Why do patients not show up?"
# What is asked → what is said. The picture shows answers that belong to their questions.
ANSWERS = {
    "what does a normal day look like": "I manage the front desk of a clinic with four doctors; I answer the "
    "phone, plan appointments and chase insurance letters until late afternoon.",
    "the largest part of that day": "The phone. About five hours of it, mostly calling patients back.",
    "Which tools do you use": "An appointment system from 2009, Outlook, and a fax machine for the insurers.",
    "What do you use it for": "The old system holds the calendar; the insurers accept nothing but a fax.",
    "What slows you down": "Patients who do not show up, because we only remind them by phone and I rarely "
    "reach more than half of them.",
    "When did that last happen": "Every day. On Monday nine people did not come, so 700 dollars were lost.",
    "from 1 to 5": "2",
    "change one thing": "Reminders that go out by themselves, and a reply that lands in the calendar.",
    "different for you then": "I would have my mornings back, and the doctors would not wait.",
    "anything else": "No, that is all.",
}
PICTURED = "Which tools do you use"  # in the middle of the talk
Look = Callable[[Page, str], None]


def nothing(page: Page, name: str) -> None:
    """No picture."""


def do_main_job(browser: Browser, url: str, folder: Path, *, look: Look = nothing) -> Path:
    """From the login to the cited message; gives the downloaded PDF. Every step is checked on the page."""
    staff = browser.new_context(viewport=DESKTOP, accept_downloads=True).new_page()
    log_in(staff, url, look)
    start_campaign(staff, url, look)
    link = invitation_link(staff, url, look)
    person = browser.new_context(viewport=PHONE, accept_downloads=True).new_page()
    pdf = be_interviewed(person, link, folder, look)
    ask(staff, url, look)
    ask_the_agents(staff, url, look)
    look_around(staff, url, look)
    staff.context.close()
    person.context.close()
    return pdf


def log_in(page: Page, url: str, look: Look) -> None:
    page.goto(f"{url}/")
    look(page, "start")
    page.goto(f"{url}/admin/")
    look(page, "admin-login")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{url}/admin/")


def start_campaign(page: Page, url: str, look: Look) -> None:
    page.goto(f"{url}/admin/campaigns/campaign/")
    page.locator("#result_list a[href*='/change/']").first.click()
    page.get_by_role("link", name="Import people").first.click()
    page.set_input_files("input[type=file]", ROOT / "demo" / "people.csv")
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_role("button", name="Import 4 people")).to_be_visible()
    look(page, "admin-import")
    page.get_by_role("button", name="Import 4 people").click()
    expect(page.locator("[data-figure=label]")).to_have_text("Done", timeout=60_000)
    page.get_by_role("link", name="To the campaign").click()
    look(page, "admin-builder")
    page.get_by_role("link", name="Preview and test").click()
    expect(page.get_by_role("heading", name="Who gets what, and when")).to_be_visible()
    look(page, "admin-preview")
    page.get_by_role("link", name="Back", exact=True).click()
    page.get_by_role("link", name="Start", exact=True).click()
    look(page, "admin-start-campaign")
    page.locator(".rc-card form button").click()
    expect(page.locator("dd[data-figure=sent]")).to_have_text("4", timeout=60_000)
    look(page, "admin-campaign")


def invitation_link(page: Page, url: str, look: Look) -> str:
    """The link of the email to Bilal, out of the outbox."""
    page.goto(f"{url}/admin/campaigns/delivery/?q=bilal.haddad")
    look(page, "admin-outbox")
    page.locator("#result_list a[href*='/change/']").first.click()
    expect(page.locator("iframe.rc-email")).to_be_visible()
    look(page, "admin-email")
    return page.locator(".rc-card ul a[href*='/i/']").first.get_attribute("href") or ""


def answer_to(asked: str) -> str:
    found = [said for words, said in ANSWERS.items() if words in asked]
    assert found, f"No answer is prepared for {asked!r}"
    return found[0]


def be_interviewed(page: Page, link: str, folder: Path, look: Look) -> Path:
    page.goto(link)
    look(page, "landing")
    begin(page)
    look(page, "chat-first-question")
    for _turn in range(20):
        if is_over(page):
            break
        asked = page.locator(".said.persona[data-seq]").last.inner_text()
        if page.locator("#chips button.chip").first.is_visible():
            look(page, "chat-scale")
        answer(page, answer_to(asked))
        if PICTURED in asked:
            look(page, "chat")
        page.wait_for_timeout(100)
    look(page, "chat-ended")
    page.get_by_role("link", name="See your answers").click()
    download = page.get_by_role("link", name="Download the transcript (PDF)")
    expect(download).to_be_visible(timeout=60_000)
    look(page, "done")
    with page.expect_download() as saved:
        download.click()
    path = folder / "transcript.pdf"
    saved.value.save_as(path)
    page.get_by_role("link", name="Delete my answers").click()
    look(page, "delete-answers")
    return path


def ask(page: Page, url: str, look: Look) -> None:
    page.goto(f"{url}/admin/knowledge/question/ask/")
    page.get_by_label("Your question").fill(QUESTION)
    page.get_by_role("button", name="Ask", exact=True).click()
    source = page.locator("#ask-sources a").first
    expect(source).to_be_visible(timeout=30_000)
    expect(page.locator("#ask-answer")).to_contain_text("we only remind them by phone")
    look(page, "admin-ask")
    source.click()
    cited = page.locator("[id^=m].is-cited, .cited, :target, [aria-current]").first
    expect(page.get_by_text("we only remind them by phone").first).to_be_visible()
    expect(cited).to_contain_text("we only remind them by phone")
    look(page, "admin-transcript")


def ask_the_agents(page: Page, url: str, look: Look) -> None:
    """The staff's own chat: which agent answered, and from what."""
    page.goto(f"{url}/assistant/")
    page.get_by_label("Your question").fill(QUESTION)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("log")).to_contain_text("only remind them by phone", timeout=20_000)
    look(page, "assistant")


def look_around(page: Page, url: str, look: Look) -> None:
    """The rest of what staff see every day."""
    for path, name in (
        ("", "admin-home"),
        ("crm/contact/", "admin-contacts"),
        ("interviews/interview/", "admin-interviews"),
        ("interviews/guide/", "admin-guides"),
        ("knowledge/document/", "admin-documents"),
    ):
        page.goto(f"{url}/admin/{path}")
        look(page, name)
    page.goto(f"{url}/admin/campaigns/campaign/")
    page.locator("#result_list a[href*='/change/']").first.click()
    page.get_by_role("link", name="Progress over time").click()
    expect(page.locator("svg.rc-chart")).to_be_visible()
    look(page, "admin-progress")
    page.goto(f"{url}/admin/interviews/interview/?q=bilal")
    page.locator("#result_list a[href*='/change/']").first.click()
    look(page, "admin-interview")
    page.goto(f"{url}/admin/interviews/guide/")
    page.locator("#result_list a[href*='/change/']").first.click()
    look(page, "admin-guide")
