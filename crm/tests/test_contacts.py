"""One person for one address, however it is written and whoever asks at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from crm import consent, contacts
from crm.contacts import InvalidAddress
from crm.models import Contact, ContactAddress, Suppression
from tests.factories import make_account, make_contact


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Ada@Example.COM", "ada@example.com"),
        (" ada+news@example.com ", "ada+news@example.com"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
    ],
)
def test_two_spellings_of_a_mailbox_are_one(given, kept):
    assert contacts.normalise_email(given) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "@example.com",
        "ada@",
        "a b@example.com",
        "a@b@c",
        "a@-x.com",
        "x" * 300 + "@a.de",
        "a\n@b.de",
        "jörg@example.com",
        "yıldız@example.com",
        "ſ@example.com",
    ],
)
def test_what_is_no_email_address_is_refused(text):
    with pytest.raises(InvalidAddress):
        contacts.normalise_email(text)


def test_a_phone_number_is_kept_in_e164():
    assert contacts.normalise_phone("030 901820", region="de") == "+4930901820"
    assert contacts.normalise_phone("+1 (202) 555-0143") == "+12025550143"


@pytest.mark.parametrize("text", ["", "12", "030 901820", "call me", "+" * 400])
def test_what_is_no_phone_number_is_refused(text):
    with pytest.raises(InvalidAddress):
        contacts.normalise_phone(text)


@pytest.mark.django_db
def test_what_is_known_stays_and_what_is_missing_is_filled_in():
    account = make_account()
    first, _ = contacts.resolve(account, email="ada@example.com", name="Ada")
    again, created = contacts.resolve(
        account, email="ADA@example.com", phone="+12025550143", name="Someone", company="Engines"
    )
    assert (again.pk, created, again.name, again.company) == (first.pk, False, "Ada", "Engines")
    assert contacts.phone_of(again) == "+12025550143"


@pytest.mark.django_db
def test_an_address_of_somebody_else_stays_theirs():
    account = make_account()
    ada, _ = contacts.resolve(account, email="ada@example.com")
    bob, _ = contacts.resolve(account, email="bob@example.com")
    found, _ = contacts.resolve(account, email="ada@example.com", phone="+12025550143")
    contacts.resolve(account, email="bob@example.com", phone="+12025550143")
    assert found.pk == ada.pk
    assert ContactAddress.objects.get(kind="phone").contact_id == ada.pk
    assert contacts.phone_of(bob) == ""


@pytest.mark.django_db
def test_the_same_address_in_another_account_is_another_person():
    here, _ = contacts.resolve(make_account(), email="ada@example.com")
    there, created = contacts.resolve(make_account("other"), email="ada@example.com")
    assert created
    assert here.pk != there.pk


@pytest.mark.django_db(transaction=True)
def test_twenty_callers_at_once_make_one_contact():
    account = make_account()

    def resolve(_number):
        try:
            return contacts.resolve(account, email="ada@example.com", name="Ada")[0].pk
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        found = set(pool.map(resolve, range(20)))
    assert len(found) == Contact.objects.count() == 1


@pytest.mark.django_db
def test_an_opt_out_of_invitations_leaves_what_was_asked_for():
    contact = make_contact(email="ada@example.com")
    consent.suppress(contact.account, "email", "ADA@example.com", "unsubscribe", purpose="invitation")
    assert consent.may_contact(contact, "email", "invitation") == consent.Verdict(False, "unsubscribe")
    assert consent.may_contact(contact, "email", "transactional").allowed


@pytest.mark.django_db
def test_a_hard_bounce_blocks_everything_until_it_is_lifted():
    contact = make_contact(email="ada@example.com")
    consent.suppress(contact.account, "email", "ada@example.com", "hard_bounce")
    assert consent.may_contact(contact, "email", "transactional").reason == "hard_bounce"
    assert consent.lift(contact.account, "email", "ada@example.com")
    assert consent.may_contact(contact, "email", "transactional").allowed


@pytest.mark.django_db
def test_suppressing_twice_is_one_row_and_keeps_no_address():
    account = make_account()
    for _ in range(2):
        consent.suppress(account, "email", "ada@example.com", "unsubscribe")
    row = Suppression.objects.get()
    assert row.hint == "a…@example.com"
    assert "ada" not in row.address_digest


@pytest.mark.django_db
def test_the_last_word_on_a_purpose_counts():
    contact = make_contact()
    consent.record(contact, "email", "marketing", given=False, source="page")
    assert consent.may_contact(contact, "email", "marketing").reason == "declined"
    consent.record(contact, "email", "marketing", given=True, source="page")
    assert consent.may_contact(contact, "email", "marketing").allowed


@pytest.mark.django_db
def test_a_call_needs_a_yes():
    contact = make_contact()
    ContactAddress.objects.create(
        account=contact.account, contact=contact, kind="phone", value="+12025550143", is_primary=True
    )
    assert consent.may_contact(contact, "phone", "invitation").reason == "no_consent"
    consent.record(contact, "phone", "invitation", given=True, source="operator")
    assert consent.may_contact(contact, "phone", "invitation").allowed


@pytest.mark.django_db
def test_a_suppression_of_another_account_does_not_count():
    contact = make_contact(email="ada@example.com")
    consent.suppress(make_account("other"), "email", "ada@example.com", "manual")
    assert consent.may_contact(contact, "email", "invitation").allowed
    assert consent.blocked(contact.account, "email", ["ada@example.com"], purpose="invitation") == {}


@pytest.mark.django_db
def test_nobody_is_written_to_without_an_address_or_when_inactive():
    contact = make_contact()
    contact.addresses.all().delete()
    assert consent.may_contact(contact, "email", "invitation").reason == "no_address"
    contact.is_active = False
    assert consent.may_contact(contact, "email", "invitation").reason == "inactive"
