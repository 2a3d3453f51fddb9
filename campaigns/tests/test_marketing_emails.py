"""/emails…: the account's list, and what the account tells of it."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from campaigns.models import Campaign, Delivery, Recipient
from campaigns.standing import campaign_of
from config.api.marketing_words import EMAIL_WORDS
from tests.factories import bearer, make_account, make_key

pytestmark = pytest.mark.django_db
EMAIL = "ada@example.com"
NOW = "2026-11-20T17:25:31.186Z"


@pytest.fixture
def account():
    return make_account("acme")


@pytest.fixture
def api(account):
    return Client(headers=bearer(make_key(account)))


def add(api, email=EMAIL, **fields):
    body = {"user_id": "acme", "email": email, "created_at": NOW, "updated_at": NOW, **fields}
    return api.post("/emails", body, content_type="application/json")


def send(account, email=EMAIL, state="sent", **fields):
    """The invitation, as the sender would have left it."""
    person = Recipient.objects.get(contact__addresses__value=email)
    Recipient.objects.filter(pk=person.pk).update(state="invited", emails_sent=1, last_sent_at=timezone.now())
    return Delivery.objects.create(
        account=account,
        contact=person.contact,
        campaign=person.campaign,
        recipient=person,
        purpose="invitation",
        key=f"invitation:{person.campaign_id}:{person.contact_id}",
        to_email=email,
        state=state,
        **fields,
    )


def read(api, email=EMAIL):
    rows = api.get("/emails/acme").json()
    return next(row for row in rows if row["email"] == email)


def change(api, method, path, body):
    return getattr(api, method)(path, body, content_type="application/json")


def upload(api, content, name="people.csv"):
    file = SimpleUploadedFile(name, content, "text/csv")
    return api.post("/emails/upload-csv?user_id=acme", {"file": file})


def test_an_address_is_put_on_the_list(api):
    record = add(api).json()

    assert (record["user_id"], record["email"], record["status"]) == ("acme", EMAIL, "pending")
    assert (record["follow_up_count"], record["last_sent_at"], record["error_message"]) == (0, None, None)
    assert record["created_at"] == NOW.replace(".186Z", ".186000Z")
    assert Campaign.objects.get().is_standing


def test_put_there_twice_in_any_case_it_is_there_once(api):
    add(api)
    assert add(api, email="Ada@Example.COM").status_code == 200
    assert [row["email"] for row in api.get("/emails/acme").json()] == [EMAIL]


def test_what_is_no_address_is_a_422(api):
    refused = add(api, email="not an address")
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["loc"] == ["body", "email"]


def test_the_list_of_an_account_without_people_is_an_empty_array(api):
    assert api.get("/emails/acme").json() == []


def test_a_long_list_goes_on_by_its_link_header(api):
    for name in ("ada", "bo", "cy"):
        add(api, email=f"{name}@example.com")
    first = api.get("/emails/acme?limit=2")
    link = first.headers["Link"].partition(">")[0].removeprefix("<http://testserver")
    second = api.get(link)

    assert [row["email"] for row in first.json()] == ["ada@example.com", "bo@example.com"]
    assert [row["email"] for row in second.json()] == ["cy@example.com"]
    assert "Link" not in second.headers


def test_the_list_costs_the_same_queries_however_long_it_is(api, account, django_assert_num_queries):
    def queries():
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as found:
            api.get("/emails/acme")
        return len(found)

    add(api)
    send(account)
    few = queries()
    for number in range(8):
        add(api, email=f"p{number}@example.com")
    assert queries() == few


@pytest.mark.parametrize(
    ("state", "word"), [("queued", "pending"), ("sent", "sent"), ("failed", "failed"), ("unknown", "failed")]
)
def test_the_latest_email_gives_the_word(api, account, state, word):
    add(api)
    send(account, state=state, last_reply="550 no such user")
    assert read(api)["status"] == word
    assert read(api)["error_message"] == ("550 no such user" if word == "failed" else None)


# --- what the account tells us ----------------------------------------------------------------


@pytest.mark.parametrize("word", sorted({*EMAIL_WORDS} - {"pending"}))
def test_a_status_may_be_told_as_json_or_in_the_query(api, word):
    add(api)
    as_json = change(api, "put", f"/emails/acme/{EMAIL}/status", {"status": word, "error_message": "x"})
    as_query = api.put(f"/emails/acme/{EMAIL}/status?status={word}")

    for answer in (as_json, as_query):
        assert answer.status_code == 200
        assert answer.json()["status"] == answer.json()["updated_record"]["status"] == word
    assert read(api)["status"] == word


def test_an_unknown_status_is_a_422_and_an_unknown_address_a_404(api):
    add(api)
    assert change(api, "put", f"/emails/acme/{EMAIL}/status", {"status": "great"}).status_code == 422
    assert change(api, "put", "/emails/acme/bo@example.com/status", {"status": "sent"}).status_code == 404


def test_the_same_status_again_is_no_error(api):
    add(api)
    for _ in range(2):
        assert change(api, "put", f"/emails/acme/{EMAIL}/status", {"status": "opened"}).status_code == 200


def test_an_error_stays_until_a_good_status_comes(api):
    add(api)
    path = f"/emails/acme/{EMAIL}/status"
    change(api, "put", path, {"status": "failed", "error_message": "mailbox full"})
    change(api, "put", path, {"status": "bounced"})
    assert read(api)["error_message"] == "mailbox full"
    change(api, "put", path, {"status": "delivered"})
    assert read(api)["error_message"] is None


def test_pending_tries_an_exhausted_person_again_from_the_beginning(api, account):
    add(api)
    send(account)
    Recipient.objects.update(stopped_at=timezone.now(), stop_reason="max_emails", next_at=None)
    assert read(api)["status"] == "exhausted"
    change(api, "put", f"/emails/acme/{EMAIL}/status", {"status": "pending"})

    again = read(api)
    assert (again["status"], again["follow_up_count"], again["error_message"]) == ("pending", 0, None)
    person = Recipient.objects.get()
    assert (person.state, person.next_step, person.stop_reason) == ("waiting", 0, "")


def test_pending_tries_a_person_again_however_often_it_is_said(api, account):
    add(api)
    for number in range(1, 8):
        send(account)
        answer = change(api, "put", f"/emails/acme/{EMAIL}/status", {"status": "pending"})
        assert (answer.status_code, answer.json()["status"]) == (200, "pending"), number
    keys = Delivery.objects.values_list("key", flat=True)
    assert len(set(keys)) == 7
    assert max(map(len, keys)) <= 120


def test_pending_leaves_an_email_under_way_alone(api, account):
    add(api)
    send(account, state="queued")
    change(api, "put", f"/emails/acme/{EMAIL}/status", {"status": "pending"})
    assert Recipient.objects.get().state == "invited"


def test_exhausted_and_bounced_stop_the_emails(api, account):
    add(api)
    delivery = send(account, state="queued")
    change(api, "put", f"/emails/acme/{EMAIL}/status", {"status": "bounced"})
    delivery.refresh_from_db()
    assert (delivery.state, Recipient.objects.get().stop_reason) == ("cancelled", "bounced")


def test_a_patch_corrects_what_is_counted(api):
    add(api)
    answer = change(
        api, "patch", f"/emails/acme/{EMAIL}", {"follow_up_count": 2, "last_sent_at": NOW, "other": 1}
    ).json()

    assert answer["updated_fields"]["follow_up_count"] == 2
    assert set(answer["updated_fields"]) == {"follow_up_count", "last_sent_at", "updated_at"}
    assert answer["updated_record"]["last_sent_at"].startswith("2026-11-20T17:25:31")


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"other": 1}, 400), ({"follow_up_count": "many"}, 422), ({"last_sent_at": "soon"}, 422)],
)
def test_a_patch_that_says_nothing_or_nonsense_is_refused(api, body, status):
    add(api)
    assert change(api, "patch", f"/emails/acme/{EMAIL}", body).status_code == status


def test_a_patch_of_nobody_is_a_404(api):
    assert change(api, "patch", f"/emails/acme/{EMAIL}", {"status": "sent"}).status_code == 404


# --- taken off --------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_person_taken_off_the_list_takes_their_interview_along(api):
    add(api)
    api.post("/interview/start", {"user_id": "acme", "email": EMAIL}, content_type="application/json")
    gone = api.delete(f"/emails/acme/{EMAIL}").json()

    assert gone["deleted_counts"] == {"emails": 1, "interviews": 1, "email_contents": 0}
    assert gone["total_records_deleted"] == 2
    assert api.get("/emails/acme").json() == []
    assert api.get(f"/interview/status/acme/{EMAIL}").json() == {"status": "not started"}
    assert api.delete(f"/emails/acme/{EMAIL}").status_code == 404


# --- files ------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_file_is_read_with_its_mark_its_spaces_and_its_bad_rows(api):
    add(api)
    rows = ["Name, Email ", "Ada,ada@example.com", '"Bo, 2nd",bo@example.com', "Cy,no", "Bo,BO@example.com"]
    answer = upload(api, b"\xef\xbb\xbf" + "\r\n".join(rows).encode()).json()

    assert answer["message"].startswith("1 emails added")
    assert (answer["added"], answer["skipped"], answer["invalid"]) == (1, 2, 1)
    assert {error["line"] for error in answer["errors"]} >= {4}
    assert len(api.get("/emails/acme").json()) == 2


@pytest.mark.parametrize("content", [b"", b"name\nAda\n", b"\x00\x01", b"email\n"])
def test_a_file_without_an_email_column_is_a_400_and_not_a_500(api, content):
    answer = upload(api, content)
    assert answer.status_code == (422 if content == b"" else 400)
    assert answer.json()["detail"]


def test_a_file_that_is_too_large_is_a_413(api, monkeypatch):
    monkeypatch.setattr("campaigns.csv_reading.MAX_BYTES", 10)
    assert upload(api, b"email\nada@example.com\n").status_code == 413


# --- who may ----------------------------------------------------------------------------------

CALLS = [
    ("post", "/emails"),
    ("get", "/emails/acme"),
    ("delete", f"/emails/acme/{EMAIL}"),
    ("patch", f"/emails/acme/{EMAIL}"),
    ("put", f"/emails/acme/{EMAIL}/status"),
]


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_another_account_is_told_404(api, method, path):
    add(api)
    stranger = Client(headers=bearer(make_key(make_account("other"))))
    body = {"user_id": "acme", "email": EMAIL, "created_at": NOW, "updated_at": NOW, "status": "sent"}
    answer = stranger.get(path) if method == "get" else change(stranger, method, path, body)
    assert answer.status_code == 404
    assert read(api)["status"] == "pending"


def test_a_file_for_another_account_is_a_404(api):
    stranger = Client(headers=bearer(make_key(make_account("other"))))
    campaign_of(make_account("acme"))
    assert upload(stranger, b"email\nada@example.com\n").status_code == 404


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_without_a_key_it_is_401(method, path):
    assert getattr(Client(), method)(path).status_code == 401


def test_a_browser_may_send_a_patch(settings):
    settings.CORS_ALLOWED_ORIGINS = ["http://localhost:3000"]
    asked = Client().options(
        f"/emails/acme/{EMAIL}",
        headers={"Origin": "http://localhost:3000", "Access-Control-Request-Method": "PATCH"},
    )
    assert asked.status_code == 200
    assert "PATCH" in asked.headers["Access-Control-Allow-Methods"]
    assert asked.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
