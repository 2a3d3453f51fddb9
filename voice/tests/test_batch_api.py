"""`/api/v1/call-batches…`: a batch made, filled, started, followed and stopped by a program."""

import pytest
from django.test import Client

from config.tests.test_url_guards import JUNK, JUNK_QUERIES
from crm.models import Contact
from tests.factories import bearer, make_account, make_campaign, make_contact, make_key
from voice import calls
from voice.models import CallBatch, Callee, PhoneCall
from voice.tests.batching import make_batch, make_people, started
from voice.tests.conftest import make_slots
from voice.tests.test_batches import killed_while_asking

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/api/v1/call-batches"


def post(client, path, **body):
    return client.post(path, body, content_type="application/json")


def patch(client, path, **body):
    return client.patch(path, body, content_type="application/json")


def test_a_program_makes_fills_looks_ahead_starts_and_follows_a_batch(api, twilio, account):
    make_slots(account)
    people = make_people(account, 3)
    made = post(api, PATH, name="Engineers", position="Engineer", calls_at_once=2)
    assert made.status_code == 201, made.content
    batch = made.json()["data"]
    assert (batch["state"], batch["progress"]["people"]) == ("draft", 0)
    one = f"{PATH}/{batch['id']}"
    added = post(api, f"{one}/people", contacts=[str(person.pk) for person in people])
    assert added.json()["data"] == {"added": 3}
    ahead = api.get(f"{one}/preview").json()["data"]
    assert (ahead["will_be_called"], ahead["words"]) == (3, "3 will be called now.")
    assert post(api, f"{one}/start").json()["data"]["state"] == "running"
    assert api.get(one).json()["data"]["progress"]["in_progress"] == 2
    for _call in range(3):
        calls.report(PhoneCall.objects.filter(status="active").first().pk, "busy")
    assert api.get(f"{one}/people?state=waiting").json()["data"][0]["outcome"] == "busy"


def test_everybody_who_agreed_is_added(api, account):
    make_people(account, 2)
    Contact.objects.create(account=account, name="Never asked")
    batch = make_batch(account)
    added = post(api, f"{PATH}/{batch.pk}/people", everybody_who_agreed=True)
    assert added.json()["data"] == {"added": 2}


@pytest.mark.parametrize("body", [{}, {"contacts": []}, {"contacts": ["x"]}, {"contacts": "x"}])
def test_people_that_are_none_are_refused(api, account, body):
    answer = post(api, f"{PATH}/{make_batch(account).pk}/people", **body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "VALIDATION_ERROR"


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": "x", "calls_at_once": 0}, {"name": "x", "calls_at_once": 21},
             {"name": "x", "pause_after": 0}, {"name": "x", "pause_after": "many"}]
)  # fmt: skip
def test_a_batch_that_makes_no_sense_is_refused(api, body):
    assert post(api, PATH, **body).status_code == 400
    assert not CallBatch.objects.exists()


def test_no_view_answers_500_to_junk(api, account):
    (person,) = make_people(account, 1)
    batch = make_batch(account, [person])
    one = f"{PATH}/{batch.pk}"
    decide = f"{one}/people/{Callee.objects.get().pk}/decide"
    for path in (PATH, f"{one}/people", decide, f"{one}/people/{'9' * 30}/decide"):
        for body, kind in JUNK:
            assert api.post(path, body, content_type=kind).status_code < 500, (path, body)
    for body, kind in JUNK:
        assert api.patch(one, body, content_type=kind).status_code < 500, body
    for query in JUNK_QUERIES:
        for path in (PATH, f"{one}/people"):
            assert api.get(f"{path}?{query}").status_code < 500, query


def test_moves_that_cannot_be_are_conflicts(api, twilio, account):
    empty, over = make_batch(account), make_batch(account, state="finished")
    for path in (f"{empty.pk}/start", f"{empty.pk}/pause", f"{empty.pk}/resume", f"{over.pk}/cancel"):
        assert post(api, f"{PATH}/{path}").status_code == 409, path
    assert api.delete(f"{PATH}/{over.pk}").status_code == 409
    assert patch(api, f"{PATH}/{over.pk}", calls_at_once=3).status_code == 409


