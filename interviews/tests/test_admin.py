import pytest
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.urls import reverse

from config.api.models import AuditEntry
from interviews.admin.guides import QuestionForm
from interviews.models import Guide, Interview
from interviews.tests.holding import ANSWERS, begin, hold, invite
from tests.factories import make_account, make_contact, make_guide, make_persona

pytestmark = [pytest.mark.django_db, pytest.mark.urls("interviews.tests.urls")]


@pytest.fixture
def staff(client):
    user = get_user_model().objects.create_superuser("operator", "operator@example.com", "a long password")
    client.force_login(user)
    return client


@pytest.fixture(autouse=True)
def _own_folders(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "config.storage.PrivateFolderStorage"}}


def test_the_list_shows_each_interview_with_state_and_progress(staff):
    hold()
    page = staff.get(reverse("admin:interviews_interview_changelist")).content.decode()
    assert "Ada Lovelace" in page
    assert "Completed" in page
    assert "3 of 3" in page


def test_the_list_costs_the_same_however_many_there_are(staff, django_assert_max_num_queries):
    guide = make_guide()
    for _ in range(15):
        begin(guide)
    with django_assert_max_num_queries(14):
        staff.get(reverse("admin:interviews_interview_changelist"))


@pytest.mark.parametrize("words", ["eva@", "Eva", "+4830"])
def test_a_person_is_found_by_email_name_and_phone(staff, words):
    contact = make_contact(email="eva@example.com", name="Eva Klein")
    contact.addresses.create(account=contact.account, kind="phone", value="+483012345")
    invite(contact=contact)
    invite(make_guide(), make_contact())
    page = staff.get(reverse("admin:interviews_interview_changelist"), {"q": words}).content.decode()
    assert "Eva Klein" in page
    assert "Ada Lovelace" not in page


def test_the_page_of_an_interview_shows_steps_errors_and_answers(staff):
    interview = hold()
    interview.steps.filter(name="storage").update(state="failed", error="The store said 503.")
    page = staff.get(reverse("admin:interviews_interview_change", args=[interview.pk])).content.decode()
    assert "The store said 503." in page
    assert "paper diary" in page
    assert "Repeat" in page


def test_a_failed_step_is_repeated_by_post_only(staff):
    interview = hold()
    Interview.objects.update(state="failed")
    step = interview.steps.get(name="pdf")
    interview.steps.filter(pk=step.pk).update(state="failed", error="disk full")
    path = reverse("admin:interviews_step_repeat", args=[step.pk])

    assert staff.get(path).status_code == 405
    assert staff.post(path).status_code == 302
    step.refresh_from_db()
    assert (step.state, step.error) == ("waiting", "")
    assert AuditEntry.objects.filter(action="repeated step").exists()


def test_failed_interviews_are_repeated_from_the_list(staff):
    interview = hold()
    Interview.objects.update(state="failed")
    interview.steps.update(state="failed")
    staff.post(
        reverse("admin:interviews_interview_changelist"),
        {"action": "repeat_failed", "_selected_action": [str(interview.pk)]},
    )
    assert Interview.objects.get().state == "completed"


def test_the_transcript_highlights_the_cited_message_and_its_reading_is_on_record(staff):
    interview = hold()
    path = reverse("admin:interviews_interview_transcript", args=[interview.pk])
    page = staff.get(path, {"message": "4"}).content.decode()
    marked = page.split('id="m4"')[1][:200]
    assert 'aria-current="true"' in marked
    assert "crm/transcript.js" in page
    assert "paper diary" in page
    assert AuditEntry.objects.get(action="read transcript").target_id == str(interview.pk)
    assert staff.get(path, {"message": "x" * 99}).status_code == 200


