"""`manage.py seed_load`: as many rows as were asked for, that hold together and are counted."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count, F, Max

from config.api.models import Account
from config.system import analytics
from crm.models import Contact, ContactAddress, Conversation, Message, Rating, TimelineEntry
from knowledge.models import Document
from tests.factories import make_account, make_contact, make_conversation

pytestmark = pytest.mark.django_db


def seed(**options):
    size = {"contacts": 40, "messages": 2_001, "documents": 3, "days": 20}
    call_command("seed_load", **{**size, **options}, stdout=StringIO())


@pytest.fixture
def seeded():
    seed()
    return Account.objects.get(slug="load")


def test_it_makes_what_was_asked_for(seeded):
    models = (Contact, ContactAddress, Message, Document)
    assert [model.objects.count() for model in models] == [40, 40, 2_001, 3]
    assert TimelineEntry.objects.count() == Conversation.objects.count()
    assert Rating.objects.exists()


def test_its_rows_hold_together(seeded):
    talks = Conversation.objects.annotate(number=Count("messages"), highest=Max("messages__seq"))
    assert not talks.exclude(number=F("last_seq"), highest=F("last_seq")).exists()
    assert not Message.objects.filter(author="persona", reply_to=None).exists()
    assert not Conversation.objects.exclude(account=seeded, contact__account=seeded).exists()
    assert not Conversation.objects.filter(created_at__lt=F("contact__created_at")).exists()
    reply = Message.objects.filter(author="persona").first()
    assert reply.routing["agent"] == reply.persona.slug


def test_the_figures_are_counted_at_the_end(seeded):
    found = analytics.system(seeded)
    assert found["overview"]["total_messages"] == 2_001
    assert found["overview"]["total_users"] == 40
    assert found["performance_metrics"]["avg_openai_response_time"] > 0


def test_new_rows_come_after_those_made_in_bulk(seeded):
    talk = make_conversation(make_contact(seeded))
    message = Message.objects.create(conversation=talk, seq=1, author="person", text="Hello.")
    assert message.pk > Message.objects.exclude(pk=message.pk).aggregate(last=Max("pk"))["last"]


def test_a_second_time_it_refuses(seeded):
    with pytest.raises(CommandError, match="filled already"):
        seed()
    assert Message.objects.count() == 2_001


def test_an_account_that_is_named_is_added_to(seeded):
    seed(account="load", contacts=2, messages=100)
    assert Contact.objects.filter(account=seeded).count() == 42
    assert analytics.system(seeded)["overview"]["total_messages"] == 2_101


def test_other_accounts_are_left_alone():
    make_contact(make_account("acme"))
    seed()
    assert Contact.objects.filter(account__slug="acme").count() == 1
    assert analytics.system(make_account("acme"))["overview"]["total_messages"] == 0


@pytest.mark.parametrize("option", ["contacts", "messages", "documents", "days"])
def test_numbers_that_make_no_sense_are_refused(option):
    with pytest.raises(CommandError, match=f"--{option} must be"):
        seed(**{option: -1})


@pytest.mark.django_db
def test_an_account_that_could_not_be_is_refused():
    with pytest.raises(CommandError, match="--account"):
        call_command("seed_load", "--contacts=1", "--messages=0", "--account=Bad Slug", stdout=StringIO())
    assert not Account.objects.exists()
