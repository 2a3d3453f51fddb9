"""Uploads in a real S3 API: private, presigned for a while, named by key or by any presigned address."""

import urllib.error
import urllib.request
import uuid

import boto3
import pytest
from django.core.files.storage import default_storage
from moto.server import ThreadedMotoServer

from crm import media, media_unused
from crm.media import MediaRefused
from crm.models import MediaFile
from crm.tests.media_samples import picture
from tests.factories import make_contact

pytestmark = pytest.mark.django_db
CREDENTIALS = {"access_key": "test", "secret_key": "test", "region_name": "us-east-1"}


@pytest.fixture(scope="module")
def endpoint():
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def bucket(settings, endpoint):
    name = f"media-{uuid.uuid4()}"
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket=name)
    client.close()
    options = {"bucket_name": name, "endpoint_url": endpoint, "querystring_auth": True, **CREDENTIALS}
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "config.storage.PatientS3Storage", "OPTIONS": options},
    }
    return name


@pytest.fixture
def ada():
    return make_contact(email="ada@example.com")


@pytest.fixture
def row(ada):
    return media.stored(ada, picture(), "image", filename="a.jpg")


def test_the_address_opens_it_with_its_type_and_nothing_else_does(row):
    url = media.url_of(row)
    assert "X-Amz-Expires=900" in url
    with urllib.request.urlopen(url) as answer:
        assert answer.headers["Content-Type"] == "image/jpeg"
        assert answer.headers["Content-Disposition"].startswith("inline")
        assert len(answer.read()) == row.size_bytes


def test_a_presigned_address_names_the_file(ada, row):
    assert media.claimed(ada, [media.url_of(row)], "image") == [row]


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace("http://", "http://evil."),
        lambda url: url.replace("/media/", "/other/media/"),
        lambda url: "https://example.com/" + url.partition("/media-")[2],
    ],
)
def test_an_address_elsewhere_with_that_key_in_it_does_not(ada, row, change):
    with pytest.raises(MediaRefused):
        media.claimed(ada, [change(media.url_of(row))], "image")


def test_nobody_names_anothers_by_its_address(row):
    with pytest.raises(MediaRefused):
        media.claimed(make_contact(email="b@example.com"), [media.url_of(row)], "image")


def test_a_model_gets_the_bytes(row):
    [shown] = media.pictures_of([row])
    assert len(shown.data) == row.size_bytes


def test_removal_removes_the_object(row):
    MediaFile.objects.update(unused_after=row.created_at)
    assert media_unused.remove() == 1
    assert not default_storage.exists(row.file.name)
