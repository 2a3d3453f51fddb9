"""`manage.py apikey`."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from config.api.authentication import caller_for_key
from config.api.models import ApiKey, AuditEntry
from tests.factories import make_account

pytestmark = pytest.mark.django_db


def apikey(*words):
    out = StringIO()
    call_command("apikey", *words, stdout=out)
    return out.getvalue()


def test_a_plain_key_is_the_key_and_nothing_else():
    key = apikey("create", "crm", "--plain").strip()
    caller = caller_for_key(key)
    assert (caller.account.slug, caller.scopes, caller.name) == ("default", ("*",), "crm")


def test_a_key_has_the_account_and_scopes_it_was_made_with():
    make_account("acme")
    key = apikey("create", "crm", "--account", "acme", "--scopes", "crm, chat", "--plain").strip()
    caller = caller_for_key(key)
    assert (caller.account.slug, caller.scopes) == ("acme", ("crm", "chat"))


def test_the_key_is_stored_as_a_digest_only():
    key = apikey("create", "crm", "--plain").strip()
    assert key not in str(ApiKey.objects.values())


def test_making_a_key_is_recorded():
    apikey("create", "crm")
    assert AuditEntry.objects.get().action == "create API key"


def test_an_unknown_account_is_refused():
    with pytest.raises(CommandError, match="no account"):
        apikey("create", "crm", "--account", "nobody")


def test_empty_scopes_are_refused():
    with pytest.raises(CommandError, match="at least one scope"):
        apikey("create", "crm", "--scopes", ",")


def test_a_scope_there_is_not_is_refused_and_told_which_there_are():
    with pytest.raises(CommandError, match=r"no scope 'crn'; there are accounts, .*crm"):
        apikey("create", "crm", "--scopes", "chat,crn")
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("name", ["", "  ", "x" * 101])
def test_a_name_that_cannot_be_kept_is_refused(name):
    with pytest.raises(CommandError, match="1 to 100 characters"):
        apikey("create", name)


def test_the_list_shows_hints_and_never_keys():
    key = apikey("create", "crm", "--plain").strip()
    listed = apikey("list")
    assert key[:8] in listed
    assert key not in listed
    assert "usable" in listed


def test_an_empty_list_says_what_to_do():
    assert "apikey create" in apikey("list")


def test_the_list_asks_one_question_however_long(django_assert_num_queries):
    for number in range(5):
        apikey("create", f"key {number}")
    with django_assert_num_queries(1):
        apikey("list")


def test_a_revoked_key_speaks_for_nobody():
    key = apikey("create", "crm", "--plain").strip()
    apikey("revoke", key[:8])
    assert caller_for_key(key) is None
    assert "revoked" in apikey("list")


def test_revoking_twice_is_told():
    key = apikey("create", "crm", "--plain").strip()
    apikey("revoke", key)
    with pytest.raises(CommandError, match="revoked already"):
        apikey("revoke", key)


@pytest.mark.parametrize("hint", ["rk_zzzzz", "", "rk_", "%"])
def test_a_hint_that_names_no_key_revokes_nothing(hint):
    apikey("create", "crm")
    with pytest.raises(CommandError, match="No key begins"):
        apikey("revoke", hint)
    assert not ApiKey.objects.exclude(revoked_at=None).exists()


def test_a_hint_of_several_keys_revokes_none():
    for name in ("one", "two"):
        apikey("create", name)
    ApiKey.objects.update(hint="rk_same1")
    with pytest.raises(CommandError, match="Several keys"):
        apikey("revoke", "rk_same1")
