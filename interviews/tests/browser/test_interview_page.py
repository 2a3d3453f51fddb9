"""The recipient's pages in a real browser, at the real server, without a model."""

import gzip
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from crm.models import Message
from interviews import starting
from interviews.models import Interview
from tests.browser.fixtures import DESKTOP
from tests.browser.interview import (
    answer,
    begin,
    hold_interview,
    replies,
    wait_for_reply,
    wait_until_connected,
)
from tests.factories import make_contact, make_guide

pytestmark = pytest.mark.browser

ANSWERS = (
    "I am a nurse on a busy children's ward, and I plan the shifts for twelve people each month.",
    "Spreadsheets and a paper diary every single day, because the planning program is too slow for us.",
    "4",
)
FIRST_LOAD_BYTES = 60 * 1024


def invited(site, name="Ada Lovelace", **fields):
    guide = make_guide(**fields)
    invitation = starting.invite(guide, make_contact(guide.account, name=name))
    return invitation.interview, site.here(invitation.url)


def said(interview):
    rows = Message.objects.filter(conversation_id=interview.conversation_id).order_by("seq")
    return list(rows.values_list("author", "text"))


def test_a_whole_interview_is_held_on_a_phone(site, page):
    interview, url = invited(site)
    page.goto(url)
    hold_interview(page, ANSWERS)
    interview.refresh_from_db()
    assert interview.state in (Interview.State.COMPLETED, Interview.State.PROCESSED)
    for text in ANSWERS:
        expect(page.locator("blockquote").filter(has_text=text).first).to_be_visible()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download the transcript").click()
    assert downloading.value.path().read_bytes().startswith(b"%PDF")


def test_a_reload_keeps_the_draft_and_every_message(site, page):
    interview, url = invited(site)
    page.goto(url)
    begin(page)
    answer(page, ANSWERS[0])
    page.get_by_label("Your answer").fill("half a thou")
    before = page.locator(".said .words").all_inner_texts()
    page.reload()
    wait_until_connected(page)
    expect(page.get_by_label("Your answer")).to_have_value("half a thou")
    assert page.locator(".said .words").all_inner_texts() == before
    assert len(said(interview)) == len(before)


def test_a_second_tab_hears_what_the_first_one_says(site, visitor):
    _interview, url = invited(site)
    first, second = visitor.page(), visitor.page()
    first.goto(url)
    begin(first)
    second.goto(first.url)
    wait_until_connected(second)
    answer(first, ANSWERS[0])
    expect(second.locator(".said.person .words")).to_have_text([ANSWERS[0]])
    wait_for_reply(second, more_than=1)
    assert second.locator(".said .words").all_inner_texts() == first.locator(".said .words").all_inner_texts()


def test_what_is_written_while_the_server_is_away_is_sent_once_it_is_back(site, visitor):
    interview, url = invited(site)
    page = visitor.page()
    page.goto(url)
    begin(page)
    site.kill()
    expect(page.locator("#connection")).to_contain_text("Connecting")
    page.get_by_label("Your answer").fill(ANSWERS[0])
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".said.sending .words")).to_have_text(ANSWERS[0])
    site.start()
    wait_for_reply(page, more_than=1)
    assert [text for author, text in said(interview) if author == "person"] == [ANSWERS[0]]
    visitor.errors.clear()  # the browser itself reports each refused connection


def test_it_works_without_javascript(site, visitors):
    interview, url = invited(site)
    page = visitors(java_script_enabled=False).page()
    page.goto(url)
    page.get_by_role("button", name="I agree, begin").click()
    for text in ANSWERS[:2]:
        page.get_by_label("Your answer").fill(text)
        page.get_by_role("button", name="Send").click()
    page.get_by_role("button", name="4", exact=True).click()
    expect(page.get_by_role("heading", name="What you told us")).to_be_visible()
    assert [text for author, text in said(interview) if author == "person"] == list(ANSWERS)


