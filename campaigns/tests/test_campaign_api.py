"""Campaigns through the public API, by their owner, and by a stranger."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from campaigns import addresses, inviting, sending, states
from campaigns.api.campaigns import CampaignSerializer
from campaigns.models import Campaign, Delivery, EmailTemplate
from crm.models import Contact
from tests.factories import (
    bearer,
    make_account,
    make_campaign,
    make_contact,
    make_guide,
    make_key,
    make_smtp_server,
    make_template,
)

pytestmark = pytest.mark.django_db
BASE = "/api/v1/campaigns"


@pytest.fixture
def api(client):
    return Api(client, make_key())


@pytest.fixture
def stranger(client):
    return Api(client, make_key(make_account("other")))


class Api:
    def __init__(self, client, key):
        self.client, self.headers = client, bearer(key)

    def get(self, path, **query):
        return self.client.get(path, query, headers=self.headers)

    def post(self, path, data=None):
        return self.client.post(path, data or {}, content_type="application/json", headers=self.headers)

    def patch(self, path, data):
        return self.client.patch(path, data, content_type="application/json", headers=self.headers)

    def delete(self, path):
        return self.client.delete(path, headers=self.headers)

    def upload(self, path, content, **fields):
        file = SimpleUploadedFile("people.csv", content, content_type="text/csv")
        return self.client.post(path, {"file": file, **fields}, headers=self.headers)


def test_the_whole_way_from_draft_to_outbox(api, django_capture_on_commit_callbacks):
    guide = make_guide()
    inline = {"name": "Hi", "subject": "Hello {{ first_name|you }}", "text": "Please: {{ link }}"}
    made = api.post(BASE, {"name": "Autumn", "guide": str(guide.pk), "inline_template": inline})
    assert made.status_code == 201, made.content
    path = f"{BASE}/{made.json()['data']['id']}"

    csv = b"email,name\nada@example.com,Ada\nnonsense,X\n"
    dry = api.upload(f"{path}/import", csv, dry_run="true").json()["data"]
    assert (dry["state"], dry["counts"]["new"], dry["counts"]["invalid"]) == ("dry_run", 1, 1)
    assert not Campaign.objects.get().recipients.exists()
    with django_capture_on_commit_callbacks(execute=True):
        started = api.upload(f"{path}/import", csv)
    assert started.status_code == 202
    imported = api.get(f"{path}/imports/{started.json()['data']['id']}").json()["data"]
    assert (imported["state"], imported["errors"][0]["line"]) == ("done", 3)

    preview = api.get(f"{path}/preview").json()["data"]
    assert (preview["will_get"], preview["sample"]["subject"]) == (1, "Hello Ada")
    with django_capture_on_commit_callbacks(execute=True):
        assert api.post(f"{path}/start").status_code == 200

    shown = api.get(path).json()["data"]
    assert (shown["state"], shown["progress"]["sent"], shown["progress"]["left"]) == ("finished", 1, 0)
    listed = api.get("/api/v1/outbox", to="ada@example.com").json()["data"]
    assert api.get("/api/v1/outbox", campaign=shown["id"]).json()["data"] == listed
    assert api.get("/api/v1/outbox", campaign=str(uuid4())).json()["data"] == []
    assert api.get("/api/v1/outbox", campaign="autumn").status_code == 400
    email = api.get(f"/api/v1/outbox/{listed[0]['id']}").json()["data"]
    assert email["links"][0].startswith("http://testserver/i/")
    assert email["headers"]["Subject"] == "Hello Ada"


def test_the_outbox_is_narrowed_to_a_campaign(api):
    for _ in range(2):
        campaign = make_campaign(people=1)
        states.begin(campaign.pk)
        inviting.invite_people(campaign.pk)
    sending.send_due(None)
    assert len(api.get("/api/v1/outbox").json()["data"]) == 2
    narrowed = api.get("/api/v1/outbox", campaign=str(campaign.pk)).json()["data"]
    assert [email["campaign"] for email in narrowed] == [str(campaign.pk)]
    assert api.get("/api/v1/outbox", campaign="mine").status_code == 400


def test_a_campaign_is_made_from_a_template_and_a_server(api):
    guide, template, server = make_guide(), make_template(), make_smtp_server()
    data = {"name": "A", "guide": str(guide.pk), "template": str(template.pk), "smtp_server": server.pk}
    made = api.post(BASE, data).json()["data"]
    assert (made["template"], made["smtp_server"], made["state"]) == (str(template.pk), server.pk, "draft")


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"name": "x"},
        {"name": "x", "guide": "nonsense", "template": "nonsense"},
        {"name": "x" * 300},
        {"inline_template": {"name": "x", "subject": "{{ nmae }}", "text": "x"}},
        {"inline_template": []},
    ],
)
def test_bad_input_is_told_by_field(api, wrong):
    guide = make_guide()
    response = api.post(BASE, {"guide": str(guide.pk), **wrong})
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "VALIDATION_ERROR"


def test_a_foreign_guide_is_not_taken(api):
    foreign, template = make_guide(make_account("other")), make_template()
    response = api.post(BASE, {"name": "x", "guide": str(foreign.pk), "template": str(template.pk)})
    assert response.status_code == 400


@pytest.mark.parametrize(
    "tail", ["", "/preview", "/recipients", "/deliveries", "/imports/00000000-0000-7000-8000-000000000000"]
)
def test_a_stranger_finds_nothing(stranger, tail):
    assert stranger.get(f"{BASE}/{make_campaign().pk}{tail}").status_code == 404


@pytest.mark.parametrize("tail", ["start", "schedule", "pause", "resume", "cancel"])
def test_a_stranger_moves_nothing(stranger, tail):
    assert stranger.post(f"{BASE}/{make_campaign(people=1).pk}/{tail}").status_code == 404


def test_a_stranger_sees_no_template_and_no_outbox(stranger):
    template = make_template()
    campaign = make_campaign(people=1)
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    sending.send_due(None)
    assert stranger.get(f"/api/v1/email-templates/{template.pk}").status_code == 404
    assert stranger.get("/api/v1/outbox").json()["data"] == []
    assert stranger.get(f"/api/v1/outbox/{Delivery.objects.get().pk}").status_code == 404


def test_nobody_comes_in_without_a_key_or_its_scope(client):
    assert client.get(BASE).status_code == 401
    other = Api(client, make_key(scopes=["knowledge"]))
    assert other.get(BASE).status_code == 403


def test_the_outbox_is_closed_where_it_is_switched_off(api, settings):
    settings.OUTBOX_API = False
    assert api.get("/api/v1/outbox").status_code == 404


def test_moves_that_do_not_fit_are_conflicts(api):
    campaign = make_campaign(people=1)
    path = f"{BASE}/{campaign.pk}"
    assert api.post(f"{path}/pause").status_code == 409
    assert api.post(f"{path}/resume").status_code == 409
    assert api.post(f"{path}/start").status_code == 200
    assert api.post(f"{path}/start").status_code == 409
    assert api.patch(path, {"name": "New"}).status_code == 409
    assert api.post(f"{path}/pause").json()["data"]["state"] == "paused"
    assert api.post(f"{path}/resume").json()["data"]["state"] == "running"
    assert api.post(f"{path}/cancel").json()["data"]["state"] == "cancelled"
    assert api.post(f"{path}/cancel").status_code == 409
    assert api.delete(path).status_code == 409


def test_a_campaign_with_nobody_in_it_does_not_start(api):
    response = api.post(f"{BASE}/{make_campaign().pk}/start")
    assert response.status_code == 409
    assert "nobody" in response.json()["error"]["message"]


def test_a_draft_is_changed_and_deleted(api):
    path = f"{BASE}/{make_campaign().pk}"
    assert api.patch(path, {"name": "Other"}).json()["data"]["name"] == "Other"
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404


def test_a_scheduled_campaign_starts_when_it_is_time(api):
    from campaigns import tasks

    campaign = make_campaign(people=1)
    path = f"{BASE}/{campaign.pk}/schedule"
    past = (timezone.now() - timedelta(minutes=1)).isoformat()
    assert api.post(path, {"at": past}).status_code == 409
    assert api.post(path, {"at": "soon"}).status_code == 400
    later = timezone.now() + timedelta(hours=1)
    assert api.post(path, {"at": later.isoformat()}).json()["data"]["state"] == "scheduled"
    tasks.sweep()
    assert Campaign.objects.get().state == "scheduled"
    Campaign.objects.update(scheduled_at=timezone.now())
    tasks.sweep()
    tasks.sweep()
    assert Campaign.objects.get().state == "finished"


@pytest.mark.parametrize("content", [b"", b"name\nAda\n", b"email\0\n", b"PK\x03\x04\xff\xfe"])
def test_a_hostile_file_is_refused_with_words(api, content):
    response = api.upload(f"{BASE}/{make_campaign().pk}/import", content)
    assert response.status_code == 400
    assert "file" in str(response.json())


def test_a_caller_chooses_columns_encoding_and_separator(api):
    campaign = make_campaign()
    path = f"{BASE}/{campaign.pk}/import"
    content = "Adresse|Wer|Ort\nada@example.com|Ñandú|Ulm\n".encode("cp1252")
    assert "No column is called" in str(api.upload(path, content).json()["error"])
    guessed = api.upload(path, content.replace(b"Adresse", b"E-Mail"), dry_run="true").json()["data"]
    assert (guessed["encoding"], guessed["encoding_is_sure"]) == ("cp1252", False)
    mapping = json.dumps({"Adresse": "email", "Wer": "name"})
    chosen = {"mapping": mapping, "encoding": "cp1250", "delimiter": "|"}
    response = api.upload(path, content, **chosen)
    assert response.status_code == 202, response.content
    data = response.json()["data"]
    assert data["mapping"] == {"Adresse": "email", "Wer": "name", "Ort": ""}
    assert (data["encoding"], data["encoding_is_sure"]) == ("cp1250", True)


@pytest.mark.parametrize(
    "chosen", [{"mapping": "[]"}, {"mapping": "{"}, {"encoding": "rot13"}, {"delimiter": "x"}]
)
def test_choices_that_mean_nothing_are_told_by_field(api, chosen):
    response = api.upload(f"{BASE}/{make_campaign().pk}/import", b"email\na@example.com\n", **chosen)
    assert response.status_code == 400
    assert next(iter(chosen)) in str(response.json()["error"])


def test_rows_with_errors_are_downloaded_as_csv(api, stranger):
    campaign = make_campaign()
    kept = api.upload(f"{BASE}/{campaign.pk}/import", b"email,note\nbad,=1+1\na@example.com,x\n").json()
    path = f"{BASE}/{campaign.pk}/imports/{kept['data']['id']}/errors.csv"
    response = api.get(path)
    assert response["Content-Type"].startswith("text/csv")
    assert response.getvalue().decode().splitlines()[1].endswith("bad,'=1+1")
    assert stranger.get(path).status_code == 404


def test_an_import_without_a_file_is_refused(api):
    campaign = make_campaign()
    response = api.client.post(f"{BASE}/{campaign.pk}/import", {}, headers=api.headers)
    assert response.status_code == 400


def test_recipients_and_deliveries_are_listed(api):
    campaign = make_campaign(people=3)
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    page = api.get(f"{BASE}/{campaign.pk}/recipients", limit=2).json()
    assert len(page["data"]) == 2
    rest = api.get(f"{BASE}/{campaign.pk}/recipients", limit=2, cursor=page["pagination"]["next"]).json()
    assert len(rest["data"]) == 1
    assert {row["state"] for row in page["data"]} == {"invited"}
    assert len(api.get(f"{BASE}/{campaign.pk}/deliveries", state="queued").json()["data"]) == 3
    assert api.get(f"{BASE}/{campaign.pk}/deliveries", state="nonsense").status_code == 400
    recipient = page["data"][0]["id"]
    assert api.get(f"{BASE}/{campaign.pk}/preview", recipient=recipient).status_code == 200
    assert api.get(f"{BASE}/{campaign.pk}/preview", recipient="x").status_code == 404


def test_templates_are_checked_whenever_they_are_written(api):
    base = "/api/v1/email-templates"
    wrong = api.post(base, {"name": "a", "subject": "Hi", "text": "{{ frist_name }}"})
    assert wrong.status_code == 400
    assert "first_name" in str(wrong.json())
    made = api.post(base, {"name": "a", "subject": "Hi", "text": "{{ link }}"}).json()["data"]
    assert made["warnings"]
    path = f"{base}/{made['id']}"
    assert api.patch(path, {"subject": "{{ nmae }}"}).status_code == 400
    assert api.patch(path, {"subject": "Better"}).json()["data"]["subject"] == "Better"
    assert api.get(base).json()["data"][0]["id"] == made["id"]
    assert api.delete(path).status_code == 204
    used = make_campaign().template
    assert api.delete(f"{base}/{used.pk}").status_code == 409


def test_lists_need_the_same_queries_however_long_they_are(api, django_assert_max_num_queries):
    for _number in range(6):
        make_campaign(people=2)
    with django_assert_max_num_queries(6):
        assert len(api.get(BASE).json()["data"]) == 6
    with django_assert_max_num_queries(6):
        assert len(api.get("/api/v1/email-templates").json()["data"]) == EmailTemplate.objects.count()
    campaign = make_campaign(people=8)
    with django_assert_max_num_queries(7):
        api.get(f"{BASE}/{campaign.pk}/recipients")


def test_progress_tells_people_apart():
    campaign = make_campaign(people=4)
    campaign.recipients.create(contact=make_contact(), state="skipped", skip_reason="legal")
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    for delivery, state in zip(Delivery.objects.all(), ["sent", "sent", "failed", "unknown"], strict=True):
        Delivery.objects.filter(pk=delivery.pk).update(state=state)
    interview = campaign.recipients.exclude(interview=None).first().interview
    type(interview).objects.filter(pk=interview.pk).update(state="completed")
    figures = states.progress([campaign.pk])[campaign.pk]
    assert (figures.people, figures.left, figures.sent, figures.failed, figures.unknown) == (5, 0, 2, 1, 1)
    assert (figures.skipped, figures.opened, figures.completed) == (1, 1, 1)


def test_whoever_is_tried_again_is_one_person(django_assert_num_queries):
    campaign = make_campaign(people=2, is_standing=True)
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    sending.send_due(None)
    addresses.try_again(campaign.recipients.first())
    inviting.invite_people(campaign.pk)
    sending.send_due(None)
    with django_assert_num_queries(2):
        figures = states.progress([campaign.pk])[campaign.pk]
    assert (figures.people, figures.left, figures.sent) == (2, 0, 3)


def test_who_is_held_back_at_the_last_look_is_skipped_and_no_cancelled_email():
    campaign = make_campaign(people=2)
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    first = campaign.recipients.select_related("contact").first()
    Contact.objects.filter(pk=first.contact_id).update(is_active=False)
    sending.send_due(None)
    figures = states.progress([campaign.pk])[campaign.pk]
    assert (figures.skipped, figures.cancelled, figures.sent, figures.left) == (1, 0, 1, 0)


@pytest.mark.parametrize("is_new", [True, False])
def test_the_second_of_two_who_make_a_standing_campaign_at_once_is_told(api, monkeypatch, is_new):
    campaign = make_campaign()
    look = CampaignSerializer._has_another_standing

    def look_and_be_overtaken(serializer):
        found = look(serializer)
        if not found:
            make_campaign(is_standing=True)
        return found

    monkeypatch.setattr(CampaignSerializer, "_has_another_standing", look_and_be_overtaken)
    template = {"name": "Hi", "subject": "Hello", "text": "Please: {{ link }}"}
    new = {"name": "Second", "guide": str(campaign.guide_id), "inline_template": template}
    if is_new:
        answer = api.post(BASE, {**new, "is_standing": True})
    else:
        answer = api.patch(f"{BASE}/{campaign.pk}", {"is_standing": True})
    assert answer.status_code == 400
    assert "is_standing" in answer.content.decode()
    assert Campaign.objects.filter(is_standing=True).count() == 1
    assert not EmailTemplate.objects.filter(name="Hi").exists()
