"""Asking for many people at once says the same as asking for each."""

import pytest

from crm import consent
from crm.contacts import email_of
from tests.factories import make_contact

pytestmark = pytest.mark.django_db


def inactive(contact):
    contact.is_active = False
    contact.save()


def without_address(contact):
    contact.addresses.all().delete()


def suppressed(contact):
    consent.suppress(contact.account, "email", email_of(contact), "complaint")


def suppressed_for_marketing(contact):
    consent.suppress(contact.account, "email", email_of(contact), "unsubscribe", purpose="marketing")


def said_no(contact):
    consent.record(contact, "email", "invitation", given=False, source="test")


def said_no_then_yes(contact):
    said_no(contact)
    consent.record(contact, "email", "invitation", given=True, source="test")


CASES = [
    (None, ""),
    (inactive, "inactive"),
    (without_address, "no_address"),
    (suppressed, "complaint"),
    (suppressed_for_marketing, ""),
    (said_no, "declined"),
    (said_no_then_yes, ""),
]


def reasons(account, asked, channel="email", purpose="invitation"):
    return [verdict.reason for verdict in consent.verdicts(account, channel, purpose, asked)]


def test_many_are_judged_in_their_order_with_two_queries(django_assert_num_queries):
    contacts = [make_contact() for _case in CASES]
    for contact, (happens, _reason) in zip(contacts, CASES, strict=True):
        if happens:
            happens(contact)
    asked = [(contact, email_of(contact)) for contact in contacts]
    with django_assert_num_queries(2):
        assert reasons(contacts[0].account, asked) == [reason for _happens, reason in CASES]


def test_a_call_nobody_agreed_to_is_refused():
    contact = make_contact()
    asked = [(contact, "+15550100001")]
    assert reasons(contact.account, asked, channel="phone") == ["no_consent"]
    consent.record(contact, "phone", "invitation", given=True, source="test")
    assert reasons(contact.account, asked, channel="phone") == [""]


def test_two_addresses_of_one_person_are_judged_apart():
    contact = make_contact()
    consent.suppress(contact.account, "email", "old@example.com", "hard_bounce")
    asked = [(contact, "old@example.com"), (contact, "new@example.com")]
    assert reasons(contact.account, asked) == ["hard_bounce", ""]
