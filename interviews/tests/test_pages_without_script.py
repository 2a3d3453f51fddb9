"""The chat as a form: each post is one whole turn."""

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient

from crm.models import Message
from interviews import starting
from interviews.models import Interview
from interviews.tests.holding import ANSWERS, invite

pytestmark = pytest.mark.django_db(transaction=True)


def begun():
    invitation = invite()
    starting.begin(invitation.interview.pk, consent_evidence={})
    return invitation


async def at_the_page(**defaults):
    invitation = await sync_to_async(begun)()
    client = AsyncClient(**defaults)
    client.cookies["rapport_link"] = invitation.token
    return client, f"/chat/{invitation.interview.conversation_id}", invitation.interview


async def said(interview):
    rows = Message.objects.filter(conversation_id=interview.conversation_id).order_by("seq")
    return [row async for row in rows.values_list("author", "state", "text")]


async def test_a_post_stores_the_message_waits_for_the_reply_and_goes_back():
    client, page, interview = await at_the_page()
    response = await client.post(f"{page}/send", {"text": ANSWERS[0], "client_message_id": "one"})
    assert (response.status_code, response["Location"]) == (302, f"{page}#latest")
    talk = await said(interview)
    assert [author for author, _state, _text in talk] == ["persona", "person", "persona"]
    assert talk[-1][1] == "complete"


async def test_the_same_form_posted_twice_is_one_message():
    client, page, interview = await at_the_page()
    for _time in range(2):
        await client.post(f"{page}/send", {"text": ANSWERS[0], "client_message_id": "one"})
    assert len(await said(interview)) == 3


async def test_skip_needs_no_text():
    client, page, interview = await at_the_page()
    await client.post(f"{page}/send", {"text": "", "act": "skip", "question_key": "role"})
    row = await Message.objects.aget(conversation_id=interview.conversation_id, author="person")
    assert (row.act, row.question_key) == ("skip", "role")


async def test_stop_ends_the_interview():
    client, page, interview = await at_the_page()
    await client.post(f"{page}/send", {"text": ANSWERS[0]})
    await client.post(f"{page}/send", {"act": "stop"})
    await interview.arefresh_from_db()
    assert interview.state in (Interview.State.COMPLETED, Interview.State.PROCESSED)


@pytest.mark.parametrize(
    ("form", "note"),
    [
        ({"text": "  "}, "empty"),
        ({"text": "x" * 4001}, "long"),
        ({"retry": "99"}, "refused"),
        ({"act": "correct", "text": "No", "client_message_id": "y" * 65}, "empty"),
    ],
)
async def test_what_cannot_be_taken_comes_back_with_a_note(form, note):
    client, page, _interview = await at_the_page()
    response = await client.post(f"{page}/send", form)
    assert response["Location"] == f"{page}?note={note}#latest"


async def test_a_stranger_gets_404_and_stores_nothing():
    _client, page, interview = await at_the_page()
    response = await AsyncClient().post(f"{page}/send", {"text": ANSWERS[0]})
    assert response.status_code == 404
    assert len(await said(interview)) == 1


async def test_a_get_stores_nothing():
    client, page, _interview = await at_the_page()
    assert (await client.get(f"{page}/send")).status_code == 405


async def test_a_correction_after_the_end_is_taken_and_ends_again():
    client, page, interview = await at_the_page()
    for text in ANSWERS:
        await client.post(f"{page}/send", {"text": text})
    await client.post(f"{page}/send", {"act": "correct", "question_key": "role", "text": "I am a midwife."})
    await interview.arefresh_from_db()
    assert interview.state in (Interview.State.COMPLETED, Interview.State.PROCESSED)
    answer = await interview.answers.aget(question_key="role")
    assert (answer.value, answer.is_corrected) == ("I am a midwife.", True)
