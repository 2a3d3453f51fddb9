"""/smtp, /scheduler, /accounts, /email-content: how an account is set up by the documented API."""

import pytest
from django.test import Client

from campaigns import states
from campaigns.models import Campaign, EmailContent, Recipient, Schedule, SmtpServer
from config.api.models import Account, ApiKey
from crm import fetching
from personas.models import ProviderCredential
from tests.factories import bearer, make_account, make_key

pytestmark = pytest.mark.django_db
NOW = "2026-11-20T17:25:31.186Z"
SMTP = {
    "user_id": "acme",
    "username": "acme@mail.example",
    "password": "secret word",
    "host": "smtp.mail.example",
    "created_at": NOW,
}
SCHEDULER = {"user_id": "acme", "max_limit": 10, "interval": 60, "time": "09:00", "created_at": NOW}


@pytest.fixture
def api():
    return Client(headers=bearer(make_key(make_account("acme"))))


def post(api, path, body):
    return api.post(path, body, content_type="application/json")


# --- SMTP -------------------------------------------------------------------------------------


def test_smtp_is_set_up_as_documented_and_its_password_never_shown(api):
    echo = post(api, "/smtp", SMTP).json()
    record = api.get("/smtp/acme").json()

    assert echo["host"] == record["host"] == record["server"] == "smtp.mail.example"
    assert echo["password"] == record["password"] == "********"
    assert "secret" not in str(echo) + str(record)
    assert record["created_at"].endswith("Z")
    server = SmtpServer.objects.get()
    assert (server.port, server.security, server.password) == (587, "starttls", "secret word")
    assert server.from_email == "acme@mail.example"
    assert Campaign.objects.get().smtp_server == server


def test_until_then_it_is_a_404(api):
    assert api.get("/smtp/acme").status_code == 404


def test_the_mask_sent_back_keeps_the_password(api):
    post(api, "/smtp", SMTP)
    assert post(api, "/smtp", {**SMTP, "password": "********", "port": 2525}).status_code == 200
    server = SmtpServer.objects.get()
    assert (server.password, server.port) == ("secret word", 2525)


def test_the_mask_does_not_carry_the_password_to_another_host(api):
    post(api, "/smtp", SMTP)
    refused = post(api, "/smtp", {**SMTP, "password": "********", "host": "smtp.evil.example"})
    assert refused.status_code == 422
    assert SmtpServer.objects.get().host == "smtp.mail.example"


def test_the_mask_alone_is_no_password(api):
    assert post(api, "/smtp", {**SMTP, "password": "********"}).status_code == 422


def test_a_user_name_that_is_no_address_needs_a_sender(api):
    assert post(api, "/smtp", {**SMTP, "username": "AKIA123"}).status_code == 422
    told = {**SMTP, "username": "AKIA123", "from_email": "hello@mail.example"}
    assert post(api, "/smtp", told).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "169.254.169.254",
        "localhost",
        "10.0.0.5",
        "[::1]",
        "[::ffff:10.0.0.5]",
        "db",
        "mail.internal",
    ],
)
def test_in_production_no_server_of_our_own_network(api, settings, host):
    settings.RAPPORT_ENV = "production"
    assert post(api, "/smtp", {**SMTP, "host": host}).status_code == 422


@pytest.mark.parametrize(
    ("leads_to", "status"), [(["93.184.216.34"], 200), (["93.184.216.34", "10.0.0.5"], 422), (None, 200)]
)
def test_in_production_a_name_is_asked_where_it_leads(api, settings, monkeypatch, leads_to, status):
    async def resolve(_host):
        if leads_to is None:
            raise OSError("no such name")
        return leads_to

    monkeypatch.setattr(fetching, "resolve", resolve)
    settings.RAPPORT_ENV = "production"
    assert post(api, "/smtp", {**SMTP, "host": "smtp.example.com"}).status_code == status


@pytest.mark.parametrize("missing", ["username", "password", "host", "created_at", "user_id"])
def test_a_missing_field_is_a_422(api, missing):
    body = {name: value for name, value in SMTP.items() if name != missing}
    assert post(api, "/smtp", body).status_code == 422


def test_a_standing_campaign_that_staff_ended_takes_nobody_and_says_so(api):
    assert post(api, "/scheduler", SCHEDULER).status_code == 200
    states.cancel(Campaign.objects.get().pk)
    person = {"user_id": "acme", "email": "ada@example.com", "created_at": NOW, "updated_at": NOW}

    answers = [post(api, "/scheduler", SCHEDULER), post(api, "/emails", person)]
    assert [answer.status_code for answer in answers] == [409, 409]
    assert all("Marketing API" in answer.json()["detail"] for answer in answers)
    assert not Recipient.objects.exists()


# --- the scheduler ----------------------------------------------------------------------------


def test_the_scheduler_is_set_as_documented_and_the_campaign_runs(api):
    assert api.get("/scheduler/acme").status_code == 404
    echo = post(api, "/scheduler", SCHEDULER).json()
    record = api.get("/scheduler/acme").json()

    for answer in (echo, record):
        assert (answer["max_limit"], answer["interval"], answer["time"]) == (10, 60, "09:00")
    campaign = Campaign.objects.get()
    assert (campaign.state, campaign.is_standing) == ("running", True)
    assert list(campaign.steps.values_list("position", flat=True)) == [1, 2, 3]


def test_set_again_it_is_changed_and_not_made_anew(api):
    post(api, "/scheduler", SCHEDULER)
    post(api, "/scheduler", {**SCHEDULER, "max_limit": 3, "time": "17:30"})
    schedule = Schedule.objects.get()
    assert (schedule.max_emails, f"{schedule.daily_at:%H:%M}") == (3, "17:30")
    assert schedule.campaign.steps.count() == 3