def test_a_correction_on_the_last_page_is_one_step(site, page):
    interview, url = invited(site)
    page.goto(url)
    hold_interview(page, ANSWERS)
    page.get_by_text("Correct this: Your work").click()
    page.get_by_label("Your answer, as it should be").first.fill("I am a midwife.")
    page.get_by_role("button", name="Save the correction").first.click()
    expect(page.locator("blockquote").first).to_have_text("I am a midwife.")
    expect(page.get_by_text("Corrected", exact=True)).to_be_visible()
    interview.refresh_from_db()
    assert interview.state in (Interview.State.COMPLETED, Interview.State.PROCESSED)


@pytest.mark.parametrize("with_script", [True, False], ids=["with-script", "without-script"])
def test_an_answer_is_withheld_during_the_talk_and_another_after_it(site, visitors, with_script):
    interview, url = invited(site)
    page = visitors(java_script_enabled=with_script).page()
    page.goto(url)
    page.get_by_role("button", name="I agree, begin").click()
    page.get_by_label("Your answer").fill(ANSWERS[0])
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".said.persona")).to_have_count(2)
    page.get_by_label("Menu").click()
    page.get_by_role("link", name="Your answers so far").click()
    withhold_first(page)
    page.get_by_role("link", name="Back to the interview").click()
    expect(page.locator(".said.person")).to_contain_text("You withheld this answer.")
    page.get_by_label("Your answer").fill(ANSWERS[1])
    page.get_by_role("button", name="Send").click()
    page.get_by_role("button", name="4", exact=True).click()
    if with_script:
        page.get_by_role("link", name="See your answers").click()
    withhold_first(page)
    assert [text for author, text in said(interview) if author == "person"] == ["", "", "4"]


def withhold_first(page):
    """Of the answers that the list still has."""
    told = page.get_by_text("You withheld this answer.")
    before = told.count()
    page.get_by_text("Withhold this: ").first.click()
    page.get_by_role("button", name="Withhold this answer").first.click()
    expect(told).to_have_count(before + 1)


def test_the_keyboard_alone_is_enough(site, page):
    interview, url = invited(site)
    page.goto(url)
    page.get_by_role("button", name="I agree, begin").focus()
    page.keyboard.press("Enter")
    wait_until_connected(page)
    expect(page.get_by_label("Your answer")).to_be_focused()
    page.keyboard.type("I plan shifts")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("for twelve people, each and every month of the year.")
    page.keyboard.press("Enter")
    wait_for_reply(page, more_than=1)
    expect(page.get_by_label("Your answer")).to_be_focused()
    assert said(interview)[1] == (
        "person",
        "I plan shifts\nfor twelve people, each and every month of the year.",
    )
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Skip", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    wait_for_reply(page, more_than=2)


def test_a_double_click_skips_one_question(site, page):
    interview, url = invited(site)
    page.goto(url)
    begin(page)
    skip = page.get_by_role("button", name="Skip", exact=True)
    skip.click()
    wait_for_reply(page, more_than=1)  # before the second click comes
    skip.click()
    page.wait_for_timeout(500)
    assert [text for author, text in said(interview) if author == "person"] == ["Please skip this question."]


@pytest.mark.parametrize("with_script", [True, False])
def test_enter_after_a_date_sends_the_date(site, visitors, with_script):
    question = {"text": "Since when?", "kind": "date", "probe_depth": 0}
    interview, url = invited(site, questions=[{**question, "key": key} for key in ("first", "second")])
    page = visitors(java_script_enabled=with_script).page()
    page.goto(url)
    page.get_by_role("button", name="I agree, begin").click()
    if with_script:
        wait_until_connected(page)
    for day in ("2020-03-01", "2021-04-02"):
        page.locator("#date").fill(day)
        page.locator("#date").press("Enter")
        expect(page.get_by_text(day).first).to_be_visible()
        page.wait_for_timeout(500)
    assert [text for author, text in said(interview) if author == "person"] == ["2020-03-01", "2021-04-02"]


