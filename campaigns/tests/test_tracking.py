"""Tracking is off unless asked for, leads nowhere that was not signed, and tells scanners from people."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.utils import timezone

from campaigns import inviting, outbox, sending, states, tracing
from campaigns.models import Delivery, EmailEvent
from config.logs import redact
from tests.factories import make_campaign, make_template

pytestmark = pytest.mark.django_db
BROWSER = {"HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}
TEXT = "Hello,\n\n{{ link }}\n\nMore at https://example.org/a?x=1&y=2 and https://example.org/b and https://example.org/c."


def sent(**fields):
    campaign = make_campaign(people=1, **fields)
    campaign.template = make_template(campaign.account, text=TEXT)
    campaign.save()
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    sending.send_due(None)
    Delivery.objects.update(sent_at=timezone.now() - timedelta(minutes=5))
    return Delivery.objects.get()


@pytest.fixture
def tracked():
    return sent(track_opens=True, track_clicks=True)


def hrefs(delivery):
    return [unescape(one) for one in re.findall(r'href="([^"]+)"', outbox.read(delivery).html)]


def path(url):
    return url.removeprefix("http://testserver")


def link_to(delivery, url="https://example.org/b"):
    return path(tracing.link_url(delivery.pk, url))


def events():
    return list(EmailEvent.objects.filter(source="page").order_by("pk").values_list("kind", "is_bot"))


def test_it_is_off_by_default():
    delivery = sent()
    html = outbox.read(delivery).html
    assert "/t/" not in html
    assert "<img" not in html


def test_other_links_pass_by_us_and_capabilities_do_not(tracked):
    found = hrefs(tracked)
    assert any(one.startswith("http://testserver/t/") and "example.org%2Fa" in one for one in found)
    assert not any("example.org/" in one for one in found)
    assert any(one.startswith("http://testserver/i/") for one in found)
    assert any(one.startswith("http://testserver/u/") for one in found)
    assert not any("%2Fi%2F" in one or "%2Fu%2F" in one for one in found)
    assert "https://example.org/b" in outbox.read(tracked).text


def test_what_is_no_web_address_stays():
    html = '<a href="mailto:x@y.z">a</a> <a href="tel:+1">b</a> <a href="#c">c</a>'
    assert tracing.traced(html, Delivery().pk, opens=False, clicks=True) == html


def test_a_click_goes_on_to_exactly_the_signed_address(client, tracked):
    url = next(one for one in hrefs(tracked) if "example.org%2Fa" in one)
    response = client.get(path(url), **BROWSER)
    assert (response.status_code, response["Location"]) == (302, "https://example.org/a?x=1&y=2")
    assert response["Referrer-Policy"] == "no-referrer"
    assert "no-store" in response["Cache-Control"]
    assert events() == [("clicked", False)]
    tracked.refresh_from_db()
    assert tracked.clicked_at is not None
    assert tracked.state == "sent"


@pytest.mark.parametrize(
    "change",
    [
        lambda link: link.replace("example.org", "evil.example"),
        lambda link: link.replace("?to=", "?to=https%3A%2F%2Fevil.example&to="),
        lambda link: link + "x",
        lambda link: link.split("?")[0],
        lambda link: link.split("?")[0] + "?to=",
        lambda link: link.replace("/t/", "/t/a"),
        lambda link: re.sub(r"/t/(.)", lambda found: "/t/" + ("b" if found[1] == "a" else "a"), link),
        lambda link: "/t/?to=https%3A%2F%2Fevil.example",
    ],
)
def test_a_changed_link_leads_nowhere(client, tracked, change):
    response = client.get(change(link_to(tracked)), **BROWSER)
    if response.status_code == 302:
        assert response["Location"] == "https://example.org/b"  # the last of two values is the signed one
    else:
        assert response.status_code == 404
        assert not events()


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", "ftp://x.y/z"])
def test_only_web_addresses_are_ever_followed_even_signed(client, tracked, url):
    assert client.get(link_to(tracked, url), **BROWSER).status_code == 404


def test_the_signature_of_one_email_does_not_fit_another(client, tracked):
    other = Delivery.objects.create(
        account=tracked.account, contact=tracked.contact, purpose="invitation", key="o"
    )
    tag = tracing.link_url(other.pk, "https://example.org/c").split("/t/")[1].split("?")[0]
    assert client.get(f"/t/{tag}?to=https%3A%2F%2Fexample.org%2Fb", **BROWSER).status_code == 404


def test_the_picture_is_a_dot_and_notes_an_opening(client, tracked):
    response = client.get(path(tracing.pixel_url(tracked.pk)), **BROWSER)
    assert response.content.startswith(b"GIF89a")
    assert response["Content-Type"] == "image/gif"
    assert "no-store" in response["Cache-Control"]
    tracked.refresh_from_db()
    assert tracked.opened_at is not None
    assert events() == [("opened", False)]


def test_a_link_is_no_picture_and_a_picture_no_link(client, tracked):
    tag = link_to(tracked).split("/t/")[1].split("?")[0]
    assert client.get(f"/t/{tag}.gif", **BROWSER).status_code == 404
    assert not events()


def test_an_opening_changes_nothing_but_the_hint(client, tracked):
    interview = tracked.recipient.interview.state
    client.get(path(tracing.pixel_url(tracked.pk)), **BROWSER)
    tracked.recipient.interview.refresh_from_db()
    assert tracked.recipient.interview.state == interview
    tracked.recipient.refresh_from_db()
    assert tracked.recipient.stopped_at is None


@pytest.mark.parametrize(
    "agent", ["", "curl/8", "Barracuda Sentinel", "Mozilla/5.0 (compatible; SafeLinks)", "python-requests/2"]
)
def test_a_scanner_is_marked_by_its_name(client, tracked, agent):
    client.get(link_to(tracked), HTTP_USER_AGENT=agent)
    tracked.refresh_from_db()
    assert events() == [("clicked", True)]
    assert tracked.clicked_at is None


def test_a_head_request_is_a_scanners(client, tracked):
    assert client.head(link_to(tracked), **BROWSER).status_code == 302
    assert events() == [("clicked", True)]


def test_a_hit_right_after_delivery_is_a_scanners(client, tracked):
    Delivery.objects.update(sent_at=timezone.now())
    client.get(path(tracing.pixel_url(tracked.pk)), **BROWSER)
    assert events() == [("opened", True)]


def test_many_links_at_once_are_a_scanners_those_before_included(client, tracked):
    for name in ("a", "b", "c"):
        client.get(link_to(tracked, f"https://example.org/{name}"), **BROWSER)
    tracked.refresh_from_db()
    assert events() == [("clicked", True)] * 3
    assert tracked.clicked_at is None


def test_one_link_again_and_again_is_a_persons(client, tracked):
    for _time in range(4):
        client.get(link_to(tracked), **BROWSER)
    assert events() == [("clicked", False)] * 4


def test_repeating_a_link_does_not_fill_the_table(client, tracked, monkeypatch):
    from campaigns import tracking

    monkeypatch.setattr(tracking, "MOST_EVENTS", tracked.events.count() + 2)
    for _time in range(5):
        assert client.get(link_to(tracked), **BROWSER).status_code == 302
    assert len(events()) == 2


def test_neither_address_nor_browser_nor_query_is_stored(client, tracked):
    client.get(link_to(tracked, "https://example.org/a?x=1&y=2"), REMOTE_ADDR="203.0.113.9", **BROWSER)
    event = EmailEvent.objects.get(source="page")
    stored = f"{event.detail} {event.source_id}"
    assert event.detail == "https://example.org/a"
    assert "203.0.113.9" not in stored
    assert "Firefox" not in stored


def test_no_tag_reaches_the_logs(tracked):
    link = link_to(tracked)
    tag = link.split("/t/")[1].split("?")[0]
    assert tag not in redact(f"GET {link}")
    assert tag not in redact(path(tracing.pixel_url(tracked.pk)))
