"""Uploads named in messages, handed out, given to models, and removed when nobody used them."""

from datetime import timedelta
from io import BytesIO

import pytest
import time_machine
from django.core.files.storage import default_storage
from django.utils import timezone
from PIL import Image

from crm import media, media_unused, personal_data, tasks
from crm.media import MediaRefused
from crm.models import Contact, MediaFile, Message
from crm.talk import record_message
from crm.tests.media_samples import picture, wav
from tests.factories import make_account, make_contact, make_conversation

pytestmark = pytest.mark.django_db
ENDING = {"image": ".jpg", "audio": ".wav"}


@pytest.fixture
def ada():
    return make_contact(email="ada@example.com")


def stored(contact, data=None, kind="image"):
    return media.stored(contact, data or picture(), kind, filename="C:\\pictures\\a" + ENDING[kind])


def later(**delta):
    return time_machine.travel(timezone.now() + timedelta(**delta), tick=False)


def refused(contact, *references, kind="image"):
    with pytest.raises(MediaRefused) as caught:
        media.claimed(contact, references, kind)
    return caught.value.message


def test_a_file_is_named_by_its_key_or_by_an_address_of_it(ada):
    one, two = stored(ada), stored(ada)
    assert media.claimed(ada, [two.file.name, media.url_of(one)], "image") == [two, one]


def test_an_address_names_its_file_also_when_its_time_is_over(ada):
    one = stored(ada)
    url = media.url_of(one)
    with later(hours=2):
        assert media.claimed(ada, [url], "image") == [one]


def test_a_file_that_is_named_twice_is_taken_once(ada):
    one = stored(ada)
    assert media.claimed(ada, [one.file.name, media.url_of(one)], "image") == [one]


def test_nobody_names_anothers_file(ada):
    for other in (make_contact(email="b@example.com"), make_contact(make_account("other"), email="c@b.org")):
        theirs = stored(other)
        assert "uploaded" in refused(ada, theirs.file.name)
        assert "uploaded" in refused(ada, media.url_of(theirs))


FOREIGN = [
    "https://example.com/cat.jpg",
    "http://169.254.169.254/latest/meta-data",
    "file:///etc/passwd",
    "media/../../etc/passwd",
    "voice/recordings/1/2.mp3",
    "alice/4b8c2b1e-0000-4000-8000-000000000000.jpg",
    "media/00000000-0000-0000-0000-000000000000/00000000-0000-0000-0000-000000000000.jpg",
    "http://testserver/api/v1/media/files/nonsense",
    "",
    "x" * 5000,
    "\x00",
]


@pytest.mark.parametrize("reference", FOREIGN)
def test_what_is_no_upload_of_ours_is_refused(ada, reference):
    stored(ada)
    assert "uploaded" in refused(ada, reference)


def test_a_recording_is_no_picture(ada):
    note = stored(ada, wav(), "audio")
    assert "uploaded" in refused(ada, note.file.name, kind="image")


def test_one_wrong_name_refuses_all(ada):
    assert "uploaded" in refused(ada, stored(ada).file.name, "https://example.com/cat.jpg")


def test_claiming_costs_two_queries_however_many(ada, django_assert_num_queries):
    keys = [stored(ada).file.name for _ in range(5)]
    with django_assert_num_queries(2):
        media.claimed(ada, keys, "image")


def test_the_name_a_person_gave_is_kept_without_its_folders(ada):
    assert stored(ada).filename == "a.jpg"


# --- Given to models --------------------------------------------------------------------------
def test_a_model_gets_the_pictures_in_their_order(ada):
    red, blue = stored(ada, picture("PNG", colour="red")), stored(ada, picture("PNG", colour="blue"))
    shown = media.pictures_of([blue, stored(ada, wav(), "audio"), red])
    colours = [Image.open(BytesIO(one.data)).convert("RGB").getpixel((0, 0)) for one in shown]
    assert colours == [(0, 0, 255), (255, 0, 0)]
    assert {one.mime for one in shown} == {"image/png"}


def test_a_picture_that_is_gone_is_left_out(ada):
    one, two = stored(ada), stored(ada)
    default_storage.delete(one.file.name)
    assert len(media.pictures_of([one, two])) == 1


