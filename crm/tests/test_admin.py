"""What staff see, and what they do."""

from urllib.parse import quote

import pytest
from django.urls import reverse

from config.api.models import AuditEntry
from crm import consent, erasure, talk, timeline
from crm.models import AccessLink, Conversation, Erasure, Message, Suppression
from crm.tests.test_replies import open_talk
from tests.factories import make_account, make_contact

pytestmark = pytest.mark.django_db(transaction=True)
LISTS = ["contact", "conversation", "suppression", "accesslink", "erasure"]


def fill():
    contact = make_contact(name="Ada Lovelace")
    conversation = open_talk(contact=contact)
    AccessLink.issue(contact, "conversation", conversation=conversation)
    consent.suppress(contact.account, "email", f"gone{contact.pk}@example.com", "manual")
    Erasure.objects.create(account=contact.account, contact=None)
    timeline.write(contact, "note", "Something happened")
    return conversation


@pytest.mark.parametrize("name", LISTS)
def test_a_list_costs_the_same_queries_for_one_row_and_for_five(
    admin_client, name, django_assert_num_queries
):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    fill()
    url = reverse(f"admin:crm_{name}_changelist")
    admin_client.get(url)
    with CaptureQueriesContext(connection) as one:
        assert admin_client.get(url).status_code == 200
    for _ in range(4):
        fill()
    with CaptureQueriesContext(connection) as five:
        admin_client.get(url)
    assert len(five) <= len(one)


@pytest.mark.parametrize("words", ["Lovelace", "grace@example", "Analytical"])
def test_a_contact_is_found_by_name_address_and_company(admin_client, words):
    make_contact(name="Ada Lovelace", email="grace@example.com", company="Analytical Engines")
    page = admin_client.get(reverse("admin:crm_contact_changelist"), {"q": words})
    assert b"Ada Lovelace" in page.content


def test_a_contact_page_shows_the_timeline_and_the_talks(admin_client):
    conversation = fill()
    page = admin_client.get(
        reverse("admin:crm_contact_change", args=[conversation.contact_id])
    ).content.decode()
    assert "Something happened" in page
    assert reverse("admin:crm_conversation_transcript", args=[conversation.pk]) in page


def test_a_contact_stays_in_its_account(admin_client):
    """Their addresses and talks are of it, and would stay behind."""
    contact, other = make_contact(), make_account("other")
    forms = {
        f"{name}-{key}": 0 for name in ("addresses", "consents") for key in ("TOTAL_FORMS", "INITIAL_FORMS")
    }
    given = {**forms, "name": "Ada L.", "account": other.pk, "preferences": "{}", "fields": "{}"}
    admin_client.post(reverse("admin:crm_contact_change", args=[contact.pk]), given)
    contact.refresh_from_db()
    assert (contact.name, contact.account.slug) == ("Ada L.", "acme")


def with_primary(admin_client, contact, *primary):
    """Saves the contact's page with these addresses ticked as primary."""
    rows = list(contact.addresses.order_by("pk"))
    given = {"name": "Ada", "is_active": "on", "preferences": "{}", "fields": "{}"}
    for name, number in (("addresses", len(rows)), ("consents", 0)):
        given |= {f"{name}-TOTAL_FORMS": number, f"{name}-INITIAL_FORMS": number}
    for number, row in enumerate(rows):
        given |= {f"addresses-{number}-id": row.pk, f"addresses-{number}-contact": contact.pk}
        given |= {f"addresses-{number}-is_primary": "on"} if row.value in primary else {}
    return admin_client.post(reverse("admin:crm_contact_change", args=[contact.pk]), given)


def test_another_address_becomes_the_primary_one(admin_client):
    contact = make_contact(email="one@example.com")
    contact.addresses.create(account=contact.account, kind="email", value="two@example.com")
    for chosen in ("two@example.com", "one@example.com"):
        assert with_primary(admin_client, contact, chosen).status_code == 302
        assert contact.addresses.get(is_primary=True).value == chosen


def test_two_primary_addresses_of_a_kind_are_refused_in_words(admin_client):
    contact = make_contact(email="one@example.com")
    contact.addresses.create(account=contact.account, kind="email", value="two@example.com")
    answer = with_primary(admin_client, contact, "one@example.com", "two@example.com")
    assert "Only one address of a kind" in answer.content.decode()
    assert contact.addresses.get(is_primary=True).value == "one@example.com"


def test_an_erased_contact_is_not_written_to(admin_client):
    contact = make_contact()
    erasure.run(erasure.request(contact).pk)
    answer = admin_client.post(reverse("admin:crm_contact_change", args=[contact.pk]), {"name": "Ada"})
    assert answer.status_code == 403


def test_a_suppression_is_found_by_the_whole_address(admin_client):
    consent.suppress(make_account(), "email", "zoe@example.com", "manual")
    page = admin_client.get(reverse("admin:crm_suppression_changelist"), {"q": "Zoe@example.com"})
    assert b"z\xe2\x80\xa6@example.com" in page.content


