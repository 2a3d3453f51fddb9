"""Background looks at providers' addresses, against a small real HTTP server."""

import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.utils import timezone

from config.system import providers_probe, tasks
from config.system.models import ProviderProbe

pytestmark = pytest.mark.django_db


class Vendor(HTTPServer):
    """Answers every HEAD with one status, and remembers what it was sent."""

    def __init__(self, status=200):
        self.status, self.asked = status, []
        super().__init__(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}/v1"

    def close(self):
        self.shutdown()
        self.server_close()


class Answer(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.server.asked.append((self.path, dict(self.headers)))
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def vendor():
    made = []

    def make(status=200):
        made.append(Vendor(status))
        return made[-1]

    yield make
    for one in made:
        one.close()


def set_up(settings, **addresses):
    backend = "personas.providers.openai.OpenAIProvider"
    settings.PROVIDERS = {
        "offline": {"BACKEND": "personas.providers.offline.OfflineProvider"},
        **{name: {"BACKEND": backend, "BASE_URL": url, "API_KEY": "sk"} for name, url in addresses.items()},
    }


@pytest.mark.parametrize("status", [200, 302, 401, 404, 500])
def test_any_answer_says_that_it_is_reachable(settings, vendor, status):
    server = vendor(status)
    set_up(settings, openai=server.address)
    providers_probe.look()
    found = ProviderProbe.objects.get()
    assert (found.is_reachable, found.detail) == (True, "answers")
    assert found.milliseconds >= 0
    assert len(server.asked) == 1


def test_no_key_is_sent_and_no_model_called(settings, vendor):
    server = vendor()
    set_up(settings, openai=server.address)
    providers_probe.look()
    path, headers = server.asked[0]
    assert path == "/v1"
    assert "Authorization" not in headers


def test_what_does_not_answer_is_told_without_its_address(settings):
    set_up(settings, openai="http://user:secret@127.0.0.1:9/v1")
    providers_probe.look()
    found = ProviderProbe.objects.get()
    assert not found.is_reachable
    assert found.milliseconds is None
    assert "secret" not in found.detail


def test_a_provider_that_is_no_longer_set_up_is_forgotten(settings, vendor):
    ProviderProbe.objects.create(provider="old", is_reachable=True)
    set_up(settings, openai=vendor().address)
    providers_probe.look()
    assert [probe.provider for probe in ProviderProbe.objects.all()] == ["openai"]


def test_an_installation_without_a_model_asks_nobody(settings):
    settings.PROVIDERS = {
        "offline": {"BACKEND": "personas.providers.offline.OfflineProvider"},
        "openai": {"BACKEND": "personas.providers.openai.OpenAIProvider", "API_KEY": "", "BASE_URL": ""},
    }
    assert providers_probe.addresses() == {}
    assert not providers_probe.is_due()


def test_a_key_alone_means_the_vendors_usual_address(settings):
    set_up(settings, openai="")
    assert providers_probe.addresses() == {"openai": "https://api.openai.com/v1"}


def test_the_sweep_looks_once_a_minute(settings, vendor):
    server = vendor()
    set_up(settings, openai=server.address)
    tasks.sweep()
    tasks.sweep()
    assert len(server.asked) == 1
    ProviderProbe.objects.update(at=timezone.now() - timedelta(minutes=2))
    tasks.sweep()
    assert len(server.asked) == 2
