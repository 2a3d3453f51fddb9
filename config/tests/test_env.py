import pytest
from django.core.exceptions import ImproperlyConfigured

from config.env import Environment, host_in, kept_secret


def env(**values):
    return Environment(values)


def test_an_empty_value_counts_as_not_set():
    assert env(NAME="  ").text("NAME", "fallback") == "fallback"


@pytest.mark.parametrize(("word", "meaning"), [("yes", True), ("ON", True), ("0", False), ("False", False)])
def test_it_reads_flags_in_words(word, meaning):
    assert env(FLAG=word).flag("FLAG", default=not meaning) is meaning


def test_it_refuses_a_flag_that_is_neither_without_showing_its_value():
    with pytest.raises(ImproperlyConfigured) as refusal:
        env(FLAG="sk-secret").flag("FLAG", default=True)
    assert "FLAG" in str(refusal.value)
    assert "sk-secret" not in str(refusal.value)


@pytest.mark.parametrize("text", ["many", "-1", "70000"])
def test_it_refuses_numbers_outside_their_limits(text):
    with pytest.raises(ImproperlyConfigured, match="PORT"):
        env(PORT=text).whole("PORT", 8000, least=1, most=65535)


def test_it_splits_lists_at_commas_and_drops_blanks():
    assert env(HOSTS=" a.example, ,b.example ").words("HOSTS") == ["a.example", "b.example"]


def test_it_refuses_a_url_of_another_scheme():
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL"):
        env(REDIS_URL="http://x").url("REDIS_URL", schemes=("redis",))


def test_it_refuses_a_choice_that_is_not_offered():
    with pytest.raises(ImproperlyConfigured, match="demo, production"):
        env(MODE="prod").choice("MODE", ("demo", "production"), "demo")


def test_a_kept_secret_is_made_once_and_only_its_owner_can_read_it(tmp_path):
    path = tmp_path / "data" / "secret_key"
    first = kept_secret(path)
    assert kept_secret(path) == first
    assert len(first) >= 40
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_reads_addresses_with_and_without_a_port():
    given = env(DNS="10.0.0.1, 127.0.0.1:5353,::1 , [::1]:54").hosts("DNS", port=53)
    assert given == [("10.0.0.1", 53), ("127.0.0.1", 5353), ("::1", 53), ("::1", 54)]
    assert env().hosts("DNS", port=53) == []


@pytest.mark.parametrize(
    "text", ["dns.example", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:x", "[::1", "10.0.0.1:70000"]
)
def test_it_refuses_what_is_no_address(text):
    with pytest.raises(ImproperlyConfigured, match="DNS"):
        env(DNS=text).hosts("DNS", port=53)


@pytest.mark.parametrize(("text", "numbers"), [("15, 120", (15, 120)), ("", (60,)), ("none", ())])
def test_it_reads_lists_of_numbers(text, numbers):
    assert env(GAPS=text).wholes("GAPS", (60,), least=1, most=1000) == numbers


@pytest.mark.parametrize("text", ["15,soon", "0", "15,2000", "-5", "none,15", "²"])
def test_it_refuses_lists_with_anything_else(text):
    with pytest.raises(ImproperlyConfigured, match="GAPS"):
        env(GAPS=text).wholes("GAPS", (), least=1, most=1000)


@pytest.mark.parametrize("text", ["info", "INFO", "Info"])
def test_a_choice_may_be_written_in_any_case(text):
    assert env(LEVEL=text).choice("LEVEL", ("INFO", "ERROR"), "ERROR") == "INFO"


def test_it_reads_time_zones_by_their_names():
    assert env(ZONE="Europe/Warsaw").zone("ZONE", "UTC") == "Europe/Warsaw"
    assert env().zone("ZONE", "UTC") == "UTC"
    assert env().zone("ZONE") == ""


@pytest.mark.parametrize("text", ["Europe/Krakow", "CEST+2", "../etc/passwd", "/etc/passwd"])
def test_it_refuses_a_time_zone_there_is_not(text):
    with pytest.raises(ImproperlyConfigured, match="ZONE"):
        env(ZONE=text).zone("ZONE", "UTC")


def test_it_reads_origins_and_forgives_a_slash_at_the_end():
    given = env(ORIGINS="https://app.example/, http://localhost:3000").origins("ORIGINS")
    assert given == ["https://app.example", "http://localhost:3000"]


def test_origins_have_a_wildcard_only_where_one_is_understood():
    given = env(ORIGINS="https://*.example.com")
    assert given.origins("ORIGINS", wildcards=True) == ["https://*.example.com"]
    with pytest.raises(ImproperlyConfigured, match="ORIGINS"):
        given.origins("ORIGINS")


@pytest.mark.parametrize("text", ["*", "app.example", "https://app.example/path", "https://a@b", "ftp://a"])
def test_it_refuses_what_no_browser_sends_as_an_origin(text):
    with pytest.raises(ImproperlyConfigured, match="ORIGINS"):
        env(ORIGINS=text).origins("ORIGINS")


@pytest.mark.parametrize(
    "text", ["https://", "https:///a", "https://a b", "https://a:port", "http://a:99999"]
)
def test_it_refuses_a_url_without_a_host(text):
    with pytest.raises(ImproperlyConfigured, match="BASE_URL"):
        env(BASE_URL=text).url("BASE_URL", schemes=("http", "https"))


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://talk.example.com:8443/path", "talk.example.com"),
        ("http://[::1]:8000", "[::1]"),
        ("https://user:word@talk.example.com", "talk.example.com"),
        ("talk.example.com", ""),
    ],
)
def test_the_host_of_a_url_is_as_allowed_hosts_writes_it(address, host):
    assert host_in(address) == host
