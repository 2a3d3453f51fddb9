"""Users of the CRM API: the documented fields, nobody twice, and nobody else's."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test.client import encode_multipart
from django.test.utils import CaptureQueriesContext

from config.api.models import AuditEntry
from crm import contacts, erasure, sessions
from crm.models import Contact, ContactAddress
from tests.factories import bearer, make_account, make_contact, make_conversation, make_key

pytestmark = pytest.mark.django_db

JOHN = {
    "name": "John Doe",
    "email": "john@example.com",
    "phone": "+1234567890",
    "company": "Acme Corp",
    "role": "Manager",
}


@pytest.fixture
def owner():
    return bearer(make_key())


@pytest.fixture
def stranger():
    return bearer(make_key(make_account("other")))


def create(client, headers, **fields):
    return client.post("/crm/create_user", fields, content_type="application/json", headers=headers)


def update(client, headers, contact_id, **fields):
    url = f"/crm/update_user/{contact_id}"
    return client.put(url, fields, content_type="application/json", headers=headers)


def test_the_documented_request_makes_a_user(client, owner):
    response = create(client, owner, **JOHN)
    body = response.json()
    assert response.status_code == 200
    assert {key: body["data"][key] for key in JOHN} == JOHN
    assert body["data"]["preferences"] == {}
    assert body["data"]["is_active"] is True
    assert body["data"]["created_at"].endswith("Z")


def test_the_envelope_serves_both_kinds_of_clients(client, owner):
    body = create(client, owner, **JOHN).json()
    assert set(body) == {"success", "message", "data", "error", "timestamp", "metadata"}
    assert (body["success"], body["error"], body["message"]) == (True, None, "User created successfully")
    assert {"response_time", "timestamp", "request_id", "api_version", "processing_details"} == set(
        body["metadata"]
    )
    assert body["metadata"]["processing_details"]["database_queries"] > 0


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "name"),
        ({"name": "John", "email": ""}, "email"),
        ({"name": "John"}, "email"),
        ({"name": "", "email": "john@example.com"}, "name"),
        ({"name": "John", "email": "not-an-email"}, "email"),
        ({"name": "J" * 201, "email": "john@example.com"}, "name"),
        ({"name": "John", "email": "john@example.com", "phone": "call me"}, "phone"),
        ({"name": "John", "email": "john@example.com", "company": "x" * 201}, "company"),
        ({"name": "John", "email": "john@example.com", "role": ["x"]}, "role"),
        ({"name": "John", "email": "john@example.com", "preferences": []}, "preferences"),
        ({"name": "John", "email": "john@example.com", "preferences": "dark"}, "preferences"),
        ({"name": "John", "email": "john@example.com", "preferences": {"a": "x" * 20_000}}, "preferences"),
        (
            {"name": "John", "email": "john@example.com", "preferences": {"a": [{"b": [{"c": [[1]]}]}]}},
            "preferences",
        ),
    ],
)
def test_what_is_wrong_with_a_user_is_named(client, owner, fields, field):
    response = create(client, owner, **fields)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["field"]) == (400, "VALIDATION_ERROR", field)
    assert not Contact.objects.exists()


def test_preferences_are_kept_as_they_are(client, owner):
    wishes = {"theme": "dark", "topics": ["a", {"b": 1}], "n": None}
    assert create(client, owner, **JOHN, preferences=wishes).json()["data"]["preferences"] == wishes


@pytest.mark.parametrize(
    ("field", "again"),
    [
        ("email", {"email": " JOHN@Example.COM "}),
        ("phone", {"email": "jo@example.com", "phone": "+1 234 567-890"}),
    ],
)
def test_a_duplicate_is_a_409_that_names_the_user(client, owner, field, again):
    first = create(client, owner, **JOHN).json()["data"]
    response = create(client, owner, **{**JOHN, "phone": None, **again})
    assert response.status_code == 409
    assert response.json()["error"]["code"] == "CONFLICT"
    assert response.json()["error"]["details"] == {
        "field": field,
        "id": first["id"],
        "contact_id": first["id"],
    }
    assert Contact.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_makes_the_user(client):
    account = make_account()

    def make(number):
        try:
            return contacts.create(account, name=f"John {number}", email="john@example.com").pk
        except contacts.AddressTaken as error:
            return error.contact.pk
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(make, range(12)))) == 1
    assert Contact.objects.count() == 1


def test_the_same_email_in_another_account_is_another_user(client, owner, stranger):
    assert create(client, owner, **JOHN).status_code == 200
    assert create(client, stranger, **JOHN).status_code == 200


def test_a_user_is_read_with_figures(client, owner):
    contact = make_contact()
    make_conversation(contact, last_seq=3)
    make_conversation(contact, last_seq=4)
    stats = client.get(f"/crm/users/{contact.pk}", headers=owner).json()["data"]["stats"]
    assert (stats["total_conversations"], stats["total_messages"]) == (2, 7)
    assert stats["last_active"].endswith("Z")


def test_a_user_without_talks_has_empty_figures(client, owner):
    stats = client.get(f"/crm/users/{make_contact().pk}", headers=owner).json()["data"]["stats"]
    assert stats == {"total_conversations": 0, "total_messages": 0, "last_active": None}


def test_a_user_is_found_by_the_callers_own_id(client, owner):
    contact, _ = contacts.resolve(make_account(), external_id="user123", email="jo@example.com")
    for user_id in ("user123", contact.pk):
        data = client.get(f"/crm/users/{user_id}", headers=owner).json()["data"]
        assert (data["id"], data["contact_id"]) == ("user123", str(contact.pk))


def test_an_unknown_user_is_named_in_the_404(client, owner):
    response = client.get("/crm/users/user123", headers=owner)
    error = response.json()["error"]
    assert (response.status_code, error["message"]) == (404, "User not found")
    assert error["details"] == "User with ID 'user123' does not exist"


def test_statistics_have_the_names_that_both_clients_read(client, owner):
    contact = make_contact()
    talk = make_conversation(contact, last_seq=5, title="Prices")
    data = client.get(f"/crm/users/{contact.pk}/stats", headers=owner).json()["data"]
    assert (data["conversation_count"], data["total_conversations"]) == (1, 1)
    assert (data["message_count"], data["total_messages"]) == (5, 5)
    assert data["last_activity"] == data["last_active"]
    assert data["last_conversation"]["id"] == str(talk.pk)


def test_a_user_is_found_by_email_in_any_spelling(client, owner):
    contact = make_contact(email="ada@example.com")
    assert client.get("/crm/users/find/ADA@example.com", headers=owner).json()["data"]["id"] == str(
        contact.pk
    )
    assert client.get("/crm/users/find/nobody@example.com", headers=owner).status_code == 404
    assert client.get("/crm/users/find/nobody", headers=owner).status_code == 400


def test_users_are_listed_with_both_forms_of_totals(client, owner):
    made = [make_contact() for _ in range(3)]
    make_contact(make_account("other"))
    body = client.get("/crm/users?page=1&per_page=2", headers=owner).json()
    assert [user["id"] for user in body["data"]] == [str(made[2].pk), str(made[1].pk)]
    flat = {"total": 3, "page": 1, "per_page": 2, "pages": 2}
    assert {key: body[key] for key in flat} == flat
    assert flat.items() <= body["pagination"].items()


def test_the_pages_and_the_cursor_go_through_all_users(client, owner):
    made = {str(make_contact().pk) for _ in range(5)}
    by_page = {
        user["id"]
        for page in (1, 2, 3)
        for user in client.get(f"/crm/users?page={page}&per_page=2", headers=owner).json()["data"]
    }
    by_cursor, cursor = [], ""
    while cursor is not None:
        body = client.get(f"/crm/users?per_page=2&cursor={cursor}", headers=owner).json()
        by_cursor += [user["id"] for user in body["data"]]
        cursor = body["pagination"]["next"]
    assert by_page == set(by_cursor) == made
    assert len(by_cursor) == 5


def test_an_empty_list_has_no_pages(client, owner):
    body = client.get("/crm/users", headers=owner).json()
    assert (body["data"], body["total"], body["pages"], body["per_page"]) == ([], 0, 0, 10)


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=x",
        "per_page=0",
        "per_page=101",
        "page=9999&per_page=100",
        "cursor=x",
        "active_only=maybe",
        "email=x",
        "phone=x",
        "q=" + "x" * 300,
        "company=" + "x" * 300,
    ],
)
def test_a_query_that_makes_no_sense_is_a_400(client, owner, query):
    response = client.get(f"/crm/users?{query}", headers=owner)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
    assert response.json()["error"]["field"] == query.split("=")[0]


@pytest.mark.parametrize(
    "query",
    [
        "email=ADA@example.com",
        "phone=%2B1%20202%20555%200143",
        "phone=+12025550143",
        "company=ENGINES",
        "role=nurse",
        "q=lovel",
    ],
)
def test_users_are_narrowed_down(client, owner, query):
    ada, _ = contacts.resolve(
        make_account(),
        email="ada@example.com",
        phone="+12025550143",
        name="Ada Lovelace",
        company="Engines",
        role="Nurse",
    )
    make_contact(name="Bob", company="Engines Ltd", role="Nurse in chief")
    body = client.get(f"/crm/users?{query}", headers=owner).json()
    assert [user["id"] for user in body["data"]] == [str(ada.pk)]
    assert body["total"] == 1


@pytest.mark.parametrize("text", ["%", "_", "A%e", "d_a"])
def test_wildcards_stand_for_nothing(client, owner, text):
    make_contact(name="Ada")
    assert client.get("/crm/users", {"q": text}, headers=owner).json()["total"] == 0


def test_deactivated_users_are_listed_only_when_asked_for(client, owner):
    contact = make_contact()
    assert client.delete(f"/crm/users/{contact.pk}", headers=owner).json()["success"] is True
    assert client.get("/crm/users", headers=owner).json()["data"] == []
    (user,) = client.get("/crm/users?active_only=false", headers=owner).json()["data"]
    assert (user["id"], user["is_active"]) == (str(contact.pk), False)


def test_a_deactivated_user_comes_back(client, owner):
    contact = make_contact()
    contacts.deactivate(contact)
    assert update(client, owner, contact.pk, is_active=True).json()["data"]["is_active"] is True


def test_sessions_do_not_come_back_with_a_user(client, owner):
    contact = make_contact()
    _session, token = sessions.begin(contact)
    for is_active in (False, True):
        update(client, owner, contact.pk, is_active=is_active)
    assert sessions.session_for_token(token) is None


def test_an_erased_user_is_not_there(client, owner):
    contact = make_contact()
    erasure.run(erasure.request(contact).pk)
    assert client.get(f"/crm/users/{contact.pk}", headers=owner).status_code == 404
    assert update(client, owner, contact.pk, name="Back").status_code == 404


def test_what_is_not_named_stays_and_null_takes_away(client, owner):
    made = create(client, owner, **JOHN, preferences={"theme": "dark"}).json()["data"]
    changed = update(client, owner, made["id"], company="New Corp", phone=None, role=None, preferences=None)
    data = changed.json()["data"]
    assert (data["name"], data["email"], data["company"]) == ("John Doe", "john@example.com", "New Corp")
    assert (data["phone"], data["role"], data["preferences"]) == (None, None, {})
    assert AuditEntry.objects.get(action="changed contact").detail == {
        "fields": ["company", "phone", "preferences", "role"]
    }


def test_what_was_read_can_be_sent_back(client, owner):
    """Somebody whom a chat made has no name and no email."""
    contacts.resolve(make_account(), external_id="user123")
    read = client.get("/crm/users/user123", headers=owner).json()["data"]
    assert (read["name"], read["email"]) == ("", None)
    sent = {**read, "company": "New Corp"}
    answer = client.put("/crm/update_user/user123", sent, content_type="application/json", headers=owner)
    assert answer.status_code == 200, answer.json()
    kept = {name: value for name, value in read.items() if name not in ("updated_at", "stats")}
    assert answer.json()["data"].items() >= {**kept, "company": "New Corp"}.items()
    assert AuditEntry.objects.get(action="changed contact").detail == {"fields": ["company"]}


def test_a_form_changes_a_user_too(client, owner):
    contact = make_contact()
    body = encode_multipart("x", {"company": "New Corp", "is_active": "true"})
    kind = "multipart/form-data; boundary=x"
    answer = client.put(f"/crm/update_user/{contact.pk}", body, content_type=kind, headers=owner)
    data = answer.json()["data"]
    assert (data["company"], data["is_active"]) == ("New Corp", True)


def test_a_new_email_replaces_the_old_one_and_is_not_yet_verified(client, owner):
    contact = make_contact(email="old@example.com")
    ContactAddress.objects.update(is_verified=True)
    assert (
        update(client, owner, contact.pk, email="New@Example.com").json()["data"]["email"]
        == "new@example.com"
    )
    address = ContactAddress.objects.get()
    assert (address.value, address.is_primary, address.is_verified) == ("new@example.com", True, False)


def test_an_address_they_have_already_becomes_the_first(client, owner):
    contact = make_contact(email="one@example.com")
    contacts.resolve(contact.account, email="one@example.com", phone="+12025550143")
    ContactAddress.objects.create(
        account=contact.account, contact=contact, kind="email", value="two@example.com"
    )
    update(client, owner, contact.pk, email="two@example.com")
    rows = ContactAddress.objects.filter(kind="email").values_list("value", "is_primary")
    assert set(rows) == {("one@example.com", False), ("two@example.com", True)}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": None}, "name"),
        ({"email": None}, "email"),
        ({"email": "x"}, "email"),
        ({"is_active": 7}, "is_active"),
    ],
)
def test_a_change_that_makes_no_sense_is_named(client, owner, fields, field):
    response = update(client, owner, make_contact().pk, **fields)
    assert (response.status_code, response.json()["error"]["field"]) == (400, field)


def test_an_address_of_somebody_else_is_not_taken_over(client, owner):
    ada, bob = make_contact(email="ada@example.com"), make_contact(email="bob@example.com", name="Bob")
    response = update(client, owner, bob.pk, email="ada@example.com", name="Changed")
    assert response.status_code == 409
    assert response.json()["error"]["details"]["id"] == str(ada.pk)
    bob.refresh_from_db()
    assert bob.name == "Bob"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/crm/users/{}"),
        ("get", "/crm/users/{}/stats"),
        ("delete", "/crm/users/{}"),
        ("put", "/crm/update_user/{}"),
    ],
)
def test_a_stranger_gets_404_of_a_user(client, stranger, method, path):
    contact = make_contact()
    response = getattr(client, method)(path.format(contact.pk), headers=stranger)
    assert response.status_code == 404
    contact.refresh_from_db()
    assert contact.is_active


def test_a_stranger_finds_nobody(client, stranger):
    make_contact(email="ada@example.com")
    assert client.get("/crm/users/find/ada@example.com", headers=stranger).status_code == 404
    assert client.get("/crm/users?email=ada@example.com", headers=stranger).json()["total"] == 0


@pytest.mark.parametrize(
    "path", ["/crm/users", "/crm/users/x", "/crm/users/x/stats", "/crm/users/find/a@b.de"]
)
def test_nobody_reads_users_without_a_key_or_its_scope(client, path):
    assert client.get(path).status_code == 401
    assert client.get(path, headers=bearer(make_key(scopes=["knowledge"]))).status_code == 403


def test_a_list_costs_the_same_for_one_and_for_many(client, owner):
    make_contact()
    client.get("/crm/users", headers=owner)
    with CaptureQueriesContext(connection) as one:
        client.get("/crm/users", headers=owner)
    for _ in range(9):
        make_contact()
    with CaptureQueriesContext(connection) as ten:
        assert len(client.get("/crm/users", headers=owner).json()["data"]) == 10
    assert len(ten) <= len(one) <= 4


def test_an_address_of_another_contact_is_a_sign_that_they_are_one(client):
    from crm.models import ContactMerge

    account = make_account()
    contacts.resolve(account, email="ada@example.com", phone="+12025550143")
    contacts.resolve(account, email="ada@home.example", phone="")
    contacts.resolve(account, email="ada@home.example", phone="+12025550143")
    assert ContactMerge.objects.get().reasons == ["address"]
