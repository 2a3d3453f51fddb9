"""A vendor without a key is no model, unless the account has a key of its own."""

import pytest

from personas import speaking
from personas.models import ProviderCredential
from personas.own_keys import needs_own_key
from personas.providers.base import ProviderError
from personas.speaking import has_model
from personas.tests.talking import asking, reply_of
from tests.factories import make_account, make_persona

ENTRY = {"BACKEND": "personas.providers.openai.OpenAIProvider", "API_KEY": "", "BASE_URL": "", "MODEL": "m"}
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _keyless(settings):
    settings.PROVIDERS = {**settings.PROVIDERS, "openai": ENTRY}


@pytest.fixture
def persona():
    return make_persona(provider_chain=["openai", "offline"])


def give_key(account, address=""):
    return ProviderCredential.objects.create(
        account=account, provider="openai", secret="sk-own", base_url=address
    )


@pytest.mark.parametrize(
    ("change", "needs"),
    [({}, True), ({"API_KEY": "sk"}, False), ({"BASE_URL": "http://localhost:11434/v1"}, False)],
)
def test_only_a_vendors_own_address_needs_a_key(settings, change, needs):
    settings.PROVIDERS["openai"] = {**ENTRY, **change}
    assert needs_own_key("openai") is needs


def test_a_persona_whose_vendor_has_no_key_has_no_model(persona):
    assert not has_model(persona)


def test_with_a_key_of_the_account_it_has_one(persona):
    give_key(persona.account)
    assert has_model(persona)


def test_a_key_that_is_removed_is_missed_at_once(persona):
    key = give_key(persona.account)
    assert has_model(persona)
    key.delete()
    assert not has_model(persona)


def test_another_accounts_key_is_not_its_own(persona):
    give_key(make_account("other"))
    assert not has_model(persona)


def test_it_is_asked_once_for_many_personas(persona, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert [has_model(persona) for _ in range(5)] == [False] * 5


async def test_without_a_key_the_vendor_is_not_even_asked(persona):
    assert (await reply_of(speaking.speak(persona, asking("Why?"), account=persona.account)))[0] == "Why?"
    persona.provider_chain = ["openai"]
    with pytest.raises(ProviderError) as caught:
        await reply_of(speaking.speak(persona, asking("Why?"), account=persona.account))
    assert (caught.value.code, caught.value.retryable) == ("unavailable", False)


async def test_the_accounts_own_key_is_used(persona, server):
    await ProviderCredential.objects.acreate(
        account=persona.account, provider="openai", secret="sk-own", base_url=server.base_url
    )
    assert (await reply_of(speaking.speak(persona, asking("Why?"), account=persona.account)))[
        1
    ].provider == "openai"
    assert server.requests[0].headers["authorization"] == "Bearer sk-own"