@pytest.mark.parametrize(
    "wrong",
    [{"max_limit": 0}, {"max_limit": 1001}, {"interval": -5}, {"interval": 0}, {"time": "25:99"}],
)
def test_what_makes_no_sense_is_a_422(api, wrong):
    assert post(api, "/scheduler", {**SCHEDULER, **wrong}).status_code == 422


# --- accounts ---------------------------------------------------------------------------------


def test_an_account_is_made_with_its_ids_and_a_masked_key(api):
    body = {"user_id": "user123", "api_key": "lyzr-secret", "agent_id": "agent456", "rag_id": "rag789"}
    made = post(api, "/accounts", body).json()

    assert (made["user_id"], made["agent_id"], made["rag_id"]) == ("user123", "agent456", "rag789")
    assert made["chat_agent_id"] is None
    assert made["api_key"] == "********"
    assert made["created_at"].endswith("Z")
    its_own = Client(headers=bearer(made["access_key"]))
    assert its_own.get("/accounts/user123").json()["agent_id"] == "agent456"
    assert ProviderCredential.objects.get().secret == "lyzr-secret"


def test_the_new_accounts_key_makes_no_accounts(api):
    made = post(api, "/accounts", {"user_id": "user123", "api_key": ""}).json()
    its_own = Client(headers=bearer(made["access_key"]))
    assert post(its_own, "/accounts", {"user_id": "user456", "api_key": ""}).status_code == 403


def test_an_account_that_is_there_stays_as_it_is_but_for_a_rotated_key(api):
    first = post(api, "/accounts", {"user_id": "acme", "api_key": "one", "agent_id": "other"}).json()
    assert set(first) == {"message", "user_id"}
    post(api, "/accounts", {"user_id": "acme", "api_key": "two"})
    post(api, "/accounts", {"user_id": "acme", "api_key": "********"})
    assert api.get("/accounts/acme").json()["agent_id"] is None
    assert ProviderCredential.objects.get().secret == "two"


def test_an_account_of_somebody_else_is_not_there(api):
    make_account("other")
    assert post(api, "/accounts", {"user_id": "other", "api_key": "x"}).status_code == 404
    assert api.get("/accounts/other").status_code == 404
    assert not ProviderCredential.objects.exists()


def test_making_accounts_needs_a_scope_of_its_own():
    key = make_key(make_account("acme"), scopes=("campaigns",))
    refused = post(Client(headers=bearer(key)), "/accounts", {"user_id": "new", "api_key": ""})
    assert refused.status_code == 403
    assert not Account.objects.filter(slug="new").exists()


@pytest.mark.parametrize("user_id", ["", "a+b", "with space", "x" * 65, "/"])
def test_a_user_id_that_no_label_could_hold_is_a_422(api, user_id):
    assert post(api, "/accounts", {"user_id": user_id, "api_key": ""}).status_code == 422
    assert ApiKey.objects.count() == 1


def test_ids_are_changed_and_nothing_is_a_400(api):
    def patch(body):
        return api.patch("/accounts/acme", body, content_type="application/json")

    assert patch({"agent_id": "a1", "unknown": 1}).json()["user_id"] == "acme"
    assert api.get("/accounts/acme").json()["agent_id"] == "a1"
    assert patch({}).status_code == patch({"agent_id": None}).status_code == 400
    assert (
        api.patch("/accounts/nobody", {"agent_id": "x"}, content_type="application/json").status_code == 404
    )


# --- texts for one person ---------------------------------------------------------------------


def content(email="ada@example.com", text="Hi {email}, go to {interview_link} ({follow_up_num})"):
    return {"user_id": "acme", "email": email, "content": text, "created_at": NOW}


def test_a_text_is_kept_for_one_person_and_read_back(api):
    post(api, "/email-content", content())
    post(api, "/email-content", content(text="Later: {interview_link}"))

    assert api.get("/email-content/acme/ada@example.com").json()["content"] == "Later: {interview_link}"
    assert [row["email"] for row in api.get("/email-content/acme").json()] == ["ada@example.com"]
    assert EmailContent.objects.count() == 1


def test_texts_are_deleted_one_by_one_or_all(api):
    for name in ("ada", "bo", "cy"):
        post(api, "/email-content", content(f"{name}@example.com"))
    assert api.delete("/email-content/acme/ada@example.com").json()["deleted_count"] == 1
    assert api.delete("/email-content/acme/ada@example.com").status_code == 404
    assert api.delete("/email-content/acme").json()["deleted_count"] == 2
    assert api.get("/email-content/acme").json() == []


def test_an_empty_text_is_a_422(api):
    assert post(api, "/email-content", content(text="   ")).status_code == 422


# --- who may ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "/smtp", SMTP),
        ("get", "/smtp/acme", None),
        ("post", "/scheduler", SCHEDULER),
        ("get", "/scheduler/acme", None),
        ("get", "/accounts/acme", None),
        ("patch", "/accounts/acme", {"agent_id": "x"}),
        ("post", "/email-content", content()),
        ("get", "/email-content/acme", None),
        ("delete", "/email-content/acme", None),
        ("get", "/email-content/acme/ada@example.com", None),
        ("delete", "/email-content/acme/ada@example.com", None),
    ],
)
def test_another_account_is_told_404_and_nobody_401(api, method, path, body):
    for set_up, where in ((SMTP, "/smtp"), (SCHEDULER, "/scheduler"), (content(), "/email-content")):
        post(api, where, set_up)
    stranger = Client(headers=bearer(make_key(make_account("other"))))
    for caller, status in ((stranger, 404), (Client(), 401)):
        answer = getattr(caller, method)(path, body, content_type="application/json")
        assert answer.status_code == status
