"""Calls against a local Twilio: the real SDK, real HTTP, a public address that Django's client stands for."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from crm import consent
from crm.models import ContactAddress
from crm.tests.conftest import flushed_layer as flushed_layer
from personas.breaker import breaker
from tests.factories import bearer, make_account, make_contact, make_key
from tests.fakes.openai_server import OpenAIServer
from tests.fakes.twilio_server import ACCOUNT_SID, AUTH_TOKEN, TwilioServer
from voice.models import TimeSlot
from voice.tests.simulator import BASE, OUR_NUMBER, Line


@pytest.fixture(autouse=True)
def nobody_is_held(monkeypatch):
    """Django's client has no event loop in which a model could go on thinking."""
    monkeypatch.setattr("voice.understanding.HOLD_AFTER_SECONDS", 60)


@pytest.fixture
def twilio(settings):
    with TwilioServer() as server:
        settings.TWILIO_ACCOUNT_SID = ACCOUNT_SID
        settings.TWILIO_AUTH_TOKEN = AUTH_TOKEN
        settings.TWILIO_PHONE_NUMBER = OUR_NUMBER
        settings.TWILIO_API_URL = server.address
        settings.WEBHOOK_BASE_URL = BASE
        settings.CALL_HOURS = (0, 24)  # a test runs at any hour; those of the hours set their own
        settings.CALLS_PER_WEEK = 100
        yield server


@pytest.fixture
def server(settings):
    """A model: the real SDK against a local server."""
    breaker.forget()
    with OpenAIServer() as running:
        entry = {**settings.PROVIDERS["openai"], "API_KEY": "sk-test", "BASE_URL": running.base_url}
        settings.PROVIDERS = {**settings.PROVIDERS, "openai": entry}
        yield running
    breaker.forget()


@pytest.fixture
def account():
    return make_account("acme")


@pytest.fixture
def api(account):
    return Client(headers=bearer(make_key(account)))


@pytest.fixture
def web():
    """Whoever has no credential: Twilio, and strangers."""
    return Client()


def make_callee(account, phone="+4915112345678", *, agrees=True, **fields):
    person = make_contact(account, **fields)
    ContactAddress.objects.create(
        account=account, contact=person, kind="phone", value=phone, as_given=phone, is_primary=True
    )
    if agrees:
        consent.record(person, "phone", "invitation", given=True, source="landing page")
    return person


def make_slots(account, count=3, *, hours_apart=24):
    """Ten o'clock of the next days, in UTC, none of them before the day after tomorrow."""
    first = datetime.combine(timezone.now().date() + timedelta(days=2), datetime.min.time(), UTC)
    starts = [first + timedelta(hours=10 + hours_apart * number) for number in range(count)]
    return [
        TimeSlot.objects.create(account=account, starts_at=at, ends_at=at + timedelta(minutes=30))
        for at in starts
    ]


@pytest.fixture
def ring(twilio, account, api, web):
    """Calls a person who agreed; the line, before anybody answered."""

    def ring(person=None, **body):
        person = person or make_callee(account)
        body = {"candidate_id": str(person.pk), "position": "Engineer", "company": "Acme & Sons", **body}
        response = api.post("/make-actual-call", body, content_type="application/json")
        assert response.status_code == 200, response.content
        return Line.of(web, twilio, response.json()["call_sid"])

    return ring
