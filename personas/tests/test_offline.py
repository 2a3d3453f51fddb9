"""Speaking without a model."""

import time
from dataclasses import replace

import pytest

from personas.providers.base import Act, Audio, Picture, Prompt, ProviderError, Source, Turn, TurnPlan
from personas.providers.offline import OfflineProvider
from personas.providers.registry import provider
from personas.tests.talking import answering, asking, reply_of

SOURCE = Source(4, "Note", "Holidays must be asked for two weeks ahead.")


async def said(prompt):
    return (await reply_of(provider("offline").stream(prompt)))[0]


def answer_plan(question, **plan):
    turns = [Turn("user", question), Turn("assistant", "Hm.")]
    return Prompt(system="", turns=turns, plan=TurnPlan(act=Act.ANSWER, **plan), sources=[SOURCE])


async def test_it_keeps_every_space_and_line_of_the_plan():
    text = "First line.\n\n  Second,  with spaces. "
    assert await said(asking(text)) == text.strip()


async def test_the_number_cited_is_the_sources_own():
    assert await said(answer_plan("How early must I ask for holidays?")) == f"{SOURCE.text} [4]"


async def test_what_the_sources_do_not_hold_is_said_so():
    assert (
        await said(answering("What is the capital of France?", SOURCE.text)) == "That is not in the sources."
    )


async def test_the_plans_own_words_are_said_when_the_sources_do_not_fit():
    assert await said(answer_plan("What is the capital of France?", say="I only know the handbook.")) == (
        "I only know the handbook."
    )


async def test_without_sources_the_plan_is_said():
    prompt = Prompt(system="", turns=[], plan=TurnPlan(act=Act.ANSWER, say="I cannot tell."))
    assert await said(prompt) == "I cannot tell."


async def test_a_question_with_nothing_to_read_is_not_in_the_sources():
    assert await said(answering("What?")) == "That is not in the sources."


async def test_sources_do_not_change_a_question_of_the_interview():
    prompt = Prompt(system="", turns=[], plan=TurnPlan(act=Act.ASK, say="Why?"), sources=[SOURCE])
    assert await said(prompt) == "Why?"


async def test_nothing_to_say_is_an_error_and_no_reply():
    with pytest.raises(ProviderError) as caught:
        await said(asking("  "))
    assert (caught.value.code, caught.value.retryable) == ("empty", False)


async def test_the_pace_may_be_set():
    begun = time.monotonic()
    await reply_of(
        OfflineProvider("offline", {"WORD_SECONDS": 0.02}).stream(asking("one two three four five"))
    )
    assert time.monotonic() - begun >= 0.1


async def test_done_tells_that_no_model_spoke():
    _, done = await reply_of(provider("offline").stream(asking()))
    assert (done.model, done.prompt_tokens, done.completion_tokens) == ("", None, None)


@pytest.mark.parametrize(
    ("attached", "words"),
    [
        ({"pictures": (Picture(b"x", "image/png"),)}, "look at pictures"),
        ({"audio": (Audio(b"x", "audio/wav"),)}, "listen"),
    ],
)
async def test_it_says_that_it_cannot_look_or_listen(attached, words):
    prompt = answering("What is slow?", "The old export tool is slow.")
    prompt = replace(prompt, turns=[Turn("user", "What is slow?", **attached)])
    text, _ = await reply_of(provider("offline").stream(prompt))
    assert text.startswith("The old export tool is slow. [1]")
    assert "No AI model is connected" in text
    assert words in text
