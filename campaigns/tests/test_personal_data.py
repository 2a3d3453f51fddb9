"""A person collected and forgotten, import files included."""

import pytest

from campaigns import importing, inviting, personal_data, sending, states
from campaigns.error_rows import error_rows
from campaigns.models import ContactImport, Delivery, EmailEvent, Recipient
from tests.factories import make_campaign

pytestmark = pytest.mark.django_db
FILE = "email;name;note\nada@example.com;Ada;first\nGrace@example.com;Grace;second\nbad;Bad;third\n"


@pytest.fixture
def campaign():
    campaign = make_campaign()
    kept = importing.keep(campaign, FILE.encode(), filename="p.csv")
    ContactImport.objects.update(state="running", done_rows=0)
    importing.go_on(kept.pk)
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    sending.send_due(None)
    return campaign


def person(campaign, name):
    return campaign.recipients.select_related("contact").get(contact__name=name).contact


def content_of_file():
    with ContactImport.objects.get().file.open("rb") as file:
        return file.read().decode()


def test_it_collects_emails_and_campaigns(campaign):
    found = personal_data.collect(person(campaign, "Ada"))
    assert found["emails"][0]["to"] == "ada@example.com"
    assert found["campaigns"][0]["fields"] == {"note": "first"}


def test_it_erases_one_person_and_nobody_else(campaign):
    grace = person(campaign, "Grace")
    counts = personal_data.erase(grace)
    assert counts["import_files"] == 1
    assert not Delivery.objects.filter(contact=grace).exists()
    assert not Recipient.objects.filter(contact=grace).exists()
    assert not EmailEvent.objects.filter(delivery__contact=grace).exists()
    left = content_of_file()
    assert "race" not in left
    assert "second" not in left
    assert "ada@example.com;Ada;first" in left
    assert Delivery.objects.count() == 1


def test_erasing_again_changes_nothing(campaign):
    grace = person(campaign, "Grace")
    personal_data.erase(grace)
    assert not any(personal_data.erase(grace).values())


def test_error_rows_keep_their_lines_after_an_erasure(campaign):
    personal_data.erase(person(campaign, "Grace"))
    assert "4," in "".join(error_rows(ContactImport.objects.get()))


def test_forgetting_one_talk_clears_only_its_email(campaign):
    ada = person(campaign, "Ada")
    talk = ada.interviews.get().conversation_id
    personal_data.erase(ada, conversation_id=talk)
    delivery = Delivery.objects.get(contact=ada)
    assert (delivery.rendered, delivery.subject, delivery.state) == ("", "", "sent")


def test_a_lost_file_does_not_stop_an_erasure(campaign):
    kept = ContactImport.objects.get()
    kept.file.storage.delete(kept.file.name)
    assert personal_data.erase(person(campaign, "Ada"))["import_files"] == 0


def test_a_person_in_a_file_that_was_only_looked_at_is_forgotten_too(campaign):
    other = make_campaign()
    kept = importing.receive(other, FILE.replace("email;", "wer;").encode(), filename="p.csv")
    personal_data.erase(person(campaign, "Ada"))
    kept.refresh_from_db()
    with kept.file.open("rb") as file:
        text = file.read().decode()
    assert "ada@example.com" not in text
    assert "Grace@example.com" in text


def test_a_file_that_cannot_be_read_is_deleted_since_it_may_hold_the_person(campaign):
    other = make_campaign()
    kept = importing.receive(other, b'email,name\nada@example.com,Ada\n"open\n', filename="p.csv")
    personal_data.erase(person(campaign, "Ada"))
    kept.refresh_from_db()
    assert not kept.file