def test_the_menu_leads_back_to_the_question_before(site, page):
    interview, url = invited(site)
    page.goto(url)
    begin(page)
    page.get_by_role("button", name="Skip", exact=True).click()
    wait_for_reply(page, more_than=1)
    page.get_by_label("Menu").click()
    page.get_by_role("button", name="Back to the question before").click()
    wait_for_reply(page, more_than=2)
    assert said(interview)[-1][1].endswith("What do you do at work?")


def test_a_whole_reply_is_announced_once(site, page):
    _interview, url = invited(site)
    page.goto(url)
    begin(page)
    page.evaluate(
        """() => { window.heard = []; new MutationObserver(() => window.heard.push(announcer.textContent))
        .observe(announcer, { childList: true, characterData: true, subtree: true }); }"""
    )
    answer(page, ANSWERS[0])
    last = page.locator(".said.persona .words").last.inner_text()
    assert page.evaluate("window.heard") == [f"Nora: {last}"]


def test_the_first_load_is_small(site, page):
    _interview, url = invited(site)
    page.goto(url)
    begin(page)
    loaded = {}
    page.on("response", lambda response: loaded.setdefault(response.url, response))
    page.reload()
    wait_until_connected(page)
    bodies = [one.body() for one in loaded.values() if one.status == 200]
    assert len(bodies) >= 4
    assert sum(len(gzip.compress(body)) for body in bodies) < FIRST_LOAD_BYTES


# What is laid out depends on the size, what is coloured on the scheme: two of the four pairs see each.
@pytest.mark.parametrize(
    ("viewport", "colours"), [(None, "dark"), (DESKTOP, "light")], ids=["phone-dark", "desktop-light"]
)
def test_no_page_has_an_accessibility_fault(site, visitors, colours, viewport):
    options = {"viewport": viewport} if viewport else {}
    person = visitors(color_scheme=colours, **options)
    page = person.page()
    _interview, url = invited(site, name="ليلى حداد")
    pages = {"no way in": faults(page, f"{site.url}/i/nothing"), "landing": faults(page, url)}
    person.errors.clear()  # the browser reports the 404 that was asked for
    begin(page)
    answer(page, ANSWERS[0])
    pages["chat"] = faults(page)
    page.get_by_label("Menu").click()
    pages["menu"] = faults(page)
    page.get_by_role("link", name="Your answers so far").click()
    page.get_by_text("Withhold this: ").click()
    pages["answers"] = faults(page)
    page.get_by_role("link", name="Back to the interview").click()
    wait_until_connected(page)
    answer(page, ANSWERS[1])
    answer(page, "4")
    page.get_by_role("link", name="See your answers").click()
    page.wait_for_url(re.compile("/chat/"))
    pages["done"] = faults(page)
    pages["delete"] = faults(page, f"{page.url.split('?')[0].split('#')[0]}/delete")
    pages["deleted"] = faults(page, f"{site.url}/i/deleted")
    assert {name: found for name, found in pages.items() if found} == {}


def faults(page, url=None):
    if url:
        page.goto(url, wait_until="load")
    found = Axe().run(page).response["violations"]
    return [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found]


def test_words_of_another_direction_keep_their_direction(site, page):
    _interview, url = invited(site, name="ליאת כהן")
    page.goto(url)
    begin(page)
    answer(page, "אני מנהלת משמרות במחלקת ילדים גדולה מאוד בבית החולים")
    direction = page.locator(".said.person .words").last.evaluate(
        "(node) => getComputedStyle(node).direction"
    )
    assert direction == "rtl"


def test_less_motion_shows_whole_sentences(site, visitors):
    _interview, url = invited(site)
    page = visitors(reduced_motion="reduce").page()
    page.goto(url)
    begin(page)
    before = replies(page)
    answer(page, ANSWERS[0])
    assert replies(page) == before + 1
    assert page.evaluate("getComputedStyle(document.querySelector('.progress')).animationName") == "none"


def test_the_colour_switch_is_kept(site, page):
    _interview, url = invited(site)
    page.goto(url)
    page.get_by_role("button", name="Light or dark colours").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
