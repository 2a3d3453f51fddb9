"""Recordings of calls: off unless switched on, said first, fetched, deleted at Twilio, removed in time."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.test import Client
from django.utils import timezone

from config.api.models import AuditEntry
from tests.fakes.twilio_server import Behaviour, Fault
from voice import personal_data, recordings
from voice import twilio as seam
from voice.models import CallRecording, PhoneCall
from voice.tests.conftest import make_callee, make_slots
from voice.tests.simulator import BASE, signed_post

pytestmark = pytest.mark.django_db(transaction=True)
SID = "RE" + "a1" * 16
SOUND = b"ID3 sound" * 1000
FOLDER = "voice/recordings"


@pytest.fixture(autouse=True)
def _nothing_is_left():
    """Of the test before."""
    for name in files():
        default_storage.delete(f"{FOLDER}/{name}")


@pytest.fixture
def line(ring, account, settings):
    settings.VOICE_RECORDING = True
    make_slots(account)
    return ring(make_callee(account, time_zone="UTC", name="Ada"))


@pytest.fixture
def row(line, twilio):
    """A recording that is noted, and not yet fetched."""
    twilio.recordings[SID] = SOUND
    return recordings.note(PhoneCall.objects.get(), SID, duration_seconds=42)


def told(web, line, sid=SID, **more):
    call = PhoneCall.objects.first()
    form = {
        "CallSid": line.sid,
        "RecordingSid": sid,
        "RecordingStatus": "completed",
        "RecordingDuration": "42",
        **more,
    }
    address = f"{BASE}/twilio-recording" + (f"?call={call.pk}" if call else "")
    answer = signed_post(web, address, form)
    assert answer.status_code == 200
    return answer


def work():
    """What is due, now and later."""
    CallRecording.objects.exclude(due_at=None).update(due_at=timezone.now())
    for recording_id in recordings.due():
        recordings.work_on(recording_id)


def files():
    return default_storage.listdir(FOLDER)[1] if default_storage.exists(FOLDER) else []


# --- Recorded -----------------------------------------------------------------------------------


def test_a_recorded_call_says_so_first_and_tells_twilio_where_to_report(line, twilio):
    (form,) = twilio.forms
    call = PhoneCall.objects.get()
    assert form["Record"] == ["true"]
    assert form["RecordingStatusCallback"] == [f"{BASE}/twilio-recording?call={call.pk}"]
    assert form["RecordingStatusCallbackEvent"] == ["completed"]
    line.answer()
    assert "This call is recorded." in line.heard[0]
    assert line.heard[0].index("recorded") < line.heard[0].index("Do you have a moment")


def test_off_no_call_is_recorded_and_none_says_so(ring, account, twilio):
    make_slots(account)
    line = ring(make_callee(account, time_zone="UTC"))
    line.answer()
    assert twilio.forms[0]["Record"] == ["false"]
    assert "recorded" not in line.heard[0]


def test_what_was_asked_for_before_the_switch_stays_as_it_was(line, settings):
    settings.VOICE_RECORDING = False
    line.answer()
    assert "This call is recorded." in line.heard[0]


# --- Fetched ------------------------------------------------------------------------------------


def test_it_is_fetched_once_and_deleted_at_twilio(line, web, twilio):
    twilio.recordings[SID] = SOUND
    for _ in range(2):  # twice, as webhooks come
        told(web, line)
    work()
    row = CallRecording.objects.get()
    assert row.duration_seconds == 42
    assert (row.state, row.size_bytes, row.is_at_vendor, row.due_at) == ("kept", len(SOUND), False, None)
    with default_storage.open(row.file.name) as kept:
        assert kept.read() == SOUND
    assert twilio.recordings == {}
    work()
    assert files() == [f"{SID}.mp3"]


def test_what_fails_is_tried_again_and_then_told(row, twilio):
    failing = Behaviour(fault=Fault.STATUS, status=500)
    twilio.script(*[failing] * 2)
    work()
    row.refresh_from_db()
    assert (row.state, row.attempts, row.due_at > timezone.now()) == ("due", 1, True)
    assert "500" in row.error
    for _ in range(len(recordings.WAITS)):
        twilio.script(failing)
        work()
    row.refresh_from_db()
    assert (row.state, row.due_at) == ("failed", None)


def test_a_deletion_that_fails_is_tried_again(row, twilio):
    twilio.script(Behaviour(), Behaviour(fault=Fault.NOT_DONE))
    work()
    row.refresh_from_db()
    assert (row.state, row.is_at_vendor, SID in twilio.recordings) == ("kept", True, True)
    work()
    row.refresh_from_db()
    assert (row.is_at_vendor, twilio.recordings) == (False, {})


def test_one_worker_works_on_it(row):
    CallRecording.objects.update(due_at=timezone.now() + recordings.LEASE)
    recordings.work_on(row.pk)
    row.refresh_from_db()
    assert row.state == "due"


@pytest.mark.parametrize("most", [10, 0])
def test_one_that_is_too_large_is_not_taken(row, monkeypatch, most):
    monkeypatch.setattr(seam, "MOST_RECORDING_BYTES", most)
    work()
    row.refresh_from_db()
    assert (row.state, "too large" in row.error, files()) == ("due", True, [])


@pytest.mark.parametrize("sid", ["", "RE1", "../../etc/passwd", "RE" + "g" * 32, "CA" + "a" * 32])
def test_what_is_no_recording_is_not_noted(line, web, sid):
    told(web, line, sid=sid)
    assert not CallRecording.objects.exists()


def test_one_that_is_not_whole_is_not_noted(line, web):
    told(web, line, RecordingStatus="in-progress")
    assert not CallRecording.objects.exists()


def test_the_address_that_a_webhook_brings_is_not_followed(line, web, twilio):
    twilio.recordings[SID] = SOUND
    told(web, line, RecordingUrl="http://169.254.169.254/latest")
    work()
    assert CallRecording.objects.get().state == "kept"


# --- Listened to --------------------------------------------------------------------------------


def test_staff_listen_to_it_which_is_noted(row):
    work()
    staff = Client(raise_request_exception=False)
    staff.force_login(User.objects.create_superuser("sue"))
    page = staff.get(f"/admin/voice/phonecall/{row.call_id}/change/").content.decode()
    address = f"/admin/voice/phonecall/recordings/{row.pk}"
    assert address in page
    answer = staff.get(address)
    assert b"".join(answer.streaming_content) == SOUND
    assert answer.headers["Content-Type"] == "audio/mpeg"
    assert "no-store" in answer.headers["Cache-Control"]
    assert AuditEntry.objects.filter(action="listen to phone call", actor="sue").count() == 1
    assert staff.get("/admin/voice/phonecall/recordings/999").status_code == 404


def test_a_player_may_skip(row):
    """Some browsers play nothing of what cannot be had in parts."""
    work()
    staff = Client()
    staff.force_login(User.objects.create_superuser("sue"))
    address = f"/admin/voice/phonecall/recordings/{row.pk}"
    part = staff.get(address, headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, SOUND[1:4])
    assert part.headers["Content-Range"] == f"bytes 1-3/{len(SOUND)}"
    whole = staff.get(address, headers={"Range": "bytes=9999-"})
    assert (whole.status_code, b"".join(whole.streaming_content)) == (200, SOUND)


def test_nobody_else_does(row):
    work()
    address = f"/admin/voice/phonecall/recordings/{row.pk}"
    assert "/login" in Client().get(address).headers["Location"]
    other = Client(raise_request_exception=False)
    other.force_login(User.objects.create_user("bob", is_staff=True))
    assert other.get(address).status_code == 403


# --- Removed ------------------------------------------------------------------------------------


def test_it_is_removed_when_its_time_is_over(row, settings):
    work()
    recordings.clear_old(at=timezone.now() + timedelta(days=settings.VOICE_RECORDING_DAYS - 1))
    assert files() == [f"{SID}.mp3"]
    recordings.clear_old(at=timezone.now() + timedelta(days=settings.VOICE_RECORDING_DAYS + 1))
    assert files() == []
    work()
    assert not CallRecording.objects.exists()


def test_an_erased_person_leaves_no_sound_here_or_at_twilio(row, twilio):
    contact = row.call.contact
    assert personal_data.collect(contact)["phone_calls"][0]["recordings"][0]["duration_seconds"] == 42
    assert personal_data.erase(contact)["call_recordings"] == 1
    assert personal_data.erase(contact)["call_recordings"] == 0
    work()
    assert (files(), twilio.recordings, CallRecording.objects.exists()) == ([], {}, False)


def test_a_call_that_is_deleted_takes_its_sound_along(row):
    work()
    PhoneCall.objects.all().delete()
    recordings.clear_old()
    assert files() == []


def test_a_recording_of_a_call_that_is_gone_is_only_deleted(line, web, twilio):
    twilio.recordings[SID] = SOUND
    PhoneCall.objects.all().delete()
    told(web, line)
    work()
    assert (files(), twilio.recordings, CallRecording.objects.exists()) == ([], {}, False)


def test_one_that_is_erased_while_it_is_fetched_is_not_kept(row, monkeypatch):
    def erased_meanwhile(_sid):
        recordings.remove(CallRecording.objects.all())
        return SOUND

    monkeypatch.setattr(seam, "recording", erased_meanwhile)
    work()
    assert files() == []
