"""`manage.py rotate_secrets`."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from config.system.management.commands import rotate_secrets
from personas.models import ProviderCredential
from tests.factories import make_account

pytestmark = pytest.mark.django_db


def make_credential(number):
    return ProviderCredential.objects.create(
        account=make_account(), provider=f"p{number}", secret=f"secret {number}"
    )


def rotate():
    out = StringIO()
    call_command("rotate_secrets", stdout=out)
    return out.getvalue()


def test_after_it_the_old_key_is_not_needed(settings):
    settings.ENCRYPTION_KEYS = ["old"]
    make_credential(1)
    settings.ENCRYPTION_KEYS = ["new", "old"]
    rotate()
    settings.ENCRYPTION_KEYS = ["new"]
    assert ProviderCredential.objects.get().secret == "secret 1"


def test_it_goes_through_every_batch(settings, monkeypatch):
    monkeypatch.setattr(rotate_secrets, "BATCH", 2)
    settings.ENCRYPTION_KEYS = ["old"]
    for number in range(5):
        make_credential(number)
    settings.ENCRYPTION_KEYS = ["new", "old"]
    assert "5 encrypted" in rotate()
    settings.ENCRYPTION_KEYS = ["new"]
    assert {row.secret for row in ProviderCredential.objects.all()} == {f"secret {n}" for n in range(5)}


def test_a_key_that_is_missing_is_told_and_nothing_is_lost(settings):
    settings.ENCRYPTION_KEYS = ["old"]
    make_credential(1)
    settings.ENCRYPTION_KEYS = ["new"]
    with pytest.raises(CommandError, match="ProviderCredential"):
        rotate()
    settings.ENCRYPTION_KEYS = ["old"]
    assert ProviderCredential.objects.get().secret == "secret 1"


def test_every_encrypted_field_is_found():
    found = {model.__name__ for model, _ in rotate_secrets.encrypted_models()}
    assert {"ProviderCredential", "SmtpServer", "Delivery"} <= found
