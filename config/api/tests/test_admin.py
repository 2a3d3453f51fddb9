import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from config.api.authentication import caller_for_key
from config.api.models import Account, ApiKey, AuditEntry
from tests.factories import make_account, make_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator():
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))
    return client


def test_a_new_key_is_shown_once_and_works(operator):
    account = make_account()
    form = {
        "account": account.pk,
        "name": "CRM",
        "scopes": '["crm"]',
        "expires_at_0": "",
        "expires_at_1": "",
    }
    page = operator.post("/admin/api/apikey/add/", form, follow=True).content.decode()
    key = re.search(r"rk_[\w-]{43}", page).group(0)
    assert caller_for_key(key).scopes == ("crm",)
    assert key not in operator.get("/admin/api/apikey/").content.decode()
    assert AuditEntry.objects.get().action == "made API key"


def test_scopes_that_are_no_list_are_refused(operator):
    form = {
        "account": make_account().pk,
        "name": "CRM",
        "scopes": '{"a": 1}',
        "expires_at_0": "",
        "expires_at_1": "",
    }
    assert "list of words" in operator.post("/admin/api/apikey/add/", form).content.decode()


def test_a_revoked_key_works_no_more_and_its_end_is_on_record(operator):
    key = make_key()
    choice = {"action": "revoke_keys", "_selected_action": [str(ApiKey.objects.get().pk)]}
    for _ in range(2):
        operator.post("/admin/api/apikey/", choice)
    assert caller_for_key(key) is None
    assert AuditEntry.objects.filter(action="revoked API key", actor="ada").count() == 1


@pytest.mark.parametrize("path", ["account", "apikey", "auditentry"])
def test_lists_cost_the_same_however_many_rows(operator, path, django_assert_max_num_queries):
    for number in range(20):
        account = make_account(f"account-{number}")
        make_key(account)
        AuditEntry.objects.create(account=account, action="read", actor="ada")
    operator.get(f"/admin/api/{path}/")  # the content types are read once per process
    with django_assert_max_num_queries(9):
        assert operator.get(f"/admin/api/{path}/?q=a").status_code == 200


def test_nobody_rewrites_the_record(operator):
    row = AuditEntry.objects.create(action="read transcript")
    assert operator.get(f"/admin/api/auditentry/{row.pk}/change/").status_code == 200
    assert operator.post(f"/admin/api/auditentry/{row.pk}/change/", {"action": "x"}).status_code == 403
    assert operator.post(f"/admin/api/auditentry/{row.pk}/delete/", {"post": "yes"}).status_code == 403


def account_form(**changed):
    form = {"slug": "north", "name": "Northwind", "accent": "#0b6e5f", "language": "en", "time_zone": "UTC"}
    rest = {"page_size": "A4", "postal_line": "", "privacy_contact": "", "email_cap_days": 7}
    return {**form, **rest, **changed}


def test_an_account_is_made_with_what_exists(operator):
    form = account_form(language="ar", time_zone="Africa/Cairo", accent="#aa3300")
    assert operator.post("/admin/api/account/add/", form).status_code == 302
    account = Account.objects.get(slug="north")
    assert (account.language, account.time_zone, account.accent) == ("ar", "Africa/Cairo", "#aa3300")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slug", "north+south"),
        ("slug", "acme"),
        ("accent", "green"),
        ("language", "xx"),
        ("time_zone", "Mars/Base"),
        ("page_size", "A0"),
        ("privacy_contact", "nobody"),
    ],
)
def test_an_account_that_cannot_work_is_refused_at_its_field(operator, field, value):
    make_account("acme")
    response = operator.post("/admin/api/account/add/", account_form(**{field: value}))
    assert response.status_code == 200
    assert list(response.context["adminform"].errors) == [field]
    assert not Account.objects.filter(name="Northwind").exists()


def test_what_an_account_had_before_stays_a_choice(operator):
    account = make_account("acme", language="tlh")
    form = account_form(name="Acme", language="tlh")
    assert operator.post(f"/admin/api/account/{account.pk}/change/", form).status_code == 302
    assert Account.objects.get(slug="acme").language == "tlh"


def test_a_new_key_opens_everything_unless_staff_say_otherwise(operator):
    page = operator.get("/admin/api/apikey/add/")
    assert page.context["adminform"].form["scopes"].value() == '["*"]'
    assert "Revoked at" not in page.content.decode()
