"""Personas, versions, keys and usage in the admin."""

import datetime

import pytest
from django.urls import reverse

from config.api.models import AuditEntry
from personas.models import Persona, PersonaVersion, ProviderCredential, Usage
from personas.versions import save_persona
from tests.factories import make_account, make_persona

pytestmark = pytest.mark.django_db

FORM = {
    "name": "Nora",
    "slug": "nora",
    "kind": "interviewer",
    "status": "active",
    "language": "en",
    "traits": "{}",
    "examples": "[]",
    "provider_chain": '["offline"]',
    "temperature": "0.6",
    "max_tokens": "600",
}


def address(model, page, *args):
    return reverse(f"admin:personas_{model}_{page}", args=args)


def make_many(number):
    for _ in range(number):
        persona = make_persona()
        save_persona(persona, author="ada")
        Usage.objects.create(
            account=persona.account, persona=persona, persona_key=persona.pk, day=datetime.date(2026, 1, 2)
        )


@pytest.mark.parametrize("model", ["persona", "personaversion", "providercredential", "usage"])
def test_lists_ask_a_constant_number_of_queries(admin_client, model, django_assert_max_num_queries):
    make_many(2)
    admin_client.get(address(model, "changelist"))
    with django_assert_max_num_queries(12) as few:
        assert admin_client.get(address(model, "changelist")).status_code == 200
    make_many(6)
    with django_assert_max_num_queries(len(few)):
        assert admin_client.get(address(model, "changelist")).status_code == 200


def test_lists_are_searched_and_filtered(admin_client):
    persona = make_persona(name="Findable")
    make_persona(name="Other")
    page = admin_client.get(
        address("persona", "changelist") + f"?q=findable&account__id__exact={persona.account_id}"
    )
    assert [row.name for row in page.context["cl"].result_list] == ["Findable"]


def test_a_persona_made_in_the_admin_has_a_version_and_an_audit_entry(admin_client):
    answer = admin_client.post(address("persona", "add"), {**FORM, "account": make_account().pk})
    assert answer.status_code == 302
    assert PersonaVersion.objects.get().author == "admin"
    assert AuditEntry.objects.get().action == "create persona"


def test_a_change_keeps_what_was_and_the_account_stays(admin_client):
    persona = make_persona(slug="nora")
    other = make_account("other")
    admin_client.post(address("persona", "change", persona.pk), {**FORM, "name": "Nina", "account": other.pk})
    persona.refresh_from_db()
    assert (persona.name, persona.account) == ("Nina", make_account())
    assert PersonaVersion.objects.get().content["name"] == "Nina"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("provider_chain", '["nobody"]', "No provider is called"),
        ("traits", "[1]", "names with values"),
        ("examples", '[{"a": 1}]', "short examples"),
        ("slug", "taken", "already exists"),
    ],
)
def test_bad_fields_are_refused_in_words(admin_client, field, value, words):
    make_persona(slug="taken")
    answer = admin_client.post(
        address("persona", "add"), {**FORM, "account": make_account().pk, field: value}
    )
    assert answer.status_code == 200
    assert words in answer.content.decode()


def test_the_persona_page_shows_who_words_it(admin_client):
    persona = make_persona()
    assert (
        "offline (no AI model)" in admin_client.get(address("persona", "change", persona.pk)).content.decode()
    )


@pytest.fixture
def changed_persona():
    persona = make_persona(name="Then")
    save_persona(persona, author="ada")
    persona.name = "Now"
    save_persona(persona, author="ada")
    return persona


def restore_address(persona, number=1):
    version = persona.versions.get(number=number)
    return reverse("admin:personas_personaversion_restore_version", args=[version.pk])


def test_a_version_is_restored_by_a_button_that_asks_first(admin_client, changed_persona):
    page = admin_client.get(restore_address(changed_persona))
    assert "Restore this version?" in page.content.decode()
    assert Persona.objects.get().name == "Now"
    answer = admin_client.post(restore_address(changed_persona), {"_form_submitted": "on"})
    assert answer.status_code == 302
    assert Persona.objects.get().name == "Then"
    assert AuditEntry.objects.get().detail == {"version": 1}


def test_a_version_that_can_no_longer_be_restored_says_why(admin_client, changed_persona):
    changed_persona.versions.filter(number=1).update(content={"provider_chain": ["gone"]})
    answer = admin_client.post(restore_address(changed_persona), {"_form_submitted": "on"}, follow=True)
    assert "No provider is called “gone”" in answer.content.decode()
    assert Persona.objects.get().name == "Now"


