"""A person is forgotten, part by part, whatever crashes on the way."""

import pytest
from django.core.files.base import ContentFile

from crm import consent, contacts, erasure, talk, timeline
from crm.models import (
    AccessLink,
    Contact,
    Conversation,
    Erasure,
    MediaFile,
    Message,
    Suppression,
    TimelineEntry,
)
from crm.tests.test_replies import open_talk
from tests.factories import make_account, make_contact

pytestmark = pytest.mark.django_db(transaction=True)
BROKEN = ["ok"]


def collect(contact):
    return {"name": contact.name}


def erase(contact, conversation_id=None):
    if BROKEN:
        raise OSError("storage is away")
    return {"things": 1}


@pytest.fixture
def parts(settings):
    settings.PERSONAL_DATA = ["crm.tests.test_erasure", "crm.personal_data"]
    BROKEN.clear()
    yield
    BROKEN[:] = ["ok"]


@pytest.fixture
def person():
    contact = make_contact(email="ada@example.com")
    conversation = open_talk(contact=contact)
    AccessLink.issue(contact, "conversation", conversation=conversation)
    message, _ = talk.record_message(conversation, "My secret")
    media = MediaFile.objects.create(
        account=contact.account, contact=contact, kind="image", mime="image/png", size_bytes=1, checksum="x"
    )
    media.file.save("a.png", ContentFile(b"x"))
    message.media.add(media)
    timeline.write(
        contact, "interview_started", "Began", ref={"kind": "x", "conversation": str(conversation.pk)}
    )
    consent.record(contact, "email", "invitation", given=True, source="test")
    return contact


def test_a_whole_person_is_erased_with_a_receipt_and_a_digest(parts, person):
    media = MediaFile.objects.get()
    row = erasure.request(person, requested_by="sue")
    row.refresh_from_db()
    assert row.state == "done"
    assert row.receipt["crm"]["messages"] == 2
    for model in (Conversation, Message, AccessLink, MediaFile, TimelineEntry):
        assert not model.objects.exists()
    assert not media.file.storage.exists(media.file.name)
    person.refresh_from_db()
    assert (person.name, person.is_active) == ("", False)
    assert Suppression.objects.get().reason == "erased"
    assert "ada" not in str(row.receipt) + Suppression.objects.get().hint


def test_the_receipt_counts_talks_that_lyzr_answered_and_keeps(parts, person):
    conversation = person.conversations.get()
    for number in (10, 11):
        Message.objects.create(
            conversation=conversation, seq=number, author="persona", text="Hello", provider="lyzr"
        )
    open_talk(contact=person)
    row = erasure.request(person)
    erasure.run(row.pk)
    row.refresh_from_db()
    assert row.receipt["crm"]["sessions_left_at_lyzr"] == 1


def test_one_talk_is_erased_and_the_person_stays(parts, person):
    kept = open_talk(contact=person)
    timeline.write(person, "email_sent", "Invitation")
    erasure.request(person, conversation=Conversation.objects.exclude(pk=kept.pk).get())
    assert list(Conversation.objects.values_list("pk", flat=True)) == [kept.pk]
    assert [entry.title for entry in TimelineEntry.objects.all()] == ["Invitation"]
    assert contacts.email_of(Contact.objects.get()) == "ada@example.com"


def test_it_goes_on_after_a_crash_without_repeating_what_is_done(parts, person):
    BROKEN.append("storage")
    row = erasure.request(person)
    row.refresh_from_db()
    assert (row.state, row.done, Message.objects.count()) == ("requested", [], 2)
    BROKEN.clear()
    Erasure.objects.update(not_before=row.requested_at, done=["crm.tests.test_erasure"])
    assert erasure.run(row.pk)
    row.refresh_from_db()
    assert (row.state, list(row.receipt)) == ("done", ["crm"])


def test_it_is_worked_on_once_at_a_time(parts, person):
    from datetime import timedelta

    from django.utils import timezone

    row = Erasure.objects.create(
        account=person.account, contact=person, lease_until=timezone.now() + timedelta(minutes=1)
    )
    assert not erasure.run(row.pk)


def test_asking_twice_is_one_erasure(parts, person):
    BROKEN.append("storage")
    assert erasure.request(person).pk == erasure.request(person).pk


def test_an_erased_person_may_not_be_written_to_again(parts, person):
    erasure.request(person)
    again, created = contacts.resolve(make_account(), email="ada@example.com")
    assert created
    assert consent.may_contact(again, "email", "transactional").reason == "erased"


def test_an_export_names_each_part(parts, person):
    data = erasure.collect(person)["crm"]
    assert data["addresses"][0]["value"] == "ada@example.com"
    assert data["conversations"][0]["messages"][-1]["text"] == "My secret"
