"""Signed tokens: whom they speak for, and every reason to refuse one."""

import base64
import hmac
import json
import time

import jwt
import pytest
from rest_framework.exceptions import AuthenticationFailed

from config.api import key_sets
from config.api.errors import UnavailableError
from config.api.web_tokens import TokenUser, auser_of, presented_token, user_of
from tests.fakes.http_server import HttpServer, send_json
from tests.user_tokens import SECRET, IdentityProvider, claims, token


@pytest.fixture(autouse=True)
def _set_up(settings):
    settings.JWT_SECRET_KEY = SECRET
    settings.JWT_ISSUERS = {"yral_auth": "default", "https://auth.example": "acme"}
    key_sets.forget()
    yield
    key_sets.forget()


class KeyServer(HttpServer):
    """Publishes a key set; counts who asked."""

    def __init__(self, provider):
        super().__init__(port=0, host="127.0.0.1")
        self.provider, self.status = provider, 200

    async def _answer(self, request, writer):
        send_json(writer, self.status, json.loads(self.provider.key_set()))


def refusal(bad):
    with pytest.raises(AuthenticationFailed) as caught:
        user_of(bad)
    return str(caught.value.detail)


def test_a_good_token_names_its_user_and_their_account():
    assert user_of(token("alice")) == TokenUser("default", "alice")
    assert user_of(token("alice", iss="https://auth.example")) == TokenUser("acme", "alice")


def test_the_standard_claim_names_the_user_where_the_documented_one_is_missing():
    assert user_of(token(user_id=None, sub="principal-1")).user_id == "principal-1"
    assert user_of(token(user_id="alice", sub="other")).user_id == "alice"


def test_a_number_is_a_users_id_too():
    assert user_of(token(user_id=17)).user_id == "17"


@pytest.mark.parametrize("aud", ["chat", ["chat", "feed"]])
def test_an_audience_is_of_no_account_unless_one_is_set(aud, settings):
    assert user_of(token(aud=aud)).user_id == "alice"
    settings.JWT_AUDIENCE = "chat"
    assert user_of(token(aud=aud)).user_id == "alice"
    assert "audience" in refusal(token(aud="other"))
    assert "audience" in refusal(token())


@pytest.mark.parametrize("at", [-29, 29])
def test_clocks_may_differ_by_the_leeway(at):
    now = int(time.time())
    assert user_of(token(exp=now + min(at, 0) + 3, iat=now + max(at, 0) - 3)).user_id == "alice"


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"exp": lambda: int(time.time()) - 100}, "expired"),
        ({"exp": None}, "expired"),
        ({"exp": "soon"}, "Invalid token"),
        ({"iat": lambda: int(time.time()) + 600}, "not valid yet"),
        ({"nbf": lambda: int(time.time()) + 600}, "not valid yet"),
        ({"iss": "https://evil.example"}, "issuer"),
        ({"iss": None}, "issuer"),
        ({"user_id": None}, "sub"),
        ({"user_id": ""}, "sub"),
        ({"user_id": "a\nb"}, "sub"),
        ({"user_id": "x" * 321}, "sub"),
        ({"user_id": {"a": 1}}, "sub"),
        ({"user_id": True}, "sub"),
    ],
)
def test_a_token_is_refused_in_words_that_programs_look_for(changed, word):
    # Times are made now: the names of the cases were gathered when the whole suite began.
    made = {claim: value() if callable(value) else value for claim, value in changed.items()}
    assert word in refusal(token(**made))


def unsigned():
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims())}."


@pytest.mark.parametrize(
    "bad",
    [
        token(secret="another-secret-of-more-than-32-bytes-!"),
        token(algorithm="HS512"),
        token()[:-4],
        token()[:-4] + "AAAA",
        unsigned(),
        "a.b.c",
        "abc",
        "…",
        "x" * 9_000,
        "rk_an-api-key",
    ],
)
def test_a_signature_that_does_not_fit_is_refused(bad):
    assert refusal(bad).startswith("Invalid token")


