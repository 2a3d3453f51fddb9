"""Two contacts become one and two again, and nothing is lost on the way."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from campaigns.models import Delivery, Recipient
from config.api.models import AuditEntry
from config.api.threads import in_database
from crm import consent, contacts, erasure, merging, sessions, tasks, timeline
from crm.merging import Choice, MergeRefused
from crm.models import (
    AccessLink,
    Contact,
    ContactAddress,
    ContactMerge,
    Conversation,
    MediaFile,
    MovedRows,
)
from crm.tests.chatting import Caller, token_of
from interviews.starting import invite
from tests.factories import (
    bearer,
    make_account,
    make_campaign,
    make_contact,
    make_conversation,
    make_guide,
    make_key,
)

pytestmark = pytest.mark.django_db


def a_whole_person(email, **facts):
    """A contact with something of everything that has a relation to one."""
    contact, _ = contacts.resolve(
        make_account(), email=email, external_id=f"id of {email}", name=facts.pop("name", "Ada"), **facts
    )
    conversation = make_conversation(contact)
    AccessLink.issue(contact, "conversation", conversation=conversation)
    consent.record(contact, "email", "marketing", given=True, source="test")
    consent.suppress(contact.account, "email", email, "unsubscribe", purpose="marketing")
    timeline.write(contact, "note", "Something happened")
    sessions.begin(contact)
    invite(make_guide(contact.account), contact)
    recipient = Recipient.objects.create(campaign=make_campaign(contact.account), contact=contact)
    Delivery.objects.create(
        account=contact.account,
        contact=contact,
        recipient=recipient,
        purpose="invitation",
        key=email,
        to_email=email,
    )
    MediaFile.objects.create(
        account=contact.account, contact=contact, kind="image", mime="image/png", size_bytes=1, checksum="x"
    )
    return Contact.objects.get(pk=contact.pk)


def proposed(kept, removed):
    ContactMerge.propose([(kept, removed, ["phone"])])
    return ContactMerge.objects.get()


def merged(kept, removed, **choice):
    return merging.merge(proposed(kept, removed).pk, Choice(kept.pk, **choice), by="nora")


def all_rows():
    """Every row that could change, as plain values."""
    models = {Contact, *(field.model for field in merging.relations())}
    return {
        model._meta.label: sorted(model._base_manager.values(), key=lambda row: str(row["id"]))
        for model in models
    }


def test_merge_then_undo_gives_the_identical_rows_back():
    kept = a_whole_person("ada@example.com", company="Engines", preferences={"a": 1})
    removed = a_whole_person("ada@home.example", name="A. L.", role="Nurse", preferences={"a": 2, "b": 3})
    before = all_rows()
    row = merged(kept, removed)
    assert all_rows() != before
    merging.undo(row.pk, by="nora")
    assert all_rows() == before


def test_everything_moves_in_whichever_app_it_is():
    kept, removed = a_whole_person("ada@example.com"), a_whole_person("ada@home.example")
    had = dict(merging.counted(removed))
    assert {"conversations", "contact addresses", "interviews", "recipients"} <= set(had)
    merged(kept, removed)
    assert merging.counted(removed) == []
    assert dict(merging.counted(kept)) == {name: 2 * count for name, count in had.items()}


def test_every_relation_to_a_contact_is_walked():
    names = {f"{field.model._meta.label}.{field.name}" for field in merging.relations()}
    assert {
        "crm.Conversation.contact",
        "crm.ContactAddress.contact",
        "crm.TimelineEntry.contact",
        "crm.Consent.contact",
        "crm.SessionToken.contact",
        "crm.AccessLink.contact",
        "crm.MediaFile.contact",
        "interviews.Interview.contact",
        "campaigns.Recipient.contact",
        "campaigns.Delivery.contact",
    } <= names
    assert not [
        name for name in names if name.startswith(("crm.ContactMerge", "crm.Erasure", "crm.Likeness"))
    ]


def test_the_one_who_stays_keeps_their_primary_address_and_gets_the_others():
    kept, removed = a_whole_person("ada@example.com"), a_whole_person("ada@home.example")
    merged(kept, removed)
    assert contacts.email_of(kept) == "ada@example.com"
    assert set(kept.addresses.filter(kind="email").values_list("value", flat=True)) == {
        "ada@example.com",
        "ada@home.example",
    }
    assert consent.may_contact(kept, "email", "marketing", address="ada@home.example").reason == "unsubscribe"


def test_empty_facts_are_filled_in_and_conflicting_ones_kept_aside():
    kept = a_whole_person("ada@example.com", name="Ada", company="", preferences={"theme": "dark"})
    removed = a_whole_person(
        "a@home.example", name="Lovelace", company="Engines", preferences={"theme": "light", "n": 1}
    )
    row = merged(kept, removed)
    kept.refresh_from_db()
    assert (kept.name, kept.company, kept.preferences) == ("Ada", "Engines", {"theme": "dark", "n": 1})
    assert row.conflicts == {"name": "Lovelace", "preferences": {"theme": "light"}}


def test_preferences_that_are_no_object_are_merged_as_they_are():
    kept, removed = make_contact(preferences=["dark"]), make_contact(preferences={"n": 1})
    before = all_rows()
    row = merged(kept, removed)
    assert row.conflicts["preferences"] == {"n": 1}
    merging.undo(row.pk, by="nora")
    assert all_rows() == before


def test_what_was_added_to_preferences_since_stays():
    kept, removed = make_contact(preferences={"a": 1}), make_contact(preferences={"b": 2})
    row = merged(kept, removed)
    Contact.objects.filter(pk=kept.pk).update(preferences={"a": 1, "b": 2, "c": 3})
    merging.undo(row.pk, by="nora")
    assert Contact.objects.get(pk=kept.pk).preferences == {"a": 1, "c": 3}


def test_staff_choose_whose_value_is_taken_and_who_stays():
    older, newer = (
        a_whole_person("ada@example.com", name="Ada"),
        a_whole_person("a@home.example", name="Lovelace"),
    )
    row = proposed(older, newer)
    assert row.kept == older
    row = merging.merge(row.pk, Choice(newer.pk, frozenset({"name"})), by="nora")
    newer.refresh_from_db()
    assert (row.kept, newer.name, row.conflicts["name"]) == (newer, "Ada", "Lovelace")
    merging.undo(row.pk, by="nora")
    newer.refresh_from_db()
    assert newer.name == "Lovelace"


def test_the_other_is_inactive_and_leads_to_the_one_who_stays(client):
    kept, removed = a_whole_person("ada@example.com"), a_whole_person("ada@home.example")
    token = sessions.begin(removed)[1]
    merged(kept, removed)
    assert contacts.find(kept.account, str(removed.pk)) == kept
    assert contacts.find(kept.account, "id of ada@home.example") == kept
    assert sessions.contact_for_token(token) == kept
    users = client.get("/crm/users?active_only=false", headers=bearer(make_key())).json()
    assert str(removed.pk) not in {user["contact_id"] for user in users["data"]}


def test_what_both_have_stays_where_it_is():
    kept, removed = make_contact(), make_contact()
    campaign = make_campaign(kept.account)
    ours = Recipient.objects.create(campaign=campaign, contact=kept)
    theirs = Recipient.objects.create(campaign=campaign, contact=removed)
    before = all_rows()
    row = merged(kept, removed)
    assert Recipient.objects.get(pk=theirs.pk).contact_id == removed.pk
    assert Recipient.objects.get(pk=ours.pk).contact_id == kept.pk
    merging.undo(row.pk, by="nora")
    assert all_rows() == before


def test_what_came_since_the_merge_stays_after_it_is_undone():
    kept, removed = a_whole_person("ada@example.com"), a_whole_person("ada@home.example")
    row = merged(kept, removed)
    new = make_conversation(kept)
    Contact.objects.filter(pk=kept.pk).update(name="Changed since")
    merging.undo(row.pk, by="nora")
    assert Conversation.objects.get(pk=new.pk).contact_id == kept.pk
    assert Contact.objects.get(pk=kept.pk).name == "Changed since"
    assert Contact.objects.get(pk=removed.pk).is_active


def test_what_was_removed_since_does_not_come_back():
    kept, removed = a_whole_person("ada@example.com"), a_whole_person("ada@home.example")
    row = merged(kept, removed)
    ContactAddress.objects.filter(value="ada@home.example").delete()
    merging.undo(row.pk, by="nora")
    assert contacts.email_of(removed) == ""


def test_many_rows_are_remembered_in_pieces(monkeypatch):
    monkeypatch.setattr(merging, "CHUNK", 2)
    kept, removed = make_contact(), make_contact()
    for number in range(5):
        timeline.write(removed, "note", f"Note {number}")
    row = merged(kept, removed)
    pieces = MovedRows.objects.filter(merge=row, relation="crm.TimelineEntry.contact")
    assert [len(piece.keys) for piece in pieces] == [2, 2, 1]
    merging.undo(row.pk, by="nora")
    assert removed.timeline.count() == 5


def test_a_merge_is_undone_for_thirty_days():
    row = merged(make_contact(), make_contact())
    ContactMerge.objects.update(merged_at=timezone.now() - timedelta(days=30, minutes=1))
    with pytest.raises(MergeRefused, match="30 days"):
        merging.undo(row.pk, by="nora")


def test_a_merge_is_made_once_and_undone_once():
    row = merged(make_contact(), make_contact())
    with pytest.raises(MergeRefused):
        merging.merge(row.pk, Choice(row.kept_id), by="nora")
    merging.undo(row.pk, by="nora")
    with pytest.raises(MergeRefused, match="not merged"):
        merging.undo(row.pk, by="nora")


@pytest.mark.django_db(transaction=True)
def test_of_two_merges_at_once_one_wins():
    first, second = make_contact(), make_contact()
    row = proposed(first, second)

    def attempt(kept):
        try:
            return merging.merge(row.pk, Choice(kept.pk), by="nora").kept_id
        except MergeRefused:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        winners = [key for key in pool.map(attempt, [first, second, first, second]) if key]
    assert winners == [ContactMerge.objects.get().kept_id]
    assert Contact.objects.filter(is_active=True).count() == 1


def test_an_undone_pair_can_be_merged_again():
    row = merged(make_contact(), make_contact())
    merging.undo(row.pk, by="nora")
    assert merging.merge(row.pk, Choice(row.kept_id), by="nora").state == "merged"


def test_a_dismissed_pair_is_not_proposed_again():
    first, second = make_contact(), make_contact()
    row = proposed(first, second)
    assert merging.dismiss(row.pk, by="nora")
    ContactMerge.propose([(second, first, ["email"])])
    assert ContactMerge.objects.get().state == "dismissed"


def test_later_merges_are_undone_first():
    first, second, third = make_contact(), make_contact(), make_contact()
    inner = merged(first, second)
    ContactMerge.propose([(third, first, ["email"])])
    outer = merging.merge(ContactMerge.objects.exclude(pk=inner.pk).get().pk, Choice(third.pk), by="nora")
    assert contacts.find(first.account, str(second.pk)) == third
    with pytest.raises(MergeRefused, match="Undo that merge first"):
        merging.undo(inner.pk, by="nora")
    merging.undo(outer.pk, by="nora")
    merging.undo(inner.pk, by="nora")
    assert contacts.email_of(second)


def test_contacts_of_two_accounts_never_become_one():
    row = proposed(make_contact(), make_contact(make_account("other")))
    with pytest.raises(MergeRefused, match="different accounts"):
        merging.merge(row.pk, Choice(row.kept_id), by="nora")


def test_who_is_being_erased_is_not_merged():
    first, second = make_contact(), make_contact()
    row = proposed(first, second)
    erasure.request(second)
    with pytest.raises(MergeRefused, match="being erased"):
        merging.merge(row.pk, Choice(first.pk), by="nora")
    assert Contact.objects.filter(is_active=True).count() == 2


def test_a_refused_merge_changes_nothing():
    first, second = a_whole_person("ada@example.com"), a_whole_person("ada@home.example")
    row, before = proposed(first, second), all_rows()
    with pytest.raises(MergeRefused, match="which of the two"):
        merging.merge(row.pk, Choice(make_contact(name="Third").pk), by="nora")
    Contact.objects.filter(name="Third").delete()
    assert all_rows() == before


def test_an_erasure_reaches_who_became_part_of_the_person():
    kept, removed = a_whole_person("ada@example.com"), a_whole_person("ada@home.example", name="Countess")
    row = merged(kept, removed)
    erasure.run(erasure.request(kept).pk)
    assert merging.follow_erasures() == 1
    removed.refresh_from_db()
    row.refresh_from_db()
    assert (removed.name, removed.erased_at is not None) == ("", True)
    assert (row.changes, row.conflicts, row.moved.count()) == ({}, {}, 0)
    assert merging.follow_erasures() == 0


@pytest.mark.parametrize(("method", "path"), [("get", ""), ("get", "/timeline"), ("get", "/export")])
def test_the_api_of_contacts_follows_a_merge(client, method, path):
    kept, removed = a_whole_person("ada@example.com"), a_whole_person("ada@home.example")
    merged(kept, removed)
    asked = getattr(client, method)
    answers = [
        asked(f"/api/v1/contacts/{one.pk}{path}", headers=bearer(make_key())).json()["data"]
        for one in (kept, removed)
    ]
    assert answers[0] == answers[1]


def test_a_list_of_contacts_holds_nobody_twice(client):
    kept, removed, erased = make_contact(), make_contact(), make_contact()
    merged(kept, removed)
    erasure.run(erasure.request(erased).pk)
    rows = client.get("/api/v1/contacts", headers=bearer(make_key())).json()["data"]
    assert [row["id"] for row in rows] == [str(kept.pk)]


def test_a_change_under_the_former_id_reaches_the_person(client):
    kept, removed = make_contact(), make_contact()
    merged(kept, removed)
    url = f"/api/v1/contacts/{removed.pk}"
    client.patch(url, {"role": "Nurse"}, headers=bearer(make_key()), content_type="application/json")
    assert Contact.objects.get(pk=kept.pk).role == "Nurse"


def test_an_erasure_under_the_former_id_reaches_the_whole_person(client, django_capture_on_commit_callbacks):
    """Of the former contact alone, everything would have stayed with the one they became part of."""
    kept, removed = a_whole_person("ada@example.com"), a_whole_person("ada@home.example")
    merged(kept, removed)
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(f"/api/v1/contacts/{removed.pk}/erase", headers=bearer(make_key()))
    assert answer.status_code == 202
    merging.follow_erasures()
    assert set(Contact.objects.values_list("name", "is_active")) == {("", False)}
    assert not ContactAddress.objects.exists()


@pytest.mark.django_db(transaction=True)
async def test_a_chat_user_goes_on_under_the_former_id(flushed_layer):
    """The documented client sends its user's id with each message, beside the token."""

    def at_once():
        kept, removed = make_contact(), make_contact()
        token = token_of(removed)
        merged(kept, removed)
        return str(removed.pk), token

    former, token = await in_database(at_once)
    answer = await Caller().say("Hello", user_id=former, session_token=token)
    assert answer.status_code == 200, answer.json()
    stranger = str((await in_database(make_contact)).pk)
    assert (await Caller().say("Hello", user_id=stranger, session_token=token)).status_code == 401


def test_what_was_on_its_way_follows():
    kept, removed = make_contact(), make_contact()
    row = merged(kept, removed)
    late = make_conversation(removed)
    tasks.tidy()
    assert Conversation.objects.get(pk=late.pk).contact_id == kept.pk
    merging.undo(row.pk, by="nora")
    assert Conversation.objects.get(pk=late.pk).contact_id == removed.pk


def test_merging_is_noted():
    row = merged(make_contact(), make_contact())
    merging.undo(row.pk, by="nora")
    assert list(AuditEntry.objects.order_by("pk").values_list("action", "actor")) == [
        ("merged contacts", "nora"),
        ("undid merge of contacts", "nora"),
    ]
