"""What staff keep for themselves of a conversation: private notes, and whose it is."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from config.api.models import AuditEntry
from crm import erasure, notes, talk
from crm.admin import conversations
from crm.frames import messages_after, said_in
from crm.models import Conversation, PrivateNote
from crm.personal_data import collect
from crm.tests.test_replies import open_talk
from tests.factories import bearer, make_contact, make_key

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "Sounds unhappy; call her first."


@pytest.fixture
def conversation():
    return open_talk(contact=make_contact(name="Ada Lovelace"))


@pytest.fixture
def sue(client):
    user = User.objects.create_superuser("sue")
    client.force_login(user)
    return user


def address(name, conversation, *more):
    return reverse(f"admin:crm_conversation_{name}", args=[conversation.pk, *more])


def transcript(client, conversation, **query):
    return client.get(address("transcript", conversation), query).content.decode()


def written(conversation, text=SECRET, *, author=None, minutes=0):
    note = notes.write(conversation, text, author=author)
    at = timezone.now() + timedelta(minutes=minutes)
    PrivateNote.objects.filter(pk=note.pk).update(created_at=at)
    return note


# --- notes -----------------------------------------------------------------------------------


def test_a_note_stands_between_the_messages_by_its_time(client, sue, conversation):
    client.post(address("note", conversation), {"note": SECRET})
    talk.record_message(conversation, "I am a nurse.")
    page = transcript(client, conversation)
    assert page.index('id="m1"') < page.index(SECRET) < page.index("I am a nurse.")
    assert "Private note: only staff see it" in page


def test_that_a_note_was_written_is_on_record_without_its_words(client, sue, conversation):
    client.post(address("note", conversation), {"note": SECRET})
    entry = AuditEntry.objects.get(action="wrote private note")
    assert (entry.actor, entry.target_id) == ("sue", str(conversation.pk))
    assert entry.detail == {"note": PrivateNote.objects.get().pk}


@pytest.mark.parametrize("text", ["", "  ", "\x00", "x" * 4001])
def test_a_note_of_nothing_or_of_too_much_is_refused(client, sue, conversation, text):
    assert client.post(address("note", conversation), {"note": text}).status_code == 302
    assert not PrivateNote.objects.exists()
    assert not AuditEntry.objects.filter(action="wrote private note").exists()


def test_a_note_is_shown_as_text(client, sue, conversation):
    written(conversation, "<script>alert(1)</script>")
    assert "&lt;script&gt;alert(1)" in transcript(client, conversation)


def test_a_talk_that_has_ended_can_have_notes(client, sue, conversation):
    talk.close(conversation, "completed")
    client.post(address("note", conversation), {"note": SECRET})
    assert SECRET in transcript(client, conversation)


def test_each_note_is_in_exactly_one_window(client, sue, conversation, monkeypatch):
    monkeypatch.setattr(conversations, "WINDOW", 2)
    for number in range(6):
        written(conversation, f"note {number}.")
        talk.say(conversation, f"message {number}.")
    written(conversation, "note 6.")
    pages = [transcript(client, conversation, **{"from": start}) for start in (1, 3, 5, 7)]
    assert [[page.count(f"note {n}.") for page in pages].count(1) for n in range(7)] == [1] * 7
    assert "note 6." in pages[3]


def test_its_author_removes_a_note_and_nobody_else(client, sue, conversation):
    own = written(conversation, author=sue)
    other = written(conversation, author=User.objects.create_superuser("tom"))
    for note in (own, other):
        client.post(address("remove_note", conversation, note.pk))
    assert list(PrivateNote.objects.all()) == [other]
    assert AuditEntry.objects.get(action="removed private note").detail == {"note": own.pk}
    assert address("remove_note", conversation, other.pk) not in transcript(client, conversation)


def test_a_note_stays_when_its_author_is_gone_and_can_be_removed(client, sue, conversation):
    tom = User.objects.create_superuser("tom")
    note = written(conversation, author=tom)
    tom.delete()
    assert SECRET in transcript(client, conversation)
    client.post(address("remove_note", conversation, note.pk))
    assert not PrivateNote.objects.exists()


def test_a_note_is_removed_in_its_own_conversation_only(client, sue, conversation):
    note = written(conversation, author=sue)
    other = open_talk(contact=conversation.contact)
    client.post(address("remove_note", other, note.pk))
    assert PrivateNote.objects.filter(pk=note.pk).exists()


def test_many_notes_cost_no_more_queries_than_one(client, sue, conversation):
    written(conversation, author=sue)
    transcript(client, conversation)
    with CaptureQueriesContext(connection) as one:
        transcript(client, conversation)
    for number in range(4):
        author = User.objects.create_superuser(f"tom{number}")
        written(conversation, author=author)
    with CaptureQueriesContext(connection) as five:
        transcript(client, conversation)
    assert len(five) == len(one)


# --- who never sees them -----------------------------------------------------------------------


def test_a_note_is_no_message_to_anybody(conversation):
    before = Conversation.objects.get(pk=conversation.pk).last_seq
    written(conversation)
    assert Conversation.objects.get(pk=conversation.pk).last_seq == before
    assert SECRET not in str([message.text for message in messages_after(conversation.pk, 0)])
    assert SECRET not in str(said_in(conversation))  # what a planner and a model get


def test_no_read_of_the_api_shows_a_note_or_whose_the_talk_is(client, conversation):
    conversation.assign(User.objects.create_superuser("susan-of-staff"))
    written(conversation)
    key = bearer(make_key(conversation.account))
    paths = (
        f"/crm/conversations/{conversation.contact_id}",
        f"/crm/users/{conversation.contact_id}",
        f"/api/v1/contacts/{conversation.contact_id}/timeline",
        f"/api/v1/talks/{conversation.pk}",
    )
    for path in paths:
        answer = client.get(path, headers=key)
        assert answer.status_code == 200, path
        assert SECRET not in answer.content.decode()
        assert "susan-of-staff" not in answer.content.decode()


# --- what the person may ask for ------------------------------------------------------------------


def test_what_is_held_of_a_person_includes_the_notes_and_not_who_wrote_them(sue, conversation):
    written(conversation, author=sue)
    told = collect(conversation.contact)["conversations"][0]
    assert [note["text"] for note in told["private_notes"]] == [SECRET]
    assert "sue" not in str(told)


@pytest.mark.parametrize("whole_person", [True, False])
def test_notes_go_with_an_erasure(conversation, whole_person):
    written(conversation)
    row = erasure.request(conversation.contact, conversation=None if whole_person else conversation)
    erasure.run(row.pk)
    row.refresh_from_db()
    assert not PrivateNote.objects.exists()
    assert row.receipt["crm"]["notes"] == 1


# --- assignment -----------------------------------------------------------------------------------


def test_a_conversation_is_assigned_and_to_nobody_again(client, sue, conversation):
    tom = User.objects.create_user("tom", is_staff=True)
    for given, chosen in ((tom.pk, tom), ("", None)):
        client.post(address("assign", conversation), {"staff": given})
        conversation.refresh_from_db()
        assert conversation.assigned_to == chosen
    details = AuditEntry.objects.filter(action="assigned conversation").order_by("pk")
    assert [entry.detail for entry in details] == [{"to": "tom"}, {"to": ""}]


def test_only_staff_who_can_sign_in_are_assigned_to(client, sue, conversation):
    nobody = [
        User.objects.create_user("visitor").pk,
        User.objects.create_user("gone", is_staff=True, is_active=False).pk,
        "x",
        "99999999999999999999",
    ]
    for given in nobody:
        client.post(address("assign", conversation), {"staff": given})
    conversation.refresh_from_db()
    assert conversation.assigned_to is None


def test_who_has_it_stays_chosen_when_they_can_no_longer_sign_in(client, sue, conversation):
    gone = User.objects.create_user("gone", is_staff=True, is_active=False)
    conversation.assign(gone)
    assert f'<option value="{gone.pk}" selected>' in transcript(client, conversation)


def test_assigning_changes_nothing_else(client, sue, conversation):
    talk.record_message(Conversation.objects.get(pk=conversation.pk), "I am a nurse.")
    conversation.assign(sue)
    conversation.refresh_from_db()
    assert conversation.last_seq == 2


@pytest.mark.parametrize("had", [None, "tom"])
def test_who_takes_over_has_it_if_nobody_had(client, sue, conversation, had):
    conversation.assign(User.objects.create_user(had, is_staff=True) if had else None)
    client.post(address("move", conversation, "take-over"))
    conversation.refresh_from_db()
    assert (conversation.taken_over_by, conversation.assigned_to.username) == (sue, had or "sue")


def test_it_is_nobodys_when_the_login_is_deleted(conversation):
    tom = User.objects.create_user("tom", is_staff=True)
    conversation.assign(tom)
    tom.delete()
    conversation.refresh_from_db()
    assert conversation.assigned_to is None


@pytest.mark.parametrize(
    ("chosen", "shown"),
    [
        ("me", {"mine"}),
        ("somebody", {"mine", "toms"}),
        ("nobody", {"free"}),
        ("", {"mine", "toms", "free"}),
        ("x", {"mine", "toms", "free"}),
    ],
)
def test_the_list_is_filtered_by_assignment(client, sue, chosen, shown):
    owners = {"mine": sue, "toms": User.objects.create_user("tom", is_staff=True), "free": None}
    for title, owner in owners.items():
        open_talk(title=f"talk-{title}").assign(owner)
    query = {"assigned": chosen} if chosen else {}
    page = client.get(reverse("admin:crm_conversation_changelist"), query).content.decode()
    assert {title for title in owners if f"talk-{title}" in page} == shown


# --- who may ---------------------------------------------------------------------------------------


def test_staff_who_only_read_see_notes_and_change_nothing(client, conversation):
    reader = User.objects.create_user("reader", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_conversation"))
    client.force_login(reader)
    note = written(conversation, author=reader)
    page = transcript(client, conversation)
    assert SECRET in page
    assert address("note", conversation) not in page
    for url in (
        address("note", conversation),
        address("assign", conversation),
        address("remove_note", conversation, note.pk),
    ):
        assert client.post(url, {"note": "x", "staff": reader.pk}).status_code == 403
        assert client.get(url).status_code == 405


def test_the_list_of_notes_costs_the_same_queries_for_one_row_and_for_five(client, sue, conversation):
    url = reverse("admin:crm_privatenote_changelist")
    written(conversation, author=sue)
    client.get(url)
    with CaptureQueriesContext(connection) as one:
        assert SECRET in client.get(url).content.decode()
    for _ in range(4):
        written(open_talk(), author=sue)
    with CaptureQueriesContext(connection) as five:
        client.get(url)
    assert len(five) <= len(one)
