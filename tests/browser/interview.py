"""A person at the interview page, for browser tests and the screenshot script."""

from collections.abc import Iterable

from playwright.sync_api import Page, expect

REPLY_MILLISECONDS = 30_000
READY = "#talk:not([aria-busy=true])"


def begin(page: Page) -> None:
    """From the landing page into the chat."""
    page.get_by_role("button", name="I agree, begin").click()
    expect(page.locator(".said.persona")).to_have_count(1)
    wait_until_connected(page)


def wait_until_connected(page: Page) -> None:
    """The script has taken over the form, and the socket has caught up."""
    page.wait_for_function("() => document.getElementById('composer')?.noValidate")
    page.wait_for_selector(READY)


def answer(page: Page, text: str) -> None:
    """Types one answer and waits for the whole reply. A chip is clicked when the answer is written on one."""
    before = replies(page)
    chip = page.locator("#chips button.chip").filter(has_text=text)
    exact = [one for one in chip.all() if one.inner_text() == text]
    if exact:
        exact[0].click()
    else:
        page.get_by_label("Your answer").fill(text)
        page.get_by_role("button", name="Send").click()
    wait_for_reply(page, more_than=before)


def replies(page: Page) -> int:
    return page.locator(".said.persona[data-seq]").count()


def wait_for_reply(page: Page, *, more_than: int) -> None:
    page.wait_for_function(
        """(before) => document.querySelectorAll('.said.persona[data-seq]').length > before
            && document.getElementById('talk').getAttribute('aria-busy') !== 'true'""",
        arg=more_than,
        timeout=REPLY_MILLISECONDS,
    )


def is_over(page: Page) -> bool:
    return page.locator("#ended").is_visible()


def hold_interview(
    page: Page, answers: Iterable[str], *, filler: str = "That is all I have to say about it."
) -> None:
    """The whole interview, from the landing page to the last page with the answers.

    After the given answers, follow-up questions get `filler`.
    """
    begin(page)
    for text in answers:
        if is_over(page):
            break
        answer(page, text)
        page.wait_for_timeout(50)  # `closed` follows the last reply
    for _turn in range(40):
        if is_over(page):
            break
        answer(page, filler)
        page.wait_for_timeout(50)
    page.get_by_role("link", name="See your answers").click()
    expect(page.get_by_role("heading", name="What you told us")).to_be_visible()
