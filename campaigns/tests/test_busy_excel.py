"""One web process reads only so many Excel files at once; who comes meanwhile is told, not kept waiting."""

import threading

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from campaigns import excel
from campaigns.models import ContactImport
from campaigns.tests.test_reading_files import BAD_EXCEL, PEOPLE, workbook
from tests.factories import bearer, make_account, make_campaign, make_key

pytestmark = pytest.mark.django_db
BOOK = workbook(("People", PEOPLE))


@pytest.fixture
def turn(monkeypatch):
    """The only turn there is, taken until the test gives it back."""
    turn = threading.BoundedSemaphore(1)
    monkeypatch.setattr(excel, "_free", turn)
    turn.acquire()
    return turn


def people(content=BOOK, name="people.xlsx"):
    return {"file": SimpleUploadedFile(name, content)}


def send(client, path, content=BOOK, **fields):
    return client.post(path, {**people(content), **fields}, headers=bearer(make_key()))


@pytest.mark.parametrize("fields", [{}, {"dry_run": "true"}])
def test_the_api_says_when_to_come_again_and_then_takes_the_file(client, turn, fields):
    path = f"/api/v1/campaigns/{make_campaign().pk}/import"
    answer = send(client, path, **fields)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, str(excel.COME_AGAIN_SECONDS))
    assert not ContactImport.objects.exists()
    assert send(client, path, b"email\nada@example.com\n", **fields).status_code in (200, 202)
    turn.release()
    assert send(client, path, **fields).status_code in (200, 202)


def test_so_does_the_documented_upload(client, turn):
    path = f"/emails/upload-csv?user_id={make_account().slug}"
    answer = send(client, path)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, str(excel.COME_AGAIN_SECONDS))
    turn.release()
    assert send(client, path).json()["added"] == 1


def test_staff_read_it_on_the_page(admin_client, turn):
    path = reverse("admin:campaigns_campaign_import", args=[make_campaign().pk])
    answer = admin_client.post(path, people())
    assert answer.status_code == 503
    assert "Send it again in a minute" in answer.content.decode()
    turn.release()
    assert admin_client.post(path, people()).status_code == 302


def test_a_file_that_is_refused_gives_its_turn_back(turn):
    turn.release()
    for _time in range(2):
        with pytest.raises(excel.ExcelRefusedError):
            excel.sheet_of(BAD_EXCEL["another zip"])
