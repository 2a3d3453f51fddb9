import csv
import io
from uuid import uuid4

import pytest
from django.core.files.base import ContentFile

from config.api.models import AuditEntry
from interviews.models import Guide, Interview
from interviews.tests.holding import ANSWERS, hold, invite
from tests.factories import bearer, make_account, make_contact, make_guide, make_key, make_persona

pytestmark = [pytest.mark.django_db, pytest.mark.urls("interviews.urls")]


@pytest.fixture
def api(client):
    headers = bearer(make_key())

    def call(method, path, data=None, **extra):
        kwargs = {"headers": headers, **extra}
        if data is not None:
            kwargs.update(data=data, content_type="application/json")
        return getattr(client, method)(path, **kwargs)

    return call


@pytest.fixture(autouse=True)
def _own_folders(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "config.storage.PrivateFolderStorage"}}


def guide_body(**changes):
    return {
        "name": "How people work",
        "goal": "We want to learn what slows people down.",
        "consent_text": "Your answers are stored.",
        "persona": str(make_persona().pk),
        "questions": [
            {"key": "role", "text": "What do you do?"},
            {"key": "rating", "text": "How content are you?", "kind": "scale", "choices": ["1", "2", "3"]},
        ],
        **changes,
    }


def test_a_guide_is_made_with_its_questions_in_order(api):
    response = api("post", "/api/v1/guides", guide_body())
    assert response.status_code == 201, response.json()
    made = api("get", f"/api/v1/guides/{response.json()['data']['id']}").json()["data"]
    assert [question["key"] for question in made["questions"]] == ["role", "rating"]
    assert made["version"] == 1


def test_changed_questions_are_a_new_version(api):
    guide = make_guide()
    response = api(
        "patch", f"/api/v1/guides/{guide.pk}", {"questions": [{"key": "one", "text": "Only this?"}]}
    )
    assert response.status_code == 200, response.json()
    assert response.json()["data"]["version"] == 2
    assert list(guide.questions.values_list("key", flat=True)) == ["one"]


def test_redaction_before_indexing_is_off_until_it_is_asked_for(api):
    made = api("post", "/api/v1/guides", guide_body()).json()["data"]
    assert made["redacts_personal_data"] is False
    changed = api("patch", f"/api/v1/guides/{made['id']}", {"redacts_personal_data": True}).json()["data"]
    assert (changed["redacts_personal_data"], changed["version"]) == (True, 2)


def test_a_changed_question_needs_its_key_and_text_too(api):
    guide = make_guide()
    response = api("patch", f"/api/v1/guides/{guide.pk}", {"questions": [{"topic": "Work"}]})
    assert response.status_code == 400
    assert guide.questions.count() == 3


@pytest.mark.parametrize(
    "questions",
    [
        [],
        "none",
        [{"key": "a", "text": "A?"}, {"key": "a", "text": "B?"}],
        [{"key": "Not a key", "text": "A?"}],
        [{"key": "a", "text": "A?", "kind": "choice"}],
        [{"key": "a", "text": "A?", "kind": "choice", "choices": ["x", "X "]}],
        [{"key": "a", "text": "A?", "choices": ["x", "y"]}],
        [{"key": "a", "text": "A?", "probe_depth": 99}],
        [{"key": "a", "text": "?" * 2001}],
        [{"key": f"q{n}", "text": "A?"} for n in range(101)],
    ],
)
def test_a_guide_that_makes_no_sense_is_refused_with_words(api, questions):
    response = api("post", "/api/v1/guides", guide_body(questions=questions))
    assert response.status_code == 400
    assert "questions" in str(response.json())
    assert not Guide.objects.exists()


def test_the_persona_of_another_account_is_not_found(api):
    persona = make_persona(make_account("other"))
    response = api("post", "/api/v1/guides", guide_body(persona=str(persona.pk)))
    assert response.status_code == 400
    assert "persona" in str(response.json())


def test_a_guide_people_were_invited_by_cannot_be_deleted(api):
    used, unused = make_guide(), make_guide()
    invite(used)
    assert api("delete", f"/api/v1/guides/{used.pk}").status_code == 409
    assert api("delete", f"/api/v1/guides/{unused.pk}").status_code == 204
    assert list(Guide.objects.all()) == [used]


def test_one_person_is_invited_and_gets_a_link(api):
    guide = make_guide()
    response = api(
        "post", "/api/v1/interviews", {"guide": str(guide.pk), "email": "eva@example.com", "name": "Eva"}
    )
    assert response.status_code == 201, response.json()
    data = response.json()["data"]
    assert data["url"].startswith("http://testserver/i/")
    assert data["interview"]["state"] == "invited"
    assert data["interview"]["contact_name"] == "Eva"


@pytest.mark.parametrize(
    "body", [{}, {"email": "no address"}, {"email": "a@b.example", "contact": str(uuid4())}, {"contact": "x"}]
)
def test_an_invitation_of_nobody_is_refused(api, body):
    response = api("post", "/api/v1/interviews", {"guide": str(make_guide().pk), **body})
    assert response.status_code == 400
    assert not Interview.objects.exists()


