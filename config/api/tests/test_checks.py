import pytest

from config.api import checks

PRODUCTION = {
    "RAPPORT_ENV": "production",
    "TESTING": False,
    "SECURE": True,
    "TRUSTED_PROXIES": 1,
    "PUBLIC_BASE_URL": "https://rapport.example",
}
CHECKS = (
    checks.secrets_are_set,
    checks.public_address_is_safe,
    checks.demo_stays_at_home,
    checks.providers_are_known,
    checks.proxies_are_counted,
)


@pytest.fixture
def production(settings, monkeypatch):
    """A production that is set up well."""
    for name, value in PRODUCTION.items():
        setattr(settings, name, value)
    monkeypatch.setenv("SECRET_KEY", "s" * 50)
    monkeypatch.setenv("RAPPORT_ENCRYPTION_KEYS", "k" * 40)
    return settings


def ids():
    return sorted({message.id for check in CHECKS for message in check(None)})


def test_a_production_that_is_set_up_well_has_nothing_to_say(production):
    assert ids() == []


@pytest.mark.parametrize("key", ["", "short"])
def test_production_needs_its_own_secret_key(production, monkeypatch, key):
    monkeypatch.setenv("SECRET_KEY", key)
    assert ids() == ["rapport.E001"]


@pytest.mark.parametrize("keys", ["", "short", "k" * 40 + ",short"])
def test_production_needs_encryption_keys(production, monkeypatch, keys):
    monkeypatch.setenv("RAPPORT_ENCRYPTION_KEYS", keys)
    assert ids() == ["rapport.E002"]


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("http://rapport.example", ["rapport.E003"]),
        ("http://localhost.example", ["rapport.E003"]),
        ("http://127.0.0.1:8000", []),
        ("http://[::1]:8000", []),
    ],
)
def test_links_go_out_over_https_unless_they_stay_here(production, address, found):
    production.PUBLIC_BASE_URL = address
    assert ids() == found


@pytest.mark.parametrize(
    ("host", "found"),
    [("127.0.0.1", []), ("localhost", []), ("0.0.0.0", ["rapport.E004"]), ("::", ["rapport.E004"])],
)
def test_the_demo_listens_on_loopback_only(settings, host, found):
    settings.RAPPORT_ENV, settings.HOST = "demo", host
    assert ids() == found


def test_a_provider_nobody_knows_is_named(settings):
    settings.DEFAULT_PROVIDER_CHAIN, settings.EMBEDDING_PROVIDER = ["ofline"], "opanai"
    assert ids() == ["rapport.E005", "rapport.E006"]


def test_tls_without_counted_proxies_is_a_warning(production):
    production.TRUSTED_PROXIES = 0
    assert ids() == ["rapport.W001"]


def test_a_dotted_path_that_leads_nowhere_is_named(settings):
    settings.CHANNELS, settings.PERSONAL_DATA, settings.SOCKET_AUTHENTICATORS = {}, [], ["no.such.thing"]
    (message,) = checks.dotted_paths_exist(None)
    assert "no.such.thing" in message.msg
    assert message.id == "rapport.E007"


def test_every_message_says_what_to_do(production, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "")
    monkeypatch.setenv("RAPPORT_ENCRYPTION_KEYS", "")
    production.PUBLIC_BASE_URL = "http://rapport.example"
    production.TRUSTED_PROXIES = 0
    production.DEFAULT_PROVIDER_CHAIN = ["nobody"]
    messages = [message for check in CHECKS for message in check(None)]
    assert len(messages) == 5
    assert all(message.hint for message in messages)
