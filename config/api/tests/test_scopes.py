"""A key that could do nothing is not made, by whatever way."""

import re
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from config.api.models import ApiKey
from config.api.permissions import SCOPES
from tests.factories import make_account, make_key

pytestmark = pytest.mark.django_db
NOTHING = ["[]", '[""]', '[" "]']
ROOT = Path(__file__).resolve().parents[3]
ASKED = re.compile(r'^\w*_?SCOPE = "([a-z-]+)"|\b(?:required_)?scope ?= ?"([a-z-]+)"', re.M)
APPS = ("campaigns", "interviews", "voice", "crm", "knowledge", "personas", "config")


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


def scopes_asked_for():
    files = [file for app in APPS for file in (ROOT / app).rglob("*.py") if "tests" not in file.parts]
    found = {name for file in files for words in ASKED.findall(file.read_text()) for name in words if name}
    return found - {"persona-chat"}  # of people with a token, not of keys


def test_the_scopes_that_are_told_are_those_that_are_asked_for():
    assert scopes_asked_for() == set(SCOPES)


def test_the_guide_tells_the_same():
    table = (
        (ROOT / "docs" / "operations.md").read_text().partition("| scope | opens |")[2].partition("\n\n")[0]
    )
    assert re.findall(r"^\| `([a-z]+)` \|", table, re.M) == sorted(SCOPES)


def admin_form(scopes):
    return {
        "account": make_account().pk,
        "name": "CRM",
        "scopes": scopes,
        "expires_at_0": "",
        "expires_at_1": "",
    }


def test_the_admin_names_the_scopes_and_refuses_another(admin_client):
    assert "interviews, knowledge" in admin_client.get("/admin/api/apikey/add/").content.decode()
    page = admin_client.post("/admin/api/apikey/add/", admin_form('["crm", "crn"]'))
    assert "There is no scope “crn”" in page.content.decode()
    assert not ApiKey.objects.exists()


def test_the_admin_makes_a_key_with_scopes_there_are(admin_client):
    admin_client.post("/admin/api/apikey/add/", admin_form('["crm", "chat"]'))
    assert ApiKey.objects.get().scopes == ["crm", "chat"]


def test_a_scope_of_an_older_release_may_stay(admin_client):
    key = ApiKey.issue(make_account(), "CRM", scopes=["contacts"])[0]
    form = {"name": "Renamed", "scopes": '["contacts"]', "expires_at_0": "", "expires_at_1": ""}
    admin_client.post(f"/admin/api/apikey/{key.pk}/change/", form)
    key.refresh_from_db()
    assert (key.name, key.scopes) == ("Renamed", ["contacts"])
