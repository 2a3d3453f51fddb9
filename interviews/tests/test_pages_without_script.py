"""The chat as a form: each post is one whole turn."""

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient

from crm import talk
from crm.models import Message
from interviews import pages_without_script, starting
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


async def hold_at(client, page):
    for text in ANSWERS:
        await client.post(f"{page}/send", {"text": text})


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


async def test_a_button_leads_back_to_the_question_before():
    client, page, interview = await at_the_page()
    await client.post(f"{page}/send", {"text": ANSWERS[0]})
    await client.post(f"{page}/send", {"act": "back", "question_key": "tools"})
    told = (await said(interview))[-1][2]
    assert told.startswith("Let us go back to this one")
    row = await Message.objects.filter(conversation_id=interview.conversation_id, author="person").alast()
    assert (row.text, row.act, row.question_key) == ("Please go back.", "back", "role")


async def test_stop_ends_the_interview():
    client, page, interview = await at_the_page()
    await client.post(f"{page}/send", {"text": ANSWERS[0]})
    await client.post(f"{page}/send", {"act": "stop"})
    await interview.arefresh_from_db()
    assert interview.state in (Interview.State.COMPLETED, Interview.State.PROCESSED)


@pytest.mark.parametrize(("form", "note"), [({"text": "  "}, "empty"), ({"retry": "99"}, "refused")])
async def test_a_form_without_words_comes_back_with_a_note(form, note):
    client, page, _interview = await at_the_page()
    response = await client.post(f"{page}/send", form)
    assert response["Location"] == f"{page}?note={note}#latest"


async def test_words_that_are_too_many_are_in_their_box_again():
    client, page, interview = await at_the_page()
    response = await client.post(f"{page}/send", {"text": "y" * 4001})
    shown = response.content.decode()
    assert (response.status_code, "That is more than fits" in shown) == (400, True)
    assert f">{'y' * 4001}</textarea>" in shown
    assert len(await said(interview)) == 1


async def test_words_written_while_a_reply_is_being_written_are_in_their_box_again():
    client, page, interview = await at_the_page()
    await sync_to_async(talk.record_message)(interview.conversation, ANSWERS[0], with_reply=True)
    response = await client.post(f"{page}/send", {"text": "And one thing <more>"})
    shown = response.content.decode()
    assert (response.status_code, "still being answered" in shown) == (409, True)
    assert ">And one thing &lt;more&gt;</textarea>" in shown
    assert 'http-equiv="refresh"' not in shown  # it would take the words away


async def test_who_sends_very_fast_keeps_the_words(monkeypatch):
    monkeypatch.setattr(pages_without_script, "PER_TALK", {"per_second": 0, "per_minute": 1})
    client, page, _interview = await at_the_page()
    for _time in range(2):
        response = await client.post(f"{page}/send", {"text": ANSWERS[1]})
    assert (response.status_code, f">{ANSWERS[1]}</textarea>" in response.content.decode()) == (429, True)


async def test_words_that_come_after_the_end_are_shown_once_more():
    client, page, _interview = await at_the_page()
    await hold_at(client, page)
    response = await client.post(f"{page}/send", {"text": "One last thought"})
    shown = response.content.decode()
    assert (response.status_code, "What you wrote last came after the end" in shown) == (409, True)
    assert "<p>One last thought</p>" in shown


@pytest.mark.parametrize("text", ["   ", "z" * 4001], ids=["empty", "long"])
async def test_a_correction_that_cannot_be_taken_leaves_the_interview_ended(text):
    client, page, interview = await at_the_page()
    await hold_at(client, page)
    form = {"act": "correct", "question_key": "role", "text": text}
    response = await client.post(f"{page}/send", form)
    await interview.arefresh_from_db()
    assert interview.state in (Interview.State.COMPLETED, Interview.State.PROCESSED)
    assert response.status_code == 302 or f">{text}</textarea>" in response.content.decode()


async def test_a_line_end_counts_as_one_character():
    client, page, interview = await at_the_page()
    text = "\n".join(["x" * 99] * 40)  # 3,999 characters in the box
    response = await client.post(f"{page}/send", {"text": text.replace("\n", "\r\n")})
    assert response.status_code == 302
    assert (await said(interview))[1][2] == text


async def test_a_stranger_gets_404_and_stores_nothing():
    _client, page, interview = await at_the_page()
    response = await AsyncClient().post(f"{page}/send", {"text": ANSWERS[0]})
    assert response.status_code == 404
    assert len(await said(interview)) == 1


@pytest.mark.parametrize("target", ["send", "begin", "decline", "reopen", "call"])
async def test_a_tab_that_is_restored_at_the_target_of_a_form_is_the_page_again(target):
    client, page, interview = await at_the_page()
    response = await client.get(f"{page}/{target}")
    assert (response.status_code, response["Location"].partition("#")[0]) == (302, page)
    assert (await client.put(f"{page}/{target}")).status_code == 405
    assert len(await said(interview)) == 1


async def test_a_correction_after_the_end_is_taken_and_ends_again():
    client, page, interview = await at_the_page()
    await hold_at(client, page)
    await client.post(f"{page}/send", {"act": "correct", "question_key": "role", "text": "I am a midwife."})
    await interview.arefresh_from_db()
    assert interview.state in (Interview.State.COMPLETED, Interview.State.PROCESSED)
    answer = await interview.answers.aget(question_key="role")
    assert (answer.value, answer.is_corrected) == ("I am a midwife.", True)
