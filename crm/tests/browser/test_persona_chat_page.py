"""Persona chat in a real browser, on a phone: a picture, a streamed answer, said anew, stopped, deleted."""

from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from playwright.sync_api import expect

from crm.models import Message
from crm.tests.media_samples import picture
from crm.tests.persona_chatting import make_influencer

pytestmark = pytest.mark.browser

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
# A microphone that always hums: the browser of the tests has none.
MICROPHONE = """
navigator.mediaDevices.getUserMedia = async () => {
  const context = new AudioContext();
  const hum = context.createOscillator();
  const into = context.createMediaStreamDestination();
  hum.connect(into);
  hum.start();
  return into.stream;
};
"""


def breaches(page):
    found = Axe().run(page, None, WCAG).response["violations"]
    return [(one["id"], one["nodes"][0]["html"][:120]) for one in found]


@pytest.fixture
def page(site, visitor):
    make_influencer(slug="tomasz", greeting="Good morning!", category="food", description="Bakes.")
    client = Client()
    client.force_login(User.objects.create_superuser("sue"))
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site.url}
    visitor.context.add_cookies([cookie])
    return visitor.page()


def test_what_was_written_survives_a_reload_until_it_is_sent(page):
    page.goto("/personas/tomasz/")
    box = page.get_by_label("Your message")
    box.fill("What is in your bread?")
    page.reload()
    expect(box).to_have_value("What is in your bread?")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("article.persona")).to_have_count(2)
    page.reload()
    expect(box).to_have_value("")
    page.get_by_role("link", name="Edit").click()
    box.fill("Old words, being changed")
    page.reload()
    expect(box).to_have_value("")


def test_a_picture_is_sent_from_a_phone_answered_answered_again_and_deleted(page):
    page.goto("/personas/")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator(".card")).to_contain_text("food · Offline: no AI model is connected")
    page.get_by_role("link", name="Tomasz").click()
    expect(page.get_by_text("Good morning!")).to_be_visible()
    page.locator("#picture").set_input_files(
        {"name": "loaf.jpg", "mimeType": "image/jpeg", "buffer": picture(size=(400, 300))}
    )
    expect(page.locator("#picked")).to_contain_text("loaf.jpg")
    expect(page.locator("#preview")).to_have_js_property("naturalWidth", 400)
    page.get_by_label("Your message").fill("What is this?")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("article.person img.picture")).to_be_visible()
    expect(page.locator("article.persona").last).to_contain_text("No AI model is connected")
    expect(page.get_by_label("Your message")).to_have_value("")
    assert breaches(page) == []

    page.locator("#m3").evaluate("old => { old.dataset.old = 'yes' }")
    page.get_by_role("button", name="Answer again").click()
    expect(page.locator("#m3:not([data-old])")).to_be_focused()
    expect(page.locator("#m3")).to_contain_text("No AI model is connected")
    expect(page.locator("article.persona")).to_have_count(2)
    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_label("Your message")).to_have_value("What is this?")
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Edit")).to_be_focused()
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Your message").fill("What is in it?")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("article.person")).to_have_count(1)
    expect(page.locator("article.person")).to_contain_text("What is in it?")
    expect(page.locator("article.person")).to_contain_text("Edited")

    page.reload()
    expect(page.locator("article.person img.picture")).to_have_js_property("complete", True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("Menu").click()
    page.get_by_role("link", name="Delete this chat").click()
    page.get_by_role("button", name="Delete this chat").click()
    expect(page.get_by_role("status")).to_be_focused()
    expect(page.get_by_role("status")).to_have_text("The chat was deleted.")


def test_a_voice_note_is_recorded_heard_again_and_sent(page):
    page.add_init_script(MICROPHONE)
    page.goto("/personas/tomasz/")
    page.get_by_role("button", name="Record a voice note").click()
    expect(page.get_by_role("timer")).to_have_text("0:01")
    page.locator("#drop").click()
    expect(page.get_by_role("button", name="Record a voice note")).to_be_focused()
    page.get_by_role("button", name="Record a voice note").click()
    expect(page.get_by_role("timer")).to_have_text("0:01")
    page.get_by_role("button", name="Done").click()
    expect(page.locator("#picked-name")).to_have_text("voice-note.wav")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("article.person audio")).to_be_visible()
    expect(page.locator("article.persona").last).to_contain_text("I cannot listen to recordings here")


def test_a_page_that_is_opened_while_an_answer_is_written_follows_it(page):
    page.goto("/personas/tomasz/")
    page.get_by_label("Your message").fill("Hello")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#m3")).to_contain_text("No AI model is connected")
    # Another process writes it anew, as far as this one can tell.
    replies = Message.objects.filter(reply_to__isnull=False)
    replies.update(state="streaming", text="One ", heartbeat_at=timezone.now() + timedelta(minutes=5))
    page.reload()
    expect(page.locator(".said.persona .caret")).to_have_text("One")
    expect(page.get_by_role("link", name="Look again")).to_have_count(0)
    expect(page.get_by_role("button", name="Stop the answer")).to_be_visible()
    replies.update(text="One two ")
    expect(page.locator(".said.persona .caret")).to_have_text("One two")
    replies.update(state="complete", text="One two three", completed_at=timezone.now())
    expect(page.locator("#m3 .words")).to_have_text("One two three")
    expect(page.get_by_role("button", name="Answer again")).to_be_visible()