def test_a_transcript_shows_the_cited_message_and_that_it_was_read(admin_client):
    conversation = fill()
    url = reverse("admin:crm_conversation_transcript", args=[conversation.pk])
    page = admin_client.get(url, {"message": "1"}).content.decode()
    assert 'id="m1"' in page
    assert 'aria-current="true"' in page
    assert "What do you do at work?" in page
    assert AuditEntry.objects.filter(action="read transcript", target_id=conversation.pk).count() == 1


@pytest.mark.parametrize("seq", ["0", "-1", "x", "99999999999", "7"])
def test_a_message_that_is_not_there_is_no_error(admin_client, seq):
    url = reverse("admin:crm_conversation_transcript", args=[fill().pk])
    assert admin_client.get(url, {"message": seq}).status_code == 200


def test_staff_take_over_write_and_hand_back(admin_client):
    conversation = fill()
    for move, body in (("take-over", {}), ("write", {"text": "Sue here."}), ("hand-back", {})):
        admin_client.post(reverse("admin:crm_conversation_move", args=[conversation.pk, move]), body)
    said = Message.objects.filter(conversation=conversation, seq__gt=1).values_list("author", flat=True)
    assert list(said) == ["system", "staff", "system"]
    assert Conversation.objects.get(pk=conversation.pk).taken_over_by is None


def test_staff_cannot_write_in_a_talk_they_have_not_taken(admin_client):
    conversation = fill()
    admin_client.post(reverse("admin:crm_conversation_move", args=[conversation.pk, "write"]), {"text": "Hi"})
    assert not Message.objects.filter(author="staff").exists()


def test_erasing_says_what_it_touches_and_a_get_changes_nothing(admin_client):
    conversation = fill()
    url = reverse("admin:crm_contact_erase", args=[conversation.contact_id])
    page = admin_client.get(url).content.decode()
    assert "1 conversation" in page
    assert Erasure.objects.filter(contact=conversation.contact).count() == 0
    admin_client.post(url)
    assert Erasure.objects.get(contact=conversation.contact_id).state == "done"


def test_links_are_revoked_and_show_no_token(admin_client):
    fill()
    link = AccessLink.objects.get()
    url = reverse("admin:crm_accesslink_changelist")
    admin_client.post(url, {"action": "revoke_links", "_selected_action": [str(link.pk)]})
    link.refresh_from_db()
    assert link.revoked_at is not None
    page = admin_client.get(reverse("admin:crm_accesslink_change", args=[link.pk])).content.decode()
    assert link.digest not in page


def test_an_erased_person_s_suppression_is_not_lifted(admin_client):
    row = consent.suppress(make_account(), "email", "zoe@example.com", Suppression.Reason.ERASED)
    url = reverse("admin:crm_suppression_changelist")
    admin_client.post(url, {"action": "lift_suppressions", "_selected_action": [str(row.pk)]})
    row.refresh_from_db()
    assert row.lifted_at is None


def test_staff_without_the_permission_see_no_transcript(client, django_user_model):
    client.force_login(django_user_model.objects.create_user("joe", is_staff=True))
    url = reverse("admin:crm_conversation_transcript", args=[fill().pk])
    assert client.get(url).status_code == 403


def test_a_closed_talk_cannot_be_taken_over(admin_client):
    conversation = fill()
    talk.close(conversation, "completed")
    admin_client.post(reverse("admin:crm_conversation_move", args=[conversation.pk, "take-over"]))
    assert Conversation.objects.get(pk=conversation.pk).taken_over_by is None


NO_IDS = ("x", "7", "a/b", "..", "ffffffff-ffff-ffff-ffff-fffffffffffg")
PAGES_OF_ONE = (
    "/admin/crm/contact/{}/change/",
    "/admin/crm/contact/{}/delete/",
    "/admin/crm/contact/{}/history/",
    "/admin/crm/contact/{}/erase-person/",
    "/admin/crm/conversation/{}/read-transcript/",
    "/admin/crm/erasure/{}/change/",
    "/admin/interviews/guide/{}/change/",
    "/admin/interviews/interview/{}/change/",
    "/admin/interviews/interview/{}/download-pdf/",
)


@pytest.mark.parametrize("page", PAGES_OF_ONE)
def test_what_is_no_id_is_not_found(admin_client, page):
    assert {admin_client.get(page.format(quote(text))).status_code for text in NO_IDS} == {404}


def test_what_is_no_id_tells_a_stranger_nothing(client):
    for page in PAGES_OF_ONE:
        assert "/login/" in client.get(page.format("x"))["Location"]


def test_who_continues_after_staff_is_called_what_it_is(admin_client):
    conversation = fill()
    for move in ("take-over", "hand-back"):
        admin_client.post(reverse("admin:crm_conversation_move", args=[conversation.pk, move]))
    said = Message.objects.filter(conversation=conversation, author="system").order_by("seq")
    assert list(said.values_list("act", flat=True)) == ["taken_over", "handed_back"]
    assert said.last().text == "The automatic interviewer continues from here."
