"""`POST /api/v1/media/upload` and the addresses it hands out, over HTTP."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from crm.models import MediaFile
from crm.tests.media_samples import HTML, exif, picture, wav
from tests.user_tokens import as_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("signed_tokens")]

UPLOAD = "/api/v1/media/upload"
FIELDS = {"url", "storage_key", "type", "size", "mime_type", "duration_seconds", "uploaded_at"}


@pytest.fixture
def client():
    return Client(raise_request_exception=False)


def kept(key):
    with default_storage.open(key) as file:
        return file.read()


def upload(client, data=None, *, name="photo.jpg", kind="image", user="alice"):
    file = SimpleUploadedFile(name, picture() if data is None else data)
    return client.post(UPLOAD, {"file": file, "type": kind}, headers=as_user(user) if user else {})


def test_a_picture_is_taken_in_the_documented_form(client):
    answer = upload(client)
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == FIELDS
    assert (body["type"], body["mime_type"], body["duration_seconds"]) == ("image", "image/jpeg", None)
    assert re.fullmatch(r"media/[0-9a-f-]{36}/[0-9a-f-]{36}\.jpg", body["storage_key"])
    assert body["uploaded_at"].endswith("Z")
    assert body["size"] == len(kept(body["storage_key"]))


def test_a_recording_says_how_long_it_is(client):
    body = upload(client, wav(2.2), name="note.wav", kind="audio").json()
    assert (body["mime_type"], body["duration_seconds"]) == ("audio/wav", 3)


def test_what_is_stored_has_nothing_of_where_it_was_taken(client):
    key = upload(client, picture(exif=exif())).json()["storage_key"]
    assert b"SECRET" not in kept(key)


def test_the_name_of_a_user_shapes_no_path(client):
    key = upload(client, user="../../etc").json()["storage_key"]
    assert ".." not in key


@pytest.mark.parametrize(
    ("data", "name", "kind", "status", "error"),
    [
        (HTML, "a.jpg", "image", 400, "bad_request"),
        (picture(), "a.exe", "image", 400, "bad_request"),
        (picture(), "a.mp3", "audio", 400, "bad_request"),
        (b"", "a.jpg", "image", 400, "bad_request"),
        (picture(), "a.jpg", "video", 422, "validation_error"),
    ],
)
def test_what_is_not_taken_gets_the_documented_error(client, data, name, kind, status, error):
    answer = upload(client, data, name=name, kind=kind)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert isinstance(answer.json()["message"], str)
    assert answer.json()["detail"] == answer.json()["message"]
    assert not MediaFile.objects.exists()


def test_a_file_that_is_too_large_is_a_413(client, settings):
    settings.MEDIA_IMAGE_MAX_BYTES = 100
    answer = upload(client)
    assert answer.status_code == 413
    assert not MediaFile.objects.exists()


def test_a_body_that_is_too_large_is_not_even_read(client, settings):
    settings.MEDIA_IMAGE_MAX_BYTES = settings.MEDIA_AUDIO_MAX_BYTES = 100
    assert upload(client, bytes(200_000)).status_code == 413


@pytest.mark.parametrize("sent", [{}, {"type": "image"}, {"file": "text", "type": "image"}])
def test_what_is_missing_is_named(client, sent):
    answer = client.post(UPLOAD, sent, headers=as_user())
    assert answer.status_code == 422
    assert answer.json()["details"]["errors"][0]["loc"][0] == "body"


def test_nobody_uploads_without_a_token(client):
    assert upload(client, user="").status_code == 401


def test_the_address_opens_the_file_as_what_it_is(client):
    body = upload(client).json()
    answer = client.get(body["url"])
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"].startswith("inline; filename=")
    assert len(answer.getvalue()) == body["size"]
    answer.close()


def test_the_address_opens_it_for_some_minutes_only(client):
    url = upload(client).json()["url"]
    with time_machine.travel(timezone.now() + timedelta(seconds=901)):
        answer = client.get(url)
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


@pytest.mark.parametrize("change", [lambda url: url[:-1] + "A", lambda url: url.replace("files/", "files/x")])
def test_an_address_that_was_changed_opens_nothing(client, change):
    url = upload(client).json()["url"]
    changed = change(url) if change(url) != url else url[:-1] + "B"
    assert client.get(changed).status_code == 404


def test_an_address_whose_file_is_gone_is_a_404(client):
    body = upload(client).json()
    default_storage.delete(body["storage_key"])
    assert client.get(body["url"]).status_code == 404


@pytest.mark.parametrize(
    ("wanted", "first", "last"), [("bytes=0-9", 0, 9), ("bytes=100-", 100, None), ("bytes=-20", -20, None)]
)
def test_a_player_may_ask_for_a_part(client, wanted, first, last):
    data = wav(0.5)
    url = upload(client, data, name="a.wav", kind="audio").json()["url"]
    answer = client.get(url, headers={"Range": wanted})
    end = None if last is None else last + 1
    assert (answer.status_code, answer.content) == (206, data[first:end])
    assert answer.headers["Content-Range"].endswith(f"/{len(data)}")


@pytest.mark.parametrize("wanted", ["bytes=-", "bytes=9-2", "bytes=999999999-", "bytes=0-1,5-6", "lines=1-2"])
def test_a_part_that_cannot_be_is_the_whole(client, wanted):
    url = upload(client).json()["url"]
    answer = client.get(url, headers={"Range": wanted})
    answer.close()
    assert answer.status_code == 200


def test_an_upload_costs_the_same_few_queries(client, django_assert_max_num_queries):
    upload(client)
    with django_assert_max_num_queries(8):
        upload(client)


def test_a_store_that_fails_leaves_a_row_for_the_sweep_and_no_secret(client, monkeypatch):
    def fail(*_args, **_more):
        raise OSError("disk of SECRET")

    monkeypatch.setattr(default_storage, "save", fail)
    answer = upload(client)
    assert answer.status_code == 503
    assert "SECRET" not in answer.content.decode()
    assert MediaFile.objects.get().unused_after is not None