def test_pictures_stop_where_a_request_would_be_too_large(ada, monkeypatch):
    one, two = stored(ada), stored(ada)
    monkeypatch.setattr(media, "MOST_PICTURE_BYTES", one.size_bytes + 1)
    assert len(media.pictures_of([one, two])) == 1


def test_a_recording_is_read_whole(ada):
    data = wav()
    assert media.audio_of(stored(ada, data, "audio")).data == data


def test_a_recording_that_is_gone_is_said_to_be(ada):
    note = stored(ada, wav(), "audio")
    default_storage.delete(note.file.name)
    with pytest.raises(MediaRefused, match="again"):
        media.audio_of(note)


# --- Removed ----------------------------------------------------------------------------------
def test_an_upload_that_nobody_used_is_removed_after_a_day(ada):
    row = stored(ada)
    with later(hours=23):
        assert media_unused.remove() == 0
    with later(hours=25):
        assert media_unused.remove() == 1
    assert not MediaFile.objects.exists()
    assert not default_storage.exists(row.file.name)


def test_the_sweep_removes_it(ada):
    stored(ada)
    with later(hours=25):
        tasks.tidy()
    assert not MediaFile.objects.exists()


def test_one_that_a_message_has_stays_for_good(ada):
    row = stored(ada)
    record_message(make_conversation(ada), "Look", media=media.claimed(ada, [row.file.name], "image"))
    for hours in (49, 500):
        with later(hours=hours):
            assert media_unused.remove() == 0
    assert MediaFile.objects.get().unused_after is None
    assert default_storage.exists(row.file.name)


def test_a_claim_gives_it_another_day(ada):
    row = stored(ada)
    with later(hours=23):
        media.claimed(ada, [row.file.name], "image")
    with later(hours=25):
        assert media_unused.remove() == 0


def test_a_claim_between_looking_and_removing_wins(ada, monkeypatch):
    row = stored(ada)

    def claim_then(found):
        media.claimed(ada, [found.file.name], "image")
        return really(found)

    really = media_unused._removed
    monkeypatch.setattr(media_unused, "_removed", claim_then)
    with later(hours=25):
        assert media_unused.remove() == 0
    assert default_storage.exists(row.file.name)


def test_one_that_is_being_removed_can_be_claimed_no_more(ada, monkeypatch):
    row = stored(ada)

    def fail(_name):
        raise OSError("the store is away")

    with monkeypatch.context() as patched, later(hours=25):
        patched.setattr(default_storage, "delete", fail)
        assert media_unused.remove() == 0
    assert "uploaded" in refused(ada, row.file.name)
    with later(hours=26):
        assert media_unused.remove() == 1


def test_files_that_are_no_uploads_are_left_alone(ada):
    MediaFile.objects.create(
        account=ada.account, contact=ada, kind="audio", file="voice/1.mp3", mime="audio/mpeg", size_bytes=1
    )
    with later(days=30):
        assert media_unused.remove() == 0


def test_files_of_a_talk_that_is_deleted_go_unless_another_has_them(ada):
    talk, other = make_conversation(ada), make_conversation(ada)
    alone, shared = stored(ada), stored(ada)
    record_message(talk, "Both", media=[alone, shared])
    record_message(other, "One", media=[shared])
    with later(days=2):
        media_unused.remove()
    assert media.let_go(talk.pk) == 1
    Message.objects.filter(conversation=talk).delete()
    with later(days=3):
        assert media_unused.remove() == 1
    assert MediaFile.objects.get() == shared


def test_erasing_a_person_removes_used_and_unused_uploads(ada):
    used, unused = stored(ada), stored(ada, wav(), "audio")
    record_message(make_conversation(ada), "Look", media=[used])
    assert len(personal_data.collect(ada)["files"]) == 2
    personal_data.erase(ada)
    assert not MediaFile.objects.exists()
    assert not default_storage.exists(used.file.name)
    assert not default_storage.exists(unused.file.name)
    assert Contact.objects.get(pk=ada.pk).name == ""
