"""Queries whose SQL is made once do what the same querysets do."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils import timezone

from config.api.models import Account, ApiKey, AuditEntry
from config.api.prepared import PreparedInsert, PreparedRows, PreparedUpdate, PreparedValues, among, given
from personas.models import ProviderCredential
from tests.factories import make_account

keys_called = PreparedRows(
    lambda: ApiKey.objects.filter(name=given(ApiKey, "name")).select_related("account").order_by("pk")
)
keys_of = PreparedValues(
    lambda: ApiKey.objects.filter(account_id=given(ApiKey, "account")).values_list(
        "name", "scopes", "created_at"
    )
)
insert_entry = PreparedInsert(AuditEntry)
rename = PreparedUpdate(
    lambda: (
        ApiKey.objects.filter(account_id=given(ApiKey, "account"), name=given(ApiKey, "name", name="before")),
        {"name": given(ApiKey, "name"), "scopes": given(ApiKey, "scopes"), "last_used_at": F("created_at")},
    )
)


def as_row(one):
    return {field.attname: getattr(one, field.attname) for field in one._meta.concrete_fields}


@pytest.mark.django_db
def test_rows_are_the_same_as_the_querysets(django_assert_num_queries):
    mine, other = make_account("mine"), make_account("other")
    ApiKey.issue(mine, "first", scopes=["chat", "crm"])
    ApiKey.issue(other, "second")
    with django_assert_num_queries(2):
        (first,), (second,) = keys_called(name="first"), keys_called(name="second")
        assert (first.account.slug, second.account.slug) == ("mine", "other")
    assert as_row(first) == as_row(ApiKey.objects.get(name="first"))
    assert as_row(first.account) == as_row(mine)
    assert keys_called(name="third") == []
    assert keys_called.first(name="third") is None
    first.name = "again"
    first.save()
    assert ApiKey.objects.filter(name="again").count() == 1


@pytest.mark.django_db
def test_values_come_as_the_fields_read_them():
    account = make_account()
    key, _secret = ApiKey.issue(account, "one", scopes=["chat"])
    assert [tuple(row) for row in keys_of(account=account.pk)] == [("one", ["chat"], key.created_at)]


@pytest.mark.django_db
def test_an_update_changes_the_rows_it_finds_and_counts_them():
    account = make_account()
    ApiKey.issue(account, "old")
    assert rename(account=account.pk, before="other", name="new", scopes=["*"]) == 0
    assert rename(account=account.pk, before="old", name="new", scopes=["chat"]) == 1
    row = ApiKey.objects.get()
    assert (row.name, row.scopes, row.last_used_at) == ("new", ["chat"], row.created_at)


@pytest.mark.django_db
def test_a_new_row_has_its_key_and_is_what_save_would_have_stored():
    account, at = make_account(), timezone.now() - timedelta(days=1)
    entry = insert_entry(AuditEntry(account=account, at=at, actor="ada", action="read", detail={"turns": 3}))
    stored = AuditEntry.objects.get()
    assert as_row(stored) == as_row(entry)
    entry.action = "changed"
    entry.save()
    assert AuditEntry.objects.get().action == "changed"


@pytest.mark.django_db
def test_a_new_row_gets_the_times_that_fields_set_themselves():
    account = make_account()
    key = ApiKey(account=account, name="timed", scopes=["*"])
    key.new_key()
    assert PreparedInsert(ApiKey)(key).created_at == ApiKey.objects.get().created_at


@pytest.mark.django_db
@pytest.mark.parametrize("number", [0, 1, 3, 1201])
def test_many_new_rows_are_what_save_would_have_stored(number, django_assert_max_num_queries):
    account, at = make_account(), timezone.now() - timedelta(days=1)
    entries = [
        AuditEntry(account=account, at=at, actor=f"ada {place}", action="read", detail={"turns": place})
        for place in range(number)
    ]
    with django_assert_max_num_queries(number // 500 + 1):
        insert_entry.many(iter(entries))
    stored = list(AuditEntry.objects.order_by("pk"))
    assert [as_row(one) | {"id": None} for one in stored] == [as_row(one) for one in entries]


@pytest.mark.django_db
def test_of_many_rows_one_of_which_is_refused_none_is_stored():
    make_account("taken")
    with pytest.raises(IntegrityError), transaction.atomic():
        PreparedInsert(Account).many([Account(slug="new", name="New"), Account(slug="taken", name="Twice")])
    assert not Account.objects.filter(slug="new").exists()


@pytest.mark.django_db
def test_a_refused_row_leaves_the_transaction_unusable_like_save_does():
    make_account("taken")
    insert = PreparedInsert(Account)
    with transaction.atomic():
        with pytest.raises(IntegrityError):
            insert(Account(slug="taken", name="Twice"))
        with pytest.raises(transaction.TransactionManagementError):
            Account.objects.count()
        transaction.set_rollback(True)
    assert Account.objects.filter(slug="taken").count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("values", [{}, {"name": "x", "other": 1}, {"nam": "x"}])
def test_a_value_that_is_missing_or_unknown_is_a_mistake_that_is_told(values):
    with pytest.raises(TypeError, match="is given \\['name'\\]"):
        keys_called(**values)


@pytest.mark.django_db(transaction=True)
def test_each_thread_asks_on_a_connection_of_its_own():
    account = make_account()
    ApiKey.issue(account, "shared")

    def ask(_number):
        try:
            return [key.account.pk for key in keys_called(name="shared")]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(12))) == [[account.pk]] * 12


@pytest.mark.django_db
def test_a_secret_is_stored_encrypted_as_save_would():
    made = PreparedInsert(ProviderCredential)(
        ProviderCredential(account=make_account(), provider="openai", secret="sk-123")
    )
    assert ProviderCredential.objects.get().secret == "sk-123"
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM personas_providercredential WHERE id = %s", [made.pk])
        assert "sk-123" not in cursor.fetchone()[0]


keys_among = PreparedRows(lambda: ApiKey.objects.filter(among(ApiKey, "id", name="ids")).order_by("pk"))
of_accounts = PreparedValues(
    lambda: (
        ApiKey.objects.filter(among(ApiKey, "account", name="accounts"), among(ApiKey, "name", name="names"))
        .order_by("pk")
        .values_list("name")
    )
)


@pytest.mark.django_db
@pytest.mark.parametrize("wanted", [[], [0], [2, 0], list(range(5))])
def test_many_values_are_given_as_one(wanted):
    account = make_account()
    keys = [ApiKey(account=account, name=f"key {place}", scopes=["*"]) for place in range(5)]
    for key in keys:
        key.new_key()
        key.save()
    ids = [keys[place].pk for place in wanted]
    assert keys_among(ids=ids) == list(ApiKey.objects.filter(pk__in=ids).order_by("pk"))
    names = [keys[place].name for place in wanted]
    found = of_accounts(accounts=[account.pk, account.pk + 1], names=[*names, "x" * 500])
    assert sorted(name for (name,) in found) == sorted(names)


@pytest.mark.django_db
def test_many_rows_are_changed_by_one_statement_that_is_made_once():
    rename_all = PreparedUpdate(
        lambda: (
            Account.objects.filter(among(Account, "slug", name="slugs")),
            {"name": given(Account, "name")},
        )
    )
    for slug in ("a", "b", "c"):
        make_account(slug)
    assert rename_all(slugs=["a", "c", "nobody"], name="New") == 2
    assert rename_all(slugs=[], name="Nothing") == 0
    assert set(Account.objects.filter(name="New").values_list("slug", flat=True)) == {"a", "c"}
