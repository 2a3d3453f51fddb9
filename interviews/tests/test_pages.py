"""The recipient's pages: who gets in, and what each request may change."""

import re
from datetime import timedelta
from typing import ClassVar
from urllib.parse import urlsplit

import pytest
from django.urls import reverse
from django.utils import timezone

from crm import contacts, talk
from crm.models import AccessLink, Conversation, Erasure, Message
from interviews import starting
from interviews.guides import change_guide
from interviews.models import Interview
from interviews.tests.holding import ANSWERS, begin, hold, invite, say
from tests.factories import make_account, make_contact, make_guide

pytestmark = pytest.mark.django_db


class Mailbox:
    """Stands where campaigns' email channel does: keeps what was sent."""

    sent: ClassVar[list] = []

    def send(self, contact, *, purpose, content, attachments=(), key):
        self.sent.append((contacts.email_of(contact), purpose, content))


@pytest.fixture
def mailbox(settings):
    settings.CHANNELS = {"email": f"{__name__}.Mailbox"}
    Mailbox.sent.clear()
    return Mailbox.sent


@pytest.fixture
def guest(client):
    """A browser that has opened the link, and the interview it leads to."""
    invitation = invite()
    client.get(f"/i/{invitation.token}")
    return client, invitation.interview


def page_of(interview):
    return f"/chat/{interview.conversation_id}"