def test_nobody_is_invited_by_a_guide_that_is_not_active(api):
    guide = make_guide(is_active=False)
    assert (
        api("post", "/api/v1/interviews", {"guide": str(guide.pk), "email": "a@b.example"}).status_code == 409
    )


def test_an_interview_shows_its_answers_with_quotes_and_its_steps(api):
    interview = hold()
    data = api("get", f"/api/v1/interviews/{interview.pk}").json()["data"]
    assert data["state"] == "completed"
    assert [answer["question_key"] for answer in data["answers"]] == ["role", "tools", "rating"]
    assert data["answers"][1]["quote"] == ANSWERS[1]
    assert [step["name"] for step in data["steps"]] == ["pdf", "storage", "knowledge"]
    assert data["pdf_url"] is None


def test_interviews_are_listed_by_guide_and_state(api):
    guide = make_guide()
    done, waiting = hold(guide), invite(guide).interview
    invite()

    assert len(api("get", "/api/v1/interviews").json()["data"]) == 3
    rows = api("get", f"/api/v1/interviews?guide={guide.pk}").json()["data"]
    assert [row["id"] for row in rows] == [str(waiting.pk), str(done.pk)]
    rows = api("get", "/api/v1/interviews?state=completed").json()["data"]
    assert [row["id"] for row in rows] == [str(done.pk)]
    assert api("get", "/api/v1/interviews?state=nonsense").status_code == 400
    assert api("get", "/api/v1/interviews?guide=nonsense").status_code == 400


@pytest.mark.parametrize("path", ["/api/v1/interviews", "/api/v1/guides"])
def test_a_list_costs_the_same_for_one_row_as_for_many(api, path, django_assert_max_num_queries):
    guide = make_guide()
    for _ in range(12):
        invite(guide)
        make_guide()
    with django_assert_max_num_queries(6):
        assert len(api("get", f"{path}?limit=10").json()["data"]) == 10


def test_the_pdf_is_downloaded_and_that_is_on_record(api):
    interview = hold()
    assert api("get", f"/api/v1/interviews/{interview.pk}/pdf").status_code == 404

    interview.pdf.save(f"interviews/{interview.pk}.pdf", ContentFile(b"%PDF-1.4 test"))
    response = api("get", f"/api/v1/interviews/{interview.pk}/pdf")
    assert b"".join(response.streaming_content) == b"%PDF-1.4 test"
    assert response["Content-Type"] == "application/pdf"
    assert "no-store" in response["Cache-Control"]
    assert AuditEntry.objects.get(action="downloaded transcript").target_id == str(interview.pk)


def test_only_what_failed_is_processed_again(api):
    interview = hold()
    path = f"/api/v1/interviews/{interview.pk}/process"
    assert api("post", path).status_code == 409

    Interview.objects.update(state="failed")
    interview.steps.filter(name="pdf").update(state="failed", error="disk full")
    response = api("post", path)
    assert response.status_code == 202
    assert response.json()["data"]["state"] == "completed"
    assert response.json()["data"]["steps"][0]["error"] == ""


def test_answers_are_exported_without_formulas(api):
    guide = make_guide()
    contact = make_contact(name='=HYPERLINK("http://evil")', email="eva@example.com")
    hold(
        guide,
        contact,
        answers=["+1+1 is what I work out as an accountant in a small office", ANSWERS[1], "skip"],
    )

    response = api("get", f"/api/v1/guides/{guide.pk}/answers.csv")
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["name"].startswith("'=HYPERLINK")
    assert row["role"].startswith("'+1+1")
    assert row["email"] == "eva@example.com"
    assert row["rating"] == "(Skipped)"


def test_answers_are_pages_of_json_too(api):
    guide = make_guide()
    hold(guide)
    (row,) = api("get", f"/api/v1/guides/{guide.pk}/answers").json()["data"]
    assert row["answers"][2]["value"] == "4"


def test_a_stranger_finds_nothing(client):
    guide = make_guide()
    interview = hold(guide)
    stranger = bearer(make_key(make_account("other")))
    for path in (
        f"/api/v1/guides/{guide.pk}",
        f"/api/v1/guides/{guide.pk}/answers",
        f"/api/v1/guides/{guide.pk}/answers.csv",
        f"/api/v1/interviews/{interview.pk}",
        f"/api/v1/interviews/{interview.pk}/pdf",
    ):
        assert client.get(path, headers=stranger).status_code == 404, path
    assert client.post(f"/api/v1/interviews/{interview.pk}/process", headers=stranger).status_code == 404
    assert client.get("/api/v1/interviews", headers=stranger).json()["data"] == []


def test_without_a_key_or_its_scope_nothing_is_told(client):
    assert client.get("/api/v1/interviews").status_code == 401
    other = bearer(make_key(scopes=("knowledge",)))
    assert client.get("/api/v1/guides", headers=other).status_code == 403
