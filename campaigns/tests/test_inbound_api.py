"""What arrived and threads over the API: the account's own, page by page, nothing of strangers."""

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns.models import InboundEmail
from tests.factories import bearer, make_account, make_contact, make_key

pytestmark = pytest.mark.django_db


def arrived(contact, number=1, **fields):
    given = {"kind": "reply", "state": "done", "source": "imap", "text": f"Text {number}", **fields}
    return InboundEmail.objects.create(
        account=contact.account,
        contact=contact,
        from_email=contact.addresses.get().value,
        digest=f"{contact.pk}{number}"[:64],
        received_at=timezone.now() - timedelta(minutes=number),
        raw="secret as it came",
        **given,
    )


def get(client, path, account=None):
    return client.get(f"/api/v1/{path}", headers=bearer(make_key(account)))


def test_the_list_is_newest_first_and_pages_by_keyset(client):
    contact = make_contact()
    for number in range(5):
        arrived(contact, number)
    first = get(client, "inbound-emails?limit=3").json()
    assert [row["text"] for row in first["data"]] == ["Text 0", "Text 1", "Text 2"]
    rest = get(client, f"inbound-emails?limit=3&cursor={first['pagination']['next']}").json()
    assert [row["text"] for row in rest["data"]] == ["Text 3", "Text 4"]


def test_it_is_filtered_by_kind_and_contact(client):
    ada, grace = make_contact(), make_contact()
    arrived(ada, kind="bounce")
    arrived(grace)
    assert len(get(client, "inbound-emails?kind=bounce").json()["data"]) == 1
    assert get(client, f"inbound-emails?contact={grace.pk}").json()["data"][0]["contact"] == str(grace.pk)
    assert get(client, "inbound-emails?kind=joke").status_code == 400
    assert get(client, "inbound-emails?contact=x").status_code == 400


def test_one_is_read_and_never_as_it_came(client):
    email = arrived(make_contact())
    response = get(client, f"inbound-emails/{email.pk}")
    assert response.json()["data"]["text"] == "Text 1"
    assert "secret as it came" not in response.content.decode()


def test_a_stranger_finds_nothing(client):
    contact = make_contact()
    email = arrived(contact)
    other = make_account("other")
    assert get(client, "inbound-emails", other).json()["data"] == []
    assert get(client, f"inbound-emails/{email.pk}", other).status_code == 404
    assert get(client, f"email-threads/{contact.pk}", other).status_code == 404
    assert get(client, f"inbound-emails?contact={contact.pk}", other).json()["data"] == []


def test_a_thread_holds_what_arrived(client):
    contact = make_contact()
    arrived(contact)
    data = get(client, f"email-threads/{contact.pk}").json()["data"]
    assert data["email"] == contact.addresses.get().value
    assert [(one["direction"], one["text"], one["state"]) for one in data["emails"]] == [
        ("in", "Text 1", "reply")
    ]


def test_a_long_list_takes_as_many_queries_as_a_short_one(client, django_assert_max_num_queries):
    contact = make_contact()
    key = make_key()
    for number in range(20):
        arrived(contact, number)
    with django_assert_max_num_queries(6):
        client.get("/api/v1/inbound-emails", headers=bearer(key))