def test_what_people_wrote_is_text_in_the_transcript(staff):
    interview = hold(answers=["<script>alert(1)</script> is what I type all day long at work", *ANSWERS[1:]])
    page = staff.get(reverse("admin:interviews_interview_transcript", args=[interview.pk])).content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_long_transcript_comes_in_pages(staff, monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr("crm.admin.conversations.WINDOW", 3)
    interview = hold()
    path = reverse("admin:interviews_interview_transcript", args=[interview.pk])
    with django_assert_max_num_queries(9):
        page = staff.get(path).content.decode()
    assert 'id="m7"' in page
    assert 'id="m4"' not in page
    earlier = staff.get(path, {"from": "2"}).content.decode()
    assert 'id="m4"' in earlier
    assert 'id="m5"' not in earlier
    assert "data-live" in page
    assert "data-live" not in earlier  # what is said now belongs on another page


def test_the_pdf_is_downloaded_through_the_admin(staff):
    interview = hold()
    path = reverse("admin:interviews_interview_pdf", args=[interview.pk])
    assert staff.get(path).status_code == 302
    interview.pdf.save("interviews/x.pdf", ContentFile(b"%PDF"))
    assert b"".join(staff.get(path).streaming_content) == b"%PDF"


def test_strangers_see_nothing(client):
    interview = hold()
    for name in ("transcript", "pdf"):
        response = client.get(reverse(f"admin:interviews_interview_{name}", args=[interview.pk]))
        assert response.status_code == 302
        assert "login" in response.url
    assert not AuditEntry.objects.exists()


def test_staff_without_the_permission_read_no_transcript(client):
    user = get_user_model().objects.create_user("helper", password="a long password", is_staff=True)
    client.force_login(user)
    interview = hold()
    assert (
        client.get(reverse("admin:interviews_interview_transcript", args=[interview.pk])).status_code == 403
    )


def form_of(guide, **changes):
    questions = list(guide.questions.all())
    data = {
        "account": guide.account_id,
        "persona": guide.persona_id,
        "name": guide.name,
        "goal": guide.goal,
        "language": "en",
        "minutes": 10,
        "consent_text": guide.consent_text,
        "consent_version": "1",
        "closing": guide.closing,
        "order": "fixed",
        "max_turns": 40,
        "max_minutes": 60,
        "link_days": 30,
        "is_active": "on",
        "questions-TOTAL_FORMS": len(questions),
        "questions-INITIAL_FORMS": len(questions),
    }
    for number, question in enumerate(questions):
        prefix = f"questions-{number}-"
        fields = {
            "id": question.pk,
            "guide": guide.pk,
            "key": question.key,
            "topic": question.topic,
            "text": question.text,
            "kind": question.kind,
            "choices": "\n".join(question.choices),
            "probes": "",
            "probe_depth": question.probe_depth,
            "position": question.position,
        }
        data |= {prefix + name: value for name, value in fields.items()}
        if question.must_ask:
            data[prefix + "must_ask"] = "on"
    return data | changes


def test_a_changed_question_makes_a_new_version_and_an_unchanged_guide_none(staff):
    guide = make_guide()
    path = reverse("admin:interviews_guide_change", args=[guide.pk])

    assert staff.post(path, form_of(guide)).status_code == 302
    assert Guide.objects.get().version == 1
    changed = {
        "questions-0-text": "What do you do all day?",
        "questions-0-position": 2,
        "questions-2-position": 0,
    }
    assert staff.post(path, form_of(guide, **changed)).status_code == 302
    assert Guide.objects.get().version == 2
    assert [question.key for question in guide.questions.all()] == ["rating", "tools", "role"]


def test_staff_switch_redaction_before_indexing_on_and_off(staff):
    guide = make_guide()
    path = reverse("admin:interviews_guide_change", args=[guide.pk])
    assert "marks like [name]" in staff.get(path).content.decode()
    staff.post(path, form_of(guide, redacts_personal_data="on"))
    assert Guide.objects.get().redacts_personal_data
    staff.post(path, form_of(guide))
    assert not Guide.objects.get().redacts_personal_data


def test_the_persona_of_another_account_is_refused(staff):
    guide = make_guide()
    persona = make_persona(make_account("other"))
    response = staff.post(
        reverse("admin:interviews_guide_change", args=[guide.pk]), form_of(guide, persona=persona.pk)
    )
    assert "another account" in response.content.decode()


def test_a_choice_without_choices_is_refused_in_words():
    form = QuestionForm(
        {"key": "a", "text": "A?", "kind": "choice", "probe_depth": 1, "position": 0, "choices": "one"}
    )
    assert not form.is_valid()
    assert "2 to 20 choices" in str(form.errors["choices"])


def test_a_guide_shows_the_first_page_and_can_be_deleted_only_when_unused(staff):
    guide = make_guide()
    page = staff.get(reverse("admin:interviews_guide_change", args=[guide.pk])).content.decode()
    assert "Nora, an automatic interviewer, asks" in page
    delete = reverse("admin:interviews_guide_delete", args=[guide.pk])
    assert staff.get(delete).status_code == 200
    invite(guide)
    assert staff.get(delete).status_code == 403


def test_the_list_of_guides_costs_the_same_however_many_there_are(staff, django_assert_max_num_queries):
    for _ in range(12):
        make_guide()
    with django_assert_max_num_queries(14):
        assert staff.get(reverse("admin:interviews_guide_changelist")).status_code == 200
