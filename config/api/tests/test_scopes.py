"""A key that could do nothing is not made, by whatever way."""

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from config.api.models import ApiKey
from tests.factories import make_account, make_key

pytestmark = pytest.mark.django_db
NOTHING = ["[]", '[""]', '[" "]']


@pytest.mark.parametrize("scopes", NOTHING)
def test_the_admin_refuses_a_key_without_a_scope(admin_client, scopes):
    form = {
        "account": make_account().pk,
        "name": "CRM",
        "scopes": scopes,
        "expires_at_0": "",
        "expires_at_1": "",
    }
    page = admin_client.post("/admin/api/apikey/add/", form)
    assert "can do nothing" in page.content.decode()
    assert not ApiKey.objects.exists()


def test_the_admin_does_not_take_the_last_scope_away(admin_client):
    make_key()
    key = ApiKey.objects.get()
    form = {"name": "CRM", "scopes": "[]", "expires_at_0": "", "expires_at_1": ""}
    admin_client.post(f"/admin/api/apikey/{key.pk}/change/", form)
    key.refresh_from_db()
    assert key.scopes == ["*"]


@pytest.mark.parametrize("scopes", [[], [""], ["things", " "]])
def test_no_key_is_issued_without_a_scope(scopes):
    with pytest.raises(ValidationError):
        ApiKey.issue(make_account(), "CRM", scopes=scopes)
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("scopes", ["", ",", " , "])
def test_the_command_refuses_too(scopes):
    with pytest.raises(CommandError, match="at least one scope"):
        call_command("apikey", "create", "CRM", scopes=scopes)
