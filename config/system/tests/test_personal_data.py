"""What the figures hold of a person is given to them, and erased."""

from datetime import date

import pytest

from config.system import personal_data
from config.system.models import ContactDay
from tests.factories import make_contact

pytestmark = pytest.mark.django_db


@pytest.fixture
def contact():
    one, other = make_contact(), make_contact()
    for person in (one, other):
        ContactDay.objects.create(
            account=person.account,
            contact_key=person.pk,
            day=date(2026, 3, 2),
            messages=4,
            session_milliseconds=61_500,
        )
    return one


def test_a_persons_days_are_collected(contact):
    assert personal_data.collect(contact) == {"days": [{"day": "2026-03-02", "messages": 4, "seconds": 61}]}


def test_a_persons_days_are_erased_and_nobody_elses(contact):
    assert personal_data.erase(contact) == {"days": 1}
    assert personal_data.erase(contact) == {"days": 0}
    assert ContactDay.objects.count() == 1


def test_of_one_talk_nothing_is_kept_apart(contact):
    assert personal_data.erase(contact, conversation_id="x") == {}
    assert ContactDay.objects.count() == 2