def test_without_a_secret_nothing_proves_a_token(settings):
    settings.JWT_SECRET_KEY = ""
    assert refusal(token()).startswith("Invalid token")


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "Missing authorization header"),
        ({"Authorization": "Bearer"}, "Invalid authorization header format"),
        ({"Authorization": "Basic abc"}, "Invalid authorization header format"),
        ({"Authorization": "abc"}, "Invalid authorization header format"),
    ],
)
def test_a_header_that_holds_no_token_is_told_so(headers, words):
    with pytest.raises(AuthenticationFailed) as caught:
        presented_token(headers)
    assert words in str(caught.value.detail)


# --- Keys of an identity provider ---------------------------------------------------------------


@pytest.fixture
def provider():
    made = IdentityProvider()
    made.new_key("first")
    return made


@pytest.fixture
def published(provider, settings):
    with KeyServer(provider) as server:
        settings.JWT_JWKS_URL = f"{server.address}/keys"
        yield server


@pytest.mark.parametrize("kind", ["ES256", "RS256"])
def test_a_published_key_proves_a_token(provider, published, kind):
    provider.new_key("of-this-kind", kind=kind)
    assert user_of(provider.token("of-this-kind")).user_id == "alice"
    assert user_of(provider.token("of-this-kind", "bob")).user_id == "bob"
    assert len(published.requests) == 1


def test_a_key_that_was_never_published_proves_nothing(provider, published):
    other = IdentityProvider()
    other.new_key("first")
    other.new_key("unknown")
    assert refusal(other.token("first")).startswith("Invalid token")
    assert refusal(other.token("unknown")).startswith("Invalid token")


def test_invented_key_ids_do_not_make_us_ask_again(provider, published):
    other = IdentityProvider()
    for number in range(5):
        other.new_key(f"unknown-{number}")
        refusal(other.token(f"unknown-{number}"))
    assert len(published.requests) == 1


def test_a_new_key_is_fetched_when_a_token_names_it(provider, published, monkeypatch):
    user_of(provider.token("first"))
    provider.new_key("second")
    monkeypatch.setattr(key_sets, "REST_SECONDS", 0.0)
    assert user_of(provider.token("second")).user_id == "alice"


async def test_the_event_loop_does_not_wait_for_the_keys(provider, published):
    assert (await auser_of(provider.token("first"))).user_id == "alice"


def test_keys_that_cannot_be_had_are_no_fault_of_the_token(provider, published):
    published.status = 500
    with pytest.raises(UnavailableError):
        user_of(provider.token("first"))


def test_known_keys_are_believed_while_their_host_is_away(provider, published, monkeypatch):
    user_of(provider.token("first"))
    published.status = 500
    monkeypatch.setattr(key_sets, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(key_sets, "REST_SECONDS", 0.0)
    assert user_of(provider.token("first")).user_id == "alice"


def test_a_key_set_may_be_a_file(provider, settings, tmp_path):
    file = tmp_path / "keys.json"
    file.write_text(provider.key_set())
    settings.JWT_JWKS_FILE = str(file)
    assert user_of(provider.token("first")).user_id == "alice"


def test_a_published_key_is_no_shared_secret(provider, published, settings):
    """A token signed with the public key as if it were the secret (RFC 8725 2.1)."""
    settings.JWT_SECRET_KEY = ""
    head = jwt.utils.base64url_encode(b'{"alg": "HS256", "kid": "first"}')
    signed = head + b"." + jwt.utils.base64url_encode(json.dumps(claims()).encode())
    # The library itself would not sign so.
    mark = hmac.digest(provider.key_set().encode(), signed, "sha256")
    forged = (signed + b"." + jwt.utils.base64url_encode(mark)).decode()
    assert refusal(forged).startswith("Invalid token")


@pytest.mark.parametrize(
    "body", ["", "{", "[]", '{"keys": {}}', '{"keys": [1, {"kty": "oct", "k": "AAAA"}]}']
)
def test_a_key_set_that_is_none_is_not_believed(body, settings, tmp_path, provider):
    file = tmp_path / "keys.json"
    file.write_text(body)
    settings.JWT_JWKS_FILE = str(file)
    with pytest.raises(UnavailableError):
        user_of(provider.token("first"))