def test_a_link_becomes_a_cookie_of_its_one_conversation(client):
    invitation = invite()
    response = client.get(f"/i/{invitation.token}")
    assert (response.status_code, response["Location"]) == (302, page_of(invitation.interview))
    cookie = response.cookies["rapport_link"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (
        page_of(invitation.interview),
        True,
        "Lax",
    )
    assert invitation.token not in response["Location"]


def test_opening_a_link_is_a_hint_and_starts_nothing(guest):
    client, interview = guest
    assert client.get(page_of(interview)).status_code == 200
    interview.refresh_from_db()
    assert (interview.state, interview.has_begun) == ("opened", False)
    assert Message.objects.count() == 0


def test_a_head_request_is_answered_and_starts_nothing(client):
    invitation = invite()
    assert client.head(f"/i/{invitation.token}", follow=True).status_code == 200
    assert Message.objects.count() == 0


@pytest.mark.parametrize("path", ["", "/messages", "/status", "/transcript.pdf", "/delete"])
def test_a_stranger_gets_404(client, path):
    interview = hold()
    response = client.get(page_of(interview) + path)
    assert response.status_code == 404
    assert interview.guide.name not in response.content.decode()


@pytest.mark.parametrize("path", ["/begin", "/decline", "/delete", "/reopen"])
def test_a_stranger_changes_nothing(client, path):
    interview = invite().interview
    assert client.post(page_of(interview) + path).status_code == 404
    interview.refresh_from_db()
    assert interview.state == "invited"


def test_the_cookie_of_one_conversation_opens_no_other(client):
    mine, other = invite(), invite()
    client.get(f"/i/{mine.token}")
    client.cookies["rapport_link"]["path"] = "/"
    assert client.get(page_of(other.interview)).status_code == 404


def test_unknown_and_ended_links_get_a_calm_page(client):
    invitation = invite()
    AccessLink.objects.update(revoked_at=timezone.now())
    assert client.get(f"/i/{invitation.token}").status_code == 410
    assert client.get("/i/nothing-here").status_code == 404
    assert client.get("/chat/acme+someone@example.com").status_code == 404


@pytest.mark.parametrize("path", ["/i/nothing", "/i/deleted", "/chat/acme+a@example.com"])
def test_capability_pages_are_kept_and_told_nowhere(client, path):
    response = client.get(path)
    assert response["Referrer-Policy"] == "no-referrer"
    assert response["Cache-Control"] == "no-store"


def test_a_page_that_opened_is_kept_and_told_nowhere(guest):
    client, interview = guest
    response = client.get(page_of(interview))
    assert (response["Referrer-Policy"], response["Cache-Control"]) == ("no-referrer", "no-store")


def test_begin_keeps_the_consent_and_posted_twice_begins_once(guest):
    client, interview = guest
    for _time in range(2):
        assert client.post(page_of(interview) + "/begin")["Location"] == page_of(interview)
    interview.refresh_from_db()
    assert interview.state == "started"
    assert interview.contact.consents.get().text_version == "1"
    assert Message.objects.filter(conversation=interview.conversation_id).count() == 1


def test_nobody_agrees_to_words_they_have_not_read(guest):
    client, interview = guest
    mark = re.search(r'name="agreed_to" value="(\w+)"', client.get(page_of(interview)).content.decode())[1]
    change_guide(interview.guide, consent_text="Your answers are published with your name.")
    response = client.post(page_of(interview) + "/begin", {"agreed_to": mark}, follow=True)
    assert b"What you agree to has changed" in response.content
    assert b"published with your name" in response.content
    interview.refresh_from_db()
    assert (interview.state, interview.contact.consents.count()) == ("opened", 0)


def test_the_talk_shows_the_words_that_were_agreed_to(guest):
    client, interview = guest
    client.post(page_of(interview) + "/begin")
    agreed_to = interview.guide.consent_text
    change_guide(interview.guide, consent_text="Your answers are published with your name.")
    page = client.get(page_of(interview)).content.decode()
    assert agreed_to in page
    assert "published with your name" not in page


def test_a_form_without_its_csrf_token_is_refused(guest):
    from django.test import Client

    _client, interview = guest
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = _client.cookies
    assert strict.post(page_of(interview) + "/begin").status_code == 403


def test_who_declined_can_change_their_mind(guest):
    client, interview = guest
    client.post(page_of(interview) + "/decline")
    assert b"You said no, and that is fine" in client.get(page_of(interview)).content
    client.post(page_of(interview) + "/begin")
    interview.refresh_from_db()
    assert interview.state == "started"


def test_moves_that_are_not_possible_any_more_say_so(guest):
    client, interview = guest
    starting.begin(interview.pk, consent_evidence={})
    response = client.post(page_of(interview) + "/decline", follow=True)
    assert b"This is not possible any more." in response.content


def finished(client):
    guide = make_guide()
    invitation = starting.invite(guide, make_contact(guide.account))
    interview = starting.begin(invitation.interview.pk, consent_evidence={})
    for answer in ANSWERS:
        say(interview, answer)
    client.get(f"/i/{invitation.token}")
    return interview


def test_the_last_page_tells_what_was_told_in_own_words(client):
    interview = finished(client)
    text = client.get(page_of(interview)).content.decode()
    assert "Thank you" in text
    assert "Spreadsheets and a paper diary every single day" in text


def test_a_later_visit_says_that_they_have_answered_already(client):
    interview = finished(client)
    Interview.objects.update(completed_at=timezone.now() - timedelta(days=2))
    assert b"You have already answered" in client.get(page_of(interview)).content


def test_the_transcript_is_404_until_it_is_made(client):
    interview = finished(client)
    Interview.objects.update(pdf="")
    assert client.get(page_of(interview) + "/transcript.pdf").status_code == 404


def test_deleting_asks_first_and_then_ends_the_link(client):
    interview = finished(client)
    assert b"Delete your answers?" in client.get(page_of(interview) + "/delete").content
    assert Erasure.objects.count() == 0
    response = client.post(page_of(interview) + "/delete")
    assert response["Location"] == f"{reverse('answers-deleted')}?language=en"
    assert Erasure.objects.get().conversation_id_only == interview.conversation_id
    assert client.get(page_of(interview)).status_code == 404


def test_status_and_messages_are_json(client):
    interview = finished(client)
    status = client.get(page_of(interview) + "/status").json()
    assert status["pdf"]["state"] in ("working", "ready")
    page = client.get(page_of(interview) + "/messages?before=3").json()
    assert [message["seq"] for message in page["messages"]] == [1, 2]
    assert page["has_earlier"] is False


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30, "²"])
def test_a_bad_before_is_a_clear_error(client, before):
    interview = finished(client)
    assert client.get(page_of(interview) + "/messages", {"before": before}).status_code == 400


def test_what_people_wrote_is_escaped(client):
    interview = begin()
    _row, token = AccessLink.issue(interview.contact, "conversation", conversation=interview.conversation)
    client.get(f"/i/{token}")
    talk.record_message(interview.conversation, "<script>alert(1)</script>")
    text = client.get(page_of(interview)).content.decode()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_a_long_talk_needs_no_more_queries(client, django_assert_max_num_queries):
    interview = begin()
    _row, token = AccessLink.issue(interview.contact, "conversation", conversation=interview.conversation)
    client.get(f"/i/{token}")
    rows = [
        Message(conversation_id=interview.conversation_id, seq=seq, author="staff", text=f"Note {seq}")
        for seq in range(2, 300)
    ]
    Message.objects.bulk_create(rows)
    Conversation.objects.filter(pk=interview.conversation_id).update(last_seq=299)
    with django_assert_max_num_queries(5):
        text = client.get(page_of(interview)).content.decode()
    assert text.count('class="said') == 50