def test_the_dialog_of_the_page_is_told_where_to_go(admin_client, changed_persona):
    answer = admin_client.post(
        restore_address(changed_persona), {"_form_submitted": "on"}, headers={"HX-Request": "true"}
    )
    assert answer.headers["HX-Redirect"] == address("persona", "change", changed_persona.pk)


def test_staff_without_the_right_cannot_restore(client, changed_persona, django_user_model):
    reader = django_user_model.objects.create_user("reader", password="x", is_staff=True)
    client.force_login(reader)
    assert client.post(restore_address(changed_persona), {"_form_submitted": "on"}).status_code == 403
    assert Persona.objects.get().name == "Now"


def test_versions_and_usage_cannot_be_changed(admin_client, changed_persona):
    version = changed_persona.versions.first()
    assert admin_client.get(address("personaversion", "change", version.pk)).status_code == 200
    assert admin_client.post(address("personaversion", "change", version.pk), {}).status_code == 403
    assert admin_client.get(address("usage", "add")).status_code == 403


@pytest.fixture
def openai_is_set_up(settings):
    settings.PROVIDERS = {
        **settings.PROVIDERS,
        "openai": {"BACKEND": "personas.providers.openai.OpenAIProvider"},
    }


def key_form(**fields):
    return {
        "account": make_account().pk,
        "provider": "openai",
        "key": "sk-secret",
        "base_url": "",
        **fields,
    }


@pytest.mark.usefixtures("openai_is_set_up")
class TestVendorKeys:
    def change(self, client, **fields):
        row = ProviderCredential.objects.get()
        return client.post(address("providercredential", "change", row.pk), key_form(**fields))

    def test_a_key_is_stored_and_never_shown(self, admin_client):
        assert admin_client.post(address("providercredential", "add"), key_form()).status_code == 302
        row = ProviderCredential.objects.get()
        assert row.secret == "sk-secret"
        for page in (
            address("providercredential", "change", row.pk),
            address("providercredential", "changelist"),
        ):
            assert "sk-secret" not in admin_client.get(page).content.decode()
        assert "sk-secret" not in str(AuditEntry.objects.get().detail)

    def test_an_empty_field_keeps_the_key(self, admin_client):
        admin_client.post(address("providercredential", "add"), key_form())
        assert self.change(admin_client, key="").status_code == 302
        assert ProviderCredential.objects.get().secret == "sk-secret"

    def test_a_new_key_replaces_it(self, admin_client):
        admin_client.post(address("providercredential", "add"), key_form())
        self.change(admin_client, key="sk-new")
        assert ProviderCredential.objects.get().secret == "sk-new"

    def test_the_key_is_not_sent_to_a_new_address_by_those_who_do_not_know_it(self, admin_client):
        admin_client.post(address("providercredential", "add"), key_form())
        answer = self.change(admin_client, key="", base_url="https://elsewhere.example.com")
        assert "Give the key again" in answer.content.decode()
        assert ProviderCredential.objects.get().base_url == ""

    def test_a_key_that_cannot_be_decrypted_any_more_is_replaced(self, admin_client, settings):
        admin_client.post(address("providercredential", "add"), key_form())
        settings.ENCRYPTION_KEYS = ["another"]
        row = ProviderCredential.objects.defer("secret").get()
        assert admin_client.get(address("providercredential", "change", row.pk)).status_code == 200
        form = key_form(key="sk-new")
        admin_client.post(address("providercredential", "change", row.pk), form)
        assert ProviderCredential.objects.get().secret == "sk-new"

    def test_a_host_inside_a_network_is_an_address(self, admin_client):
        form = key_form(base_url="http://ollama:11434/v1")
        assert admin_client.post(address("providercredential", "add"), form).status_code == 302

    @pytest.mark.parametrize(
        "fields", [{"key": ""}, {"provider": "nobody"}, {"base_url": "ftp://x"}, {"base_url": "http:// x"}]
    )
    def test_bad_fields_are_refused(self, admin_client, fields):
        assert admin_client.post(address("providercredential", "add"), key_form(**fields)).status_code == 200
        assert not ProviderCredential.objects.exists()

    def test_one_key_per_provider_and_account(self, admin_client):
        admin_client.post(address("providercredential", "add"), key_form())
        assert admin_client.post(address("providercredential", "add"), key_form()).status_code == 200
        assert ProviderCredential.objects.count() == 1

    def test_deleting_a_key_is_in_the_audit_trail(self, admin_client):
        admin_client.post(address("providercredential", "add"), key_form())
        row = ProviderCredential.objects.get()
        admin_client.post(address("providercredential", "delete", row.pk), {"post": "yes"})
        assert AuditEntry.objects.filter(action="delete vendor key").exists()
