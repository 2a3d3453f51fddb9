"""What goes over Gemini's wire, and how what comes back is read, by the real SDK."""

import asyncio
import base64
import subprocess
import sys

import pytest

from personas.providers.base import Act, Audio, Picture, Prompt, ProviderError, Turn, TurnPlan
from personas.providers.registry import provider
from personas.tests.talking import answering, asking, reply_of
from tests.fakes.gemini_server import MAX_TOKENS, Behaviour
from tests.fakes.openai_words import embedding

pytestmark = pytest.mark.usefixtures("gemini_settings")

PIXELS = b"\xff\xd8 a picture"


async def said(gemini, behaviour=None, prompt=None):
    gemini.script(behaviour or Behaviour())
    return await reply_of(provider("gemini").stream(prompt or asking()))


async def test_the_request_is_in_the_words_of_the_api(gemini):
    prompt = asking("Why?", turns=[Turn("user", "Hello"), Turn("assistant", "Hi."), Turn("user", "So?")])
    await said(gemini, prompt=prompt)
    request = gemini.requests[0]
    assert request.path.startswith("/v1beta/models/gemini-fake:streamGenerateContent")
    assert request.headers["x-goog-api-key"] == "key-secret-of-the-installation"
    assert request.json["systemInstruction"]["parts"][0] == {"text": "You are Nora."}
    roles = [content["role"] for content in request.json["contents"]]
    assert roles == ["user", "model", "user"]
    assert request.json["generationConfig"]["maxOutputTokens"] == 600


async def test_a_picture_and_a_recording_go_inline(gemini):
    turn = Turn("user", "What is this?", pictures=(Picture(PIXELS, "image/jpeg"),))
    heard = Turn("user", "", audio=(Audio(b"ID3 sound", "audio/mpeg"),))
    await said(gemini, prompt=asking("A cat.", turns=[turn, heard]))
    [content] = gemini.requests[0].json["contents"]
    assert content["parts"] == [
        {"text": "What is this?"},
        {"inlineData": {"mimeType": "image/jpeg", "data": base64.b64encode(PIXELS).decode()}},
        {"inlineData": {"mimeType": "audio/mp3", "data": base64.b64encode(b"ID3 sound").decode()}},
    ]


@pytest.mark.parametrize("turns", [[], [Turn("assistant", "Hello, I am Nora.")]])
async def test_a_talk_that_the_persona_begins_has_a_turn_of_the_person(gemini, turns):
    await said(gemini, prompt=asking(turns=turns))
    roles = [content["role"] for content in gemini.requests[0].json["contents"]]
    assert roles in (["user"], ["user", "model", "user"])


async def test_passages_come_before_the_question_they_are_for(gemini):
    await said(gemini, prompt=answering("What is slow?", "The old export tool is slow."))
    [content] = gemini.requests[0].json["contents"]
    assert "export tool" in content["parts"][0]["text"]
    assert content["parts"][1] == {"text": "What is slow?"}


async def test_thinking_is_counted_with_the_answer(gemini):
    _, done = await said(gemini, Behaviour(reply="one two three"))
    assert (done.prompt_tokens, done.completion_tokens) == (11, 3 + 5)
    assert (done.model, done.finish) == ("gemini-fake", "stop")


async def test_a_server_that_counts_nothing_is_fine(gemini):
    _, done = await said(gemini, Behaviour(reply="one two", usage=False))
    assert (done.prompt_tokens, done.completion_tokens) == (None, None)


async def test_a_reply_cut_at_its_length_says_so(gemini):
    text, done = await said(gemini, Behaviour(reply="one two", finish=MAX_TOKENS))
    assert (text, done.finish) == ("one two", "length")


async def test_the_reply_ends_where_the_model_plays_the_person(gemini):
    text, _ = await said(gemini, Behaviour(reply="What do you do?\n\nUser: I bake.\nAssistant: Nice."))
    assert text == "What do you do?"


async def test_the_limits_of_the_entry_hold(gemini, gemini_settings):
    gemini_settings.PROVIDERS["gemini"] |= {"MAX_TOKENS": 100, "THINKING_TOKENS": 50, "TEMPERATURE": 0.1}
    plan = TurnPlan(act=Act.ASK, say="Why?", max_tokens=300)
    await said(gemini, prompt=Prompt(system="", turns=[], plan=plan, stop=["END"]))
    config = gemini.requests[0].json["generationConfig"]
    assert (config["maxOutputTokens"], config["temperature"], config["stopSequences"]) == (150, 0.1, ["END"])


async def test_vectors_come_in_the_order_of_the_texts(gemini):
    texts = [f"text number {number}" for number in range(150)]
    vectors = await provider("gemini").embed("", texts)
    assert vectors[149] == pytest.approx(embedding(texts[149]), abs=1e-6)
    assert [len(request.json["requests"]) for request in gemini.requests] == [100, 50]
    assert "/v1beta/models/embedding-fake:batchEmbedContents" in gemini.requests[0].path


async def test_a_text_without_words_has_no_vector(gemini):
    with pytest.raises(ProviderError) as caught:
        await provider("gemini").embed("", ["one", " "])
    assert caught.value.code == "invalid_request"
    assert gemini.requests == []


@pytest.mark.parametrize("vectors", [[[0.5, 0.5]], [[0.5], []], [[0.5], [0.5, 0.1]], [["NaN"], [0.1]]])
async def test_what_are_no_vectors_is_refused(gemini, vectors):
    gemini.script(Behaviour(vectors=vectors))
    with pytest.raises(ProviderError) as caught:
        await provider("gemini").embed("", ["one", "two"])
    assert caught.value.code == "bad_response"


async def test_speech_is_written_down_as_it_was_said(gemini):
    gemini.transcription = "User: is a word that I say."
    heard = await provider("gemini").transcribe(Audio(b"ID3 sound", "audio/mpeg"))
    assert (heard.text, heard.model) == ("User: is a word that I say.", "gemini-fake")
    parts = gemini.requests[0].json["contents"][0]["parts"]
    assert parts[1]["inlineData"]["mimeType"] == "audio/mp3"


async def test_one_thread_keeps_its_connection(gemini, settings):
    for _ in range(3):
        await said(gemini)
    assert gemini.connections <= 3
    assert len(gemini.requests) == 3


async def test_more_calls_than_threads_wait_for_their_turn(gemini):
    gemini.behaviour = Behaviour(first_token_seconds=0.05)
    count = 40
    replies = await asyncio.gather(
        *(reply_of(provider("gemini").stream(asking(f"Number {n}?"))) for n in range(count))
    )
    assert [text for text, _ in replies] == [f"Number {n}?" for n in range(count)]


IMPORTED = """
import os, sys, django
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()
from personas.providers.registry import provider
provider("gemini")
print([name for name in sys.modules if name.startswith("google.gen")])
"""


def test_the_sdk_is_imported_only_by_whoever_speaks():
    found = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    assert found.stdout.strip().endswith("[]")