# --- a fresh link ---------------------------------------------------------------------------


def ask_for_link(client, reference):
    return client.post("/i/fresh", {"reference": reference})


def test_a_fresh_link_goes_to_the_address_on_file(client, mailbox):
    guide = make_guide()
    invitation = starting.invite(guide, make_contact(guide.account, email="ada@example.com"))
    Interview.objects.update(expires_at=timezone.now() - timedelta(days=1))
    AccessLink.objects.update(expires_at=timezone.now() - timedelta(days=1))
    assert ask_for_link(client, invitation.token).status_code == 200
    address, purpose, content = mailbox[0]
    assert (address, purpose) == ("ada@example.com", "transactional")
    assert client.get(urlsplit(content.button_url).path).status_code == 302
    assert AccessLink.objects.in_force().filter(purpose="conversation").count() == 1


def test_a_fresh_link_leaves_links_in_use_alone(client, mailbox):
    invitation = invite()
    ask_for_link(client, str(invitation.interview.conversation_id))
    assert client.get(f"/i/{invitation.token}").status_code == 302


def test_a_label_leads_to_the_newest_interview(client, mailbox):
    guide = make_guide(make_account("north"))
    starting.invite(guide, make_contact(guide.account, email="ada@example.com"))
    ask_for_link(client, "north+ada@example.com")
    assert len(mailbox) == 1


@pytest.mark.parametrize("reference", ["", "nothing", "north+", "a+b@c", "x" * 5000, "\x00", "+@"])
def test_the_answer_is_the_same_for_a_link_that_leads_nowhere(client, mailbox, reference):
    known = ask_for_link(client, invite().token)
    unknown = ask_for_link(client, reference)
    assert (unknown.status_code, unknown.content) == (known.status_code, known.content)
    assert len(mailbox) == 1


def test_a_person_is_not_flooded_with_links(client, mailbox):
    invitation = invite()
    for _time in range(3):
        assert ask_for_link(client, invitation.token).status_code == 200
    assert len(mailbox) == 1


def test_one_address_cannot_ask_for_ever(client, mailbox):
    found = {ask_for_link(client, "nothing").status_code for _time in range(8)}
    assert found == {200, 429}


def test_without_a_model_nobody_is_called_an_ai(guest):
    client, interview = guest
    assert b"Automatic interviewer" in client.get(page_of(interview)).content
    starting.begin(interview.pk, consent_evidence={})
    page = client.get(page_of(interview)).content
    assert b"Automatic interviewer" in page
    assert b"AI interviewer" not in page


def test_the_last_page_does_not_thank_twice(client):
    interview = finished(client)
    page = client.get(page_of(interview)).content.decode()
    assert "<h1>All done</h1>" in page
    assert page.count("Thank you") == 1


def test_the_last_page_thanks_where_the_closing_does_not(client):
    interview = finished(client)
    frozen = interview.frozen_guide
    frozen["brief"]["closing"] = "That was all we wanted to ask."
    Interview.objects.update(frozen_guide=frozen)
    assert "<h1>Thank you</h1>" in client.get(page_of(interview)).content.decode()


def test_the_last_page_of_who_stopped_does_not_say_that_it_was_all(client):
    invitation = invite()
    interview = starting.begin(invitation.interview.pk, consent_evidence={})
    say(interview, ANSWERS[0])
    say(interview, "I'd like to stop")
    client.get(f"/i/{invitation.token}")
    page = client.get(page_of(interview)).content.decode()
    assert "The interview ended before all was asked. What you told us is kept." in page
    assert "That was all we wanted to ask" not in page


def test_while_staff_speak_no_reply_is_announced(guest, django_user_model):
    client, interview = guest
    interview = starting.begin(interview.pk, consent_evidence={})
    conversation = Conversation.objects.get(pk=interview.conversation_id)
    talk.take_over(conversation, django_user_model.objects.create_user("sue", is_staff=True))
    talk.record_message(conversation, "Hello, who is there?")
    page = client.get(page_of(interview)).content.decode()
    assert "The reply is being written" not in page.partition('id="words"')[0]
    assert '"takenOver": true' in page