def test_a_running_batch_is_made_slower_paused_resumed_and_cancelled(api, twilio, account):
    batch = make_batch(account, make_people(account, 3), calls_at_once=1)
    one = f"{PATH}/{batch.pk}"
    post(api, f"{one}/start")
    assert patch(api, one, calls_at_once=2).json()["data"]["calls_at_once"] == 2
    paused = post(api, f"{one}/pause").json()["data"]
    assert (paused["state"], paused["state_reason"]) == ("paused", "Paused by test.")
    assert post(api, f"{one}/resume").json()["data"]["state"] == "running"
    assert len(twilio.forms) == 2
    assert post(api, f"{one}/cancel").json()["data"]["progress"]["cancelled"] == 1


def test_a_draft_is_deleted(api, account):
    batch = make_batch(account, make_people(account, 1))
    assert api.delete(f"{PATH}/{batch.pk}").status_code == 204
    assert not Callee.objects.exists()


def test_what_nobody_knows_is_decided_by_a_person(api, twilio, account):
    batch = started(make_batch(account, make_people(account, 1)))
    killed_while_asking(batch)
    from voice.tests.batching import dial

    dial(batch)
    (unknown,) = api.get(f"{PATH}/{batch.pk}/people?state=unknown").json()["data"]
    decide = f"{PATH}/{batch.pk}/people/{unknown['id']}/decide"
    assert post(api, decide).status_code == 400
    assert post(api, decide, call_again=True).json()["data"]["state"] == "calling"
    assert post(api, decide, call_again=True).status_code == 409


def test_lists_are_paged_and_filtered_in_few_queries(api, twilio, account, django_assert_max_num_queries):
    for number in range(4):
        make_batch(account, name=f"Batch {number}", state="paused" if number else "draft")
    page = api.get(f"{PATH}?limit=2&state=paused").json()
    assert [row["name"] for row in page["data"]] == ["Batch 3", "Batch 2"]
    later = api.get(f"{PATH}?limit=2&state=paused&cursor={page['pagination']['next']}").json()
    assert [row["name"] for row in later["data"]] == ["Batch 1"]
    assert api.get(f"{PATH}?state=nowhere").status_code == 400
    with django_assert_max_num_queries(4):
        assert len(api.get(PATH).json()["data"]) == 4


def test_another_account_and_a_key_without_the_scope_see_nothing(api, account):
    batch = make_batch(account, make_people(account, 1))
    stranger = Client(headers=bearer(make_key(make_account("other"))))
    for path in (f"{PATH}/{batch.pk}", f"{PATH}/{batch.pk}/people", f"{PATH}/{batch.pk}/preview"):
        assert stranger.get(path).status_code == 404
    assert post(stranger, f"{PATH}/{batch.pk}/start").status_code == 404
    assert stranger.get(PATH).json()["data"] == []
    assert Client(headers=bearer(make_key(account, scopes=["knowledge"]))).get(PATH).status_code == 403


def test_people_of_another_account_are_not_added(api, account):
    theirs = make_contact(make_account("other"))
    answer = post(api, f"{PATH}/{make_batch(account).pk}/people", contacts=[str(theirs.pk)])
    assert answer.json()["data"] == {"added": 0}


def test_the_people_of_a_campaign_become_a_draft(api, account):
    campaign = make_campaign(account, people=3)
    replied = campaign.recipients.first()
    replied.next_at, replied.stopped_at, replied.stop_reason = None, replied.created_at, "replied"
    replied.save()
    path = f"/api/v1/campaigns/{campaign.pk}/call-batches"
    made = post(api, path)
    assert made.status_code == 201, made.content
    assert made.json()["data"]["progress"]["people"] == 2
    assert post(api, path, only_awaited=False).json()["data"]["progress"]["people"] == 3
    assert CallBatch.objects.first().origin == f"campaign:{campaign.pk}"
    empty = make_campaign(account, guide=campaign.guide)
    assert post(api, f"/api/v1/campaigns/{empty.pk}/call-batches").status_code == 409
    assert CallBatch.objects.count() == 2
