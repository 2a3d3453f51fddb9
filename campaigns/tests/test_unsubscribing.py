"""RFC 8058: one click, no login, no cookie, no CSRF, no redirect; and opening a link changes nothing."""

import re

import pytest
from django.test import Client

from campaigns import inviting, states
from campaigns.models import Delivery, EmailEvent
from crm.consent import suppress
from crm.models import AccessLink, Suppression
from tests.factories import make_campaign, make_contact

pytestmark = pytest.mark.django_db
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def invited():
    campaign = make_campaign(people=1)
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    return Delivery.objects.get(campaign=campaign)


@pytest.fixture
def path(invited):
    return re.search(r"^List-Unsubscribe: <http://testserver(/u/[^>]+)>\r$", invited.rendered, re.M)[1]


@pytest.fixture
def strict():
    return Client(enforce_csrf_checks=True)


def in_force():
    return Suppression.objects.filter(lifted_at=None)


def test_opening_the_link_asks_and_changes_nothing(strict, path):
    response = strict.get(path)
    assert response.status_code == 200
    assert b"Stop invitations?" in response.content
    assert not in_force().exists()
    assert response["Referrer-Policy"] == "no-referrer"
    assert "no-store" in response["Cache-Control"]
    assert not response.cookies


def test_head_changes_nothing(strict, path):
    strict.head(path)
    assert not in_force().exists()


def test_one_click_acts_at_once(strict, path, invited):
    response = strict.post(path, ONE_CLICK)
    assert response.status_code == 200
    assert not response.cookies
    suppression = in_force().get()
    assert (suppression.purpose, suppression.reason) == ("invitation", "unsubscribe")
    assert suppression.source["delivery"] == str(invited.pk)
    assert EmailEvent.objects.filter(delivery=invited, kind="unsubscribed").count() == 1


def test_the_second_click_is_answered_the_same_and_changes_nothing(strict, path, invited):
    strict.post(path, ONE_CLICK)
    assert strict.post(path, ONE_CLICK).status_code == 200
    assert in_force().count() == 1
    assert EmailEvent.objects.filter(delivery=invited, kind="unsubscribed").count() == 1


def test_the_form_of_the_page_acts_too(strict, path):
    response = strict.post(path)
    assert response.status_code == 200
    assert b"no more invitations" in response.content
    assert in_force().count() == 1


def test_it_can_be_undone(strict, path):
    strict.post(path)
    assert b"Invitations stay on" in strict.post(path, {"undo": "1"}).content
    assert not in_force().exists()


def test_an_undo_does_not_lift_what_staff_decided(strict, path, invited):
    suppress(invited.account, "email", invited.to_email, "manual", purpose="invitation")
    strict.post(path, {"undo": "1"})
    assert in_force().get().reason == "manual"


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("token", ["nothing", "x" * 300])
def test_an_unknown_link_is_not_found(strict, method, token):
    assert getattr(strict, method)(f"/u/{token}").status_code == 404


def test_the_link_of_another_purpose_does_not_unsubscribe(strict):
    _link, token = AccessLink.issue(make_contact(), AccessLink.Purpose.CONVERSATION)
    assert strict.post(f"/u/{token}", ONE_CLICK).status_code == 404
    assert not Suppression.objects.exists()


def test_a_queued_email_to_the_person_is_held_back(strict, path, invited):
    from campaigns import sending

    strict.post(path, ONE_CLICK)
    sending.send_due(None)
    invited.refresh_from_db()
    assert (invited.state, invited.last_reply) == ("cancelled", "unsubscribe")
