"""The assistant page in a real browser: an answer that is being written is followed, and stopped."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from playwright.sync_api import expect

from crm.models import Message
from crm.tests.browser.test_persona_chat_page import breaches
from tests.factories import make_account

pytestmark = pytest.mark.browser


@pytest.fixture
def page(site, visitor):
    make_account()
    client = Client()
    client.force_login(User.objects.create_superuser("sue"))
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site.url}
    visitor.context.add_cookies([cookie])
    return visitor.page()


def test_an_answer_is_followed_by_a_page_that_is_opened_meanwhile_and_stopped(page):
    page.goto("/assistant/")
    page.get_by_label("Your question").fill("Hello")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#m2 .words")).to_contain_text("Ask me anything")
    # Another process writes it anew, as far as this one can tell.
    replies = Message.objects.filter(reply_to__isnull=False)
    replies.update(state="streaming", text="One ", heartbeat_at=timezone.now() + timedelta(minutes=5))
    page.reload()
    expect(page.locator(".said.persona .caret")).to_have_text("One")
    expect(page.get_by_role("link", name="Look again")).to_have_count(0)
    replies.update(text="One two ")
    expect(page.locator(".said.persona .caret")).to_have_text("One two")
    assert breaches(page) == []
    page.get_by_role("button", name="Stop the answer").click()
    expect(page.locator("#m2")).to_contain_text("You stopped this answer.")
    expect(page.locator("#m2 .words")).to_have_text("One two")
    assert replies.get().state == "complete"
