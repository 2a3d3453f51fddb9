"""Days of people who were merged, taken apart or erased are counted again at once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from config.system import daily, tasks, touched
from config.system.models import ContactDay, CountingProgress, DailyFigure, TouchedDay
from crm import erasure, merging
from crm.models import Contact, ContactMerge, Conversation, Message
from tests.factories import make_account, make_contact, make_conversation

pytestmark = pytest.mark.django_db(transaction=True)
DAYS_AGO = 40


@pytest.fixture
def people():
    """Two who wrote on an old day, minutes apart, and one who wrote on another; all of it counted."""
    account = make_account()
    begun = timezone.now().replace(hour=12) - timedelta(days=DAYS_AGO)
    found = [make_contact(account, email=f"{name}@example.com", name=name) for name in ("ada", "ben", "cleo")]
    for minutes, contact in zip((0, 10, 24 * 60), found, strict=True):
        talk = make_conversation(contact)
        at = begun + timedelta(minutes=minutes)
        Message.objects.create(conversation=talk, seq=1, author="person", text="Hi.", created_at=at)
        Conversation.objects.filter(pk=talk.pk).update(last_seq=1, created_at=at, last_activity_at=at)
    assert daily.catch_up()
    return found


@pytest.fixture(autouse=True)
def no_turns(monkeypatch):
    """Old days do not come round by themselves."""
    monkeypatch.setattr(daily, "recount_old_days", lambda *_, **__: None)


def sessions():
    return sum(DailyFigure.objects.filter(name="sessions").values_list("value", flat=True))


def merged(kept, removed):
    ContactMerge.propose([(kept, removed, [ContactMerge.Reason.STAFF])])
    row = ContactMerge.objects.get()
    return merging.merge(row.pk, merging.Choice(kept.pk), by="staff")


def test_a_merge_reaches_old_days_at_the_next_sweep(people):
    ada, ben, _cleo = people
    assert sessions() == 3
    merged(ada, ben)
    tasks.sweep()

    assert sessions() == 2
    assert ContactDay.objects.get(contact_key=ada.pk).messages == 2
    assert not ContactDay.objects.filter(contact_key=ben.pk).exists()
    assert not TouchedDay.objects.exists()


def test_what_was_taken_apart_again_reaches_them_too(people):
    ada, ben, _cleo = people
    row = merged(ada, ben)
    tasks.sweep()
    merging.undo(row.pk, by="staff")
    tasks.sweep()

    assert sessions() == 3
    assert ContactDay.objects.get(contact_key=ben.pk).messages == 1


def test_an_erasure_reaches_old_days_at_the_next_sweep(people):
    ada = people[0]
    erasure.request(ada)
    tasks.sweep()

    assert sessions() == 2
    assert not ContactDay.objects.filter(contact_key=ada.pk).exists()


def test_the_erasure_of_one_talk_reaches_its_days(people):
    ada = people[0]
    talk = Conversation.objects.get(contact=ada)
    erasure.request(ada, conversation=talk)
    tasks.sweep()

    assert sessions() == 2


def test_only_touched_days_are_counted_again(people, monkeypatch):
    counted = []
    gather = daily.gather
    monkeypatch.setattr(daily, "gather", lambda day, **more: counted.append(day) or gather(day, **more))
    merged(*people[:2])
    tasks.sweep()
    tasks.sweep()

    assert set(counted) == {ContactDay.objects.get(contact_key=people[0].pk).day}


def test_a_day_that_is_touched_while_it_is_counted_stays(people, monkeypatch):
    day = ContactDay.objects.get(contact_key=people[2].pk).day
    touched.note([day])
    monkeypatch.setattr(daily, "_recount", lambda _day: touched.note([day]))
    daily.follow_changes()

    assert TouchedDay.objects.get().day == day


def test_while_another_process_counts_nothing_is_lost(people):
    merged(*people[:2])
    CountingProgress.objects.update(lease_until=timezone.now() + timedelta(minutes=1))
    tasks.sweep()

    assert sessions() == 3
    assert TouchedDay.objects.exists()
    assert Contact.objects.filter(is_active=True).count() == 2
