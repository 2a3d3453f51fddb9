"""Duplicates are found by the signs they share, a piece at a time, within one account."""

from datetime import timedelta

import pytest
from django.utils import timezone

from crm import contacts, likeness, tasks
from crm.models import Contact, ContactMerge, Likeness, LikenessSearch
from tests.factories import make_account, make_contact

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _settled(monkeypatch):
    monkeypatch.setattr(likeness, "SETTLED", timedelta(0))


def person(account=None, **given):
    return contacts.resolve(account or make_account(), **given)[0]


def reasons():
    return [row.reasons for row in ContactMerge.objects.order_by("pk")]


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ({"email": "ada@example.com"}, {"email": "ada+news@example.com"}, "email"),
        ({"email": "ada.lovelace@gmail.com"}, {"email": "adalovelace@googlemail.com"}, "email"),
        ({"email": "ada@example.com"}, {"external_id": "Ada@Example.com"}, "email"),
        ({"phone": "+4930901820"}, {"external_id": "+49 30 901820"}, "phone"),
        ({"phone": "+12025550143"}, {"phone": "+492025550143"}, "phone"),
        (
            {"email": "ada@example.com", "name": "Ada  Lovelace", "company": "Engines"},
            {"email": "countess@example.com", "name": "ada lovelace", "company": "ENGINES"},
            "name_company",
        ),
    ],
)
def test_who_shares_a_sign_is_proposed(first, second, reason):
    older, newer = person(**first), person(**second)
    likeness.search_on()
    row = ContactMerge.objects.get()
    assert (row.kept, row.removed, row.reasons, row.state) == (older, newer, [reason], "proposed")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"email": "ada@example.com", "name": "Ada"}, {"email": "bob@example.com", "name": "Ada"}),
        ({"email": "a.b@example.com"}, {"email": "ab@example.com"}),
        ({"external_id": "7"}, {"external_id": "+7"}),
        ({"email": "a@example.com", "company": "Engines"}, {"email": "b@example.com", "company": "Engines"}),
    ],
)
def test_who_shares_no_sign_is_not(first, second):
    person(**first), person(**second)
    likeness.search_on()
    assert not ContactMerge.objects.exists()


def test_people_of_two_accounts_are_never_proposed():
    person(email="ada@example.com", name="Ada", company="Engines")
    person(make_account("other"), email="ada+x@example.com", name="Ada", company="Engines")
    likeness.search_on()
    assert not ContactMerge.objects.exists()


def test_two_signs_are_one_proposal_with_two_reasons():
    person(email="ada@example.com", name="Ada", company="Engines")
    person(email="ada+x@example.com", name="Ada", company="Engines")
    likeness.search_on()
    assert reasons() == [["email", "name_company"]]


def test_the_search_goes_a_piece_at_a_time_and_then_rests(monkeypatch):
    monkeypatch.setattr(likeness, "PIECE", 2)
    for number in range(5):
        person(email=f"ada+{number}@example.com")
    assert [likeness.search_on() for _ in range(5)] == [2, 2, 1, 0, 0]
    assert ContactMerge.objects.count() == 4


def test_a_new_contact_is_looked_at_without_a_new_round():
    person(email="ada@example.com")
    likeness.search_on()
    person(email="ada+x@example.com")
    assert likeness.search_on() == 1
    assert reasons() == [["email"]]


def test_who_was_changed_is_looked_at_in_the_next_round():
    person(email="ada@example.com", name="Ada", company="Engines")
    other = person(email="bob@example.com", name="Bob", company="Engines")
    likeness.search_on()
    Contact.objects.filter(pk=other.pk).update(name="Ada")
    LikenessSearch.objects.update(round_began_at=timezone.now() - likeness.ROUND)
    assert [likeness.search_on(), likeness.search_on()] == [0, 2]
    assert reasons() == [["name_company"]]


def test_signs_that_are_gone_are_forgotten():
    contact = person(email="ada@example.com", name="Ada", company="Engines")
    likeness.search_on()
    contacts.deactivate(contact)
    LikenessSearch.objects.update(after=None)
    likeness.search_on()
    assert not Likeness.objects.exists()


def test_a_sign_that_very_many_share_tells_nobody_apart(monkeypatch):
    monkeypatch.setattr(likeness, "MOST_ALIKE", 2)
    for number in range(3):
        person(email=f"{number}@example.com", name="Info", company="Acme")
    likeness.search_on()
    assert not ContactMerge.objects.exists()


def test_no_address_is_readable_in_a_sign():
    person(email="ada@example.com")
    likeness.search_on()
    assert "ada" not in str(list(Likeness.objects.values("digest", "reason")))


def test_the_sweep_searches(monkeypatch):
    person(email="ada@example.com"), person(email="ada+x@example.com")
    tasks.sweep()
    assert reasons() == [["email"]]


def test_a_piece_costs_the_same_queries_whatever_its_size(django_assert_max_num_queries):
    for number in range(30):
        make_contact(email=f"p+{number}@example.com" if number < 10 else None)
    with django_assert_max_num_queries(14):
        assert likeness.search_on() == 30
