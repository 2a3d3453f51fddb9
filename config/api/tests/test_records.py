from datetime import UTC, datetime

import pytest
from django.db import connection

from config.api import audit, encryption
from config.api.models import Account, AuditEntry
from tests.factories import make_account


@pytest.mark.django_db
def test_an_entry_names_who_did_what_to_which():
    account = make_account()
    at = datetime(2026, 1, 2, tzinfo=UTC)
    audit.record(account, "staff", "ada", "read transcript", target=account, detail={"at": at, "turns": 3})
    entry = AuditEntry.objects.get()
    assert (entry.target_kind, entry.target_id) == ("api.account", str(account.pk))
    assert entry.detail == {"at": "2026-01-02T00:00:00Z", "turns": 3}


@pytest.mark.django_db
def test_names_that_are_too_long_are_cut_and_do_not_stop_the_work():
    audit.record(None, "system", "x" * 500, "y" * 500)
    assert len(AuditEntry.objects.get().actor) == 150


@pytest.mark.django_db
@pytest.mark.urls("config.api.tests.tiny_site")
def test_an_account_sees_its_own_rows_only():
    mine, other = make_account("mine"), make_account("other")
    audit.record(mine, "system", "", "mine")
    audit.record(other, "system", "", "other")
    assert [row.action for row in AuditEntry.objects.for_account(mine)] == ["mine"]


def test_a_secret_comes_back_and_its_ciphertext_tells_nothing(settings):
    settings.ENCRYPTION_KEYS = ["new"]
    token = encryption.encrypt("pässword")
    assert "ssword" not in token
    assert encryption.decrypt(token) == "pässword"


def test_old_keys_decrypt_until_the_secret_is_rotated(settings):
    settings.ENCRYPTION_KEYS = ["old"]
    token = encryption.encrypt("secret")
    settings.ENCRYPTION_KEYS = ["new", "old"]
    fresh = encryption.rotate(token)
    settings.ENCRYPTION_KEYS = ["new"]
    assert encryption.decrypt(fresh) == "secret"
    with pytest.raises(ValueError, match="RAPPORT_ENCRYPTION_KEYS"):
        encryption.decrypt(token)


@pytest.mark.parametrize("token", ["", "not a token", "gAAAAABx", "ü"])
def test_what_is_no_token_is_refused_without_showing_it(token):
    with pytest.raises(ValueError, match="No key") as refusal:
        encryption.decrypt(token)
    assert refusal.value.__suppress_context__
    with pytest.raises(ValueError, match="No key"):
        encryption.rotate(token)


@pytest.mark.django_db
def test_an_encrypted_field_keeps_only_ciphertext_in_the_database():
    from personas.models import ProviderCredential

    name = next(
        field.name
        for field in ProviderCredential._meta.fields
        if isinstance(field, encryption.EncryptedTextField)
    )
    row = ProviderCredential(account=make_account(), **{name: "sk-very-secret"})
    row.save()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {name} FROM {ProviderCredential._meta.db_table}")
        assert "very-secret" not in cursor.fetchone()[0]
    row.refresh_from_db()
    assert getattr(row, name) == "sk-very-secret"


@pytest.mark.django_db
def test_an_account_slug_holds_no_plus():
    from django.core.exceptions import ValidationError

    with pytest.raises(ValidationError):
        Account(slug="a+b", name="A").full_clean()
