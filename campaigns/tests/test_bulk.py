"""Many rows at once are what Django's own ways would have stored."""

from datetime import timedelta

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.utils import timezone

from campaigns import bulk
from campaigns.models import Recipient
from tests.factories import make_campaign

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("number", [0, 1, 3])
def test_fields_of_many_objects_are_saved_each_with_its_own_values(number, django_assert_num_queries):
    campaign = make_campaign(people=4)
    people = list(campaign.recipients.order_by("pk"))
    at = timezone.now()
    for place, person in enumerate(people[:number]):
        person.state, person.next_at = Recipient.State.INVITED, at + timedelta(days=place)
        person.fields = {"seat": place, "note": "ä % 'quoted' \\ \"too\""}
        person.skip_reason = "never saved"
    with django_assert_num_queries(min(number, 1)):
        bulk.save_each(people[:number], ["state", "next_at", "fields"])
    stored = list(campaign.recipients.order_by("pk"))
    assert [one.fields for one in stored] == [one.fields for one in people]
    assert [one.next_at for one in stored] == [one.next_at for one in people]
    assert [one.state for one in stored] == ["invited"] * number + ["waiting"] * (4 - number)
    assert {one.skip_reason for one in stored} == {""}


def test_none_is_stored_as_null():
    person = make_campaign(people=1).recipients.get()
    person.next_at = None
    bulk.save_each([person], ["next_at", "interview_id"])
    stored = Recipient.objects.get()
    assert (stored.next_at, stored.interview_id) == (None, None)


def test_what_a_column_refuses_is_refused_for_all():
    people = list(make_campaign(people=2).recipients.all())
    people[1].campaign_id = None
    with pytest.raises(IntegrityError), transaction.atomic():
        bulk.save_each(people, ["campaign_id"])
    assert Recipient.objects.filter(campaign=None).count() == 0


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite knows no lengths")
def test_what_is_too_long_is_not_cut_off():
    person = make_campaign(people=1).recipients.get()
    person.skip_reason = "x" * 100
    with pytest.raises(DataError), transaction.atomic():
        bulk.save_each([person], ["skip_reason"])
