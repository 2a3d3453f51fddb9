"""Persona chat in a real browser, on a phone: the catalogue, a picture, a streamed answer, a reload."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import expect

from crm.tests.media_samples import picture
from crm.tests.persona_chatting import make_influencer

pytestmark = pytest.mark.browser

WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


def breaches(page):
    found = Axe().run(page, None, WCAG).response["violations"]
    return [(one["id"], one["nodes"][0]["html"][:120]) for one in found]


def test_a_picture_is_sent_from_a_phone_and_answered(site, visitor):
    make_influencer(slug="tomasz", greeting="Good morning!", category="food", description="Bakes.")
    client = Client()
    client.force_login(User.objects.create_superuser("sue"))
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site.url}
    visitor.context.add_cookies([cookie])
    page = visitor.page()
    page.goto("/personas/")
    assert breaches(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator(".card")).to_contain_text("food · Offline: no AI model is connected")
    page.get_by_role("link", name="Tomasz").click()
    expect(page.get_by_text("Good morning!")).to_be_visible()
    page.locator("#picture").set_input_files(
        {"name": "loaf.jpg", "mimeType": "image/jpeg", "buffer": picture(size=(400, 300))}
    )
    expect(page.locator("#picked")).to_contain_text("loaf.jpg")
    page.get_by_label("Your message").fill("What is this?")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("article.person img.picture")).to_be_visible()
    expect(page.locator("article.persona").last).to_contain_text("No AI model is connected")
    expect(page.get_by_label("Your message")).to_have_value("")
    assert breaches(page) == []
    page.reload()
    expect(page.locator("article.person img.picture")).to_have_js_property("complete", True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
