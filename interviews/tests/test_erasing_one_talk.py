"""One talk is erased, and with it what the timeline says of it; the person's other talk stays."""

import pytest

from crm import erasure, personal_data
from crm.models import Conversation, TimelineEntry
from interviews import starting
from interviews.models import Interview
from interviews.tests.holding import hold, invite

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "config.storage.PrivateFolderStorage"}}
    settings.MEDIA_ROOT = tmp_path / "files"


def entries_of(interview):
    return TimelineEntry.objects.filter(ref__conversation=str(interview.conversation_id))


def test_every_entry_of_an_interview_names_its_conversation():
    interview = hold()
    starting.reopen_for_correction(interview.pk)
    starting.decline(invite(interview.guide, interview.contact).interview.pk)
    for entry in TimelineEntry.objects.all():
        named = Interview.objects.get(pk=entry.ref["id"])
        assert entry.ref["conversation"] == str(named.conversation_id)
    kinds = set(TimelineEntry.objects.values_list("kind", flat=True))
    assert kinds == {
        "interview_started",
        "interview_completed",
        "interview_reopened",
        "interview_declined",
    }


def test_erasing_one_talk_takes_its_timeline_and_leaves_the_other():
    first = hold()
    second = hold(first.guide, first.contact)
    request = erasure.request(first.contact, conversation=Conversation.objects.get(pk=first.conversation_id))
    assert erasure.run(request.pk)
    assert not entries_of(first).exists()
    assert entries_of(second).count() == 2
    request.refresh_from_db()
    assert request.receipt["crm"]["timeline"] == 2


def test_it_is_found_also_when_the_interview_itself_is_gone_already():
    interview = hold()
    Interview.objects.all().delete()
    removed = personal_data.erase(interview.contact, interview.conversation_id)
    assert removed["timeline"] == 2
