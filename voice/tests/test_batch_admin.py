"""Call batches in the admin: made, filled by a pasted list, looked ahead at, moved, decided about."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from config.api.models import AuditEntry
from config.tests.test_url_guards import JUNK
from tests.factories import make_campaign
from voice import batch_lists
from voice.models import CallBatch, Callee, PhoneCall
from voice.tests.batching import dial, make_batch, make_people, started
from voice.tests.test_batches import killed_while_asking

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def operator():
    client = Client()
    client.force_login(User.objects.create_superuser("operator"))
    return client


def at(name, *args):
    return reverse(f"admin:voice_{name}", args=args)


def test_staff_make_a_batch_and_paste_people_into_it(operator, account):
    ada, bob, cleo = make_people(account, 3)
    form = {"account": account.pk, "name": "Engineers", "company": "", "position": "Engineer"}
    operator.post(at("callbatch_add"), {**form, "calls_at_once": 2, "pause_after": 3})
    batch = CallBatch.objects.get()
    assert (batch.state, batch.created_by) == ("draft", "operator")
    email = ada.addresses.get(kind="email").value
    text = f"{email}\n +49 151 12300001 \n{cleo.pk}\nnobody@example.com\nnonsense\n"
    page = operator.post(at("callbatch_people", batch.pk), {"people": text}, follow=True).content.decode()
    assert {one.contact for one in batch.people.all()} == {ada, bob, cleo}
    assert "2 lines name nobody: nobody@example.com, nonsense" in page


def test_a_long_list_is_read_in_as_many_queries_as_a_short_one(account, django_assert_num_queries):
    people = make_people(account, 12)
    lines = [person.addresses.get(kind="phone").value for person in people]
    for chosen in (1, 11):
        text = "\n".join([str(people[-1].pk), *lines[:chosen]])
        with django_assert_num_queries(3):
            found = batch_lists.named(account, text)
            assert len(found.people) == chosen + 1


def test_a_move_says_first_whom_it_touches(operator, twilio, account):
    batch = make_batch(account, make_people(account, 2), calls_at_once=1)
    path = at("callbatch_move", batch.pk, "start")
    assert b"2 will be called now." in operator.get(path).content
    assert twilio.forms == []
    operator.post(path)
    page = operator.get(at("callbatch_change", batch.pk)).content.decode()
    assert "Pause" in page
    assert AuditEntry.objects.filter(action="started call batch", actor="operator").exists()
    figures = operator.get(at("callbatch_progress", batch.pk)).json()
    assert (figures["state"], figures["in_progress"], figures["waiting"]) == ("running", 1, 1)
    operator.post(at("callbatch_move", batch.pk, "pause"))
    assert (
        b"1 person waits. 1 call in progress goes on."
        in operator.get(at("callbatch_move", batch.pk, "cancel")).content
    )
    operator.post(at("callbatch_move", batch.pk, "cancel"))
    batch.refresh_from_db()
    assert batch.state == "cancelled"
    assert operator.post(at("callbatch_move", batch.pk, "start"), follow=True).status_code == 200


def test_staff_decide_about_unknown_calls(operator, twilio, account):
    batch = started(make_batch(account, make_people(account, 1)))
    killed_while_asking(batch)
    dial(batch)
    assert b"Nobody knows whether these phones rang" in operator.get(at("callbatch_change", batch.pk)).content
    data = {"action": "leave_it", "_selected_action": [Callee.objects.get().pk]}
    operator.post(at("callee_changelist"), data)
    assert Callee.objects.get().state == "done"


def test_the_lists_ask_as_often_for_many_rows_as_for_few(operator, account, django_assert_max_num_queries):
    many = make_batch(account, make_people(account, 15), name="Many")
    make_batch(account, name="Few")
    operator.get(at("callee_changelist"))  # what is looked up once in a process
    page = f"{at('callee_changelist')}?batch__id__exact={many.pk}&state__exact=waiting"
    with django_assert_max_num_queries(9):
        assert operator.get(page).content.count(b"Ada Lovelace") >= 15
    with django_assert_max_num_queries(7):
        assert b"Many" in operator.get(at("callbatch_changelist")).content
    assert operator.get(f"{at('callee_changelist')}?batch__id__exact=x").status_code == 200


@pytest.mark.parametrize("page", ["people", "move", "console"])
def test_no_page_answers_500_to_junk(operator, account, page):
    batch = make_batch(account, make_people(account, 1))
    call = PhoneCall.objects.create(account=account, is_test=True, line="in-progress")
    path = {
        "people": at("callbatch_people", batch.pk),
        "move": at("callbatch_move", batch.pk, "start"),
        "console": reverse("voice-console-turn", args=[call.pk]),
    }[page]
    for body, kind in JUNK:
        assert operator.post(path, body, content_type=kind).status_code < 500, body


def test_the_people_of_a_campaign_become_a_draft(operator, account):
    campaign = make_campaign(account, people=2)
    path = reverse("admin:campaigns_campaign_calls", args=[campaign.pk])
    assert b"2 people whom this campaign still waits for" in operator.get(path).content
    answer = operator.post(path)
    assert answer.headers["Location"] == at("callbatch_change", CallBatch.objects.get().pk)


def test_staff_who_may_only_look_change_nothing(account, twilio):
    from django.contrib.auth.models import Permission

    watcher = User.objects.create_user("watcher", is_staff=True)
    watcher.user_permissions.add(Permission.objects.get(codename="view_callbatch"))
    client = Client()
    client.force_login(watcher)
    batch = make_batch(account, make_people(account, 1))
    assert client.get(at("callbatch_change", batch.pk)).status_code == 200
    assert client.post(at("callbatch_move", batch.pk, "start")).status_code == 403
    assert client.post(at("callbatch_people", batch.pk), {"everybody": "1"}).status_code == 403
