"""The documented persona API over HTTP, against a running installation: one user's whole story."""

import json
from pathlib import Path

import pytest
import requests

from crm.tests.media_samples import picture, wav
from tests.contracts.shapes import differences
from tests.fakes.openai_server import OpenAIServer
from tests.installation import installation
from tests.user_tokens import ISSUER, SECRET, as_user

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("installation")]

EXAMPLES = json.loads((Path(__file__).parent / "contracts" / "persona.json").read_text())
V1 = "/api/v1/chat/conversations"


@pytest.fixture(scope="module")
def house():
    with OpenAIServer() as provider:
        settings = {
            "JWT_SECRET_KEY": SECRET,
            "JWT_ISSUER": ISSUER,
            "OPENAI_API_KEY": "test",
            "OPENAI_BASE_URL": provider.base_url,
            "OPENAI_MODEL": "gpt-4o",
        }
        with installation(settings, "--seed-demo") as running:
            yield running


class Story:
    """Answers by the operation that gave them."""

    def __init__(self, url):
        self.url, self.answers = url, {}

    def call(self, name, method, path, *, user="alice", **more):
        headers = {**(as_user(user) if user else {}), **more.pop("headers", {})}
        answer = requests.request(method, self.url + path, headers=headers, timeout=60, **more)
        assert answer.headers["content-type"].startswith("application/json"), answer.text
        self.answers[name] = (answer.status_code, answer.json())
        return answer.json()

    def upload(self, name, file, kind):
        return self.call(name, "POST", "/api/v1/media/upload", files={"file": file}, data={"type": kind})


@pytest.fixture(scope="module")
def story(house):
    told = Story(house.url)
    listed = told.call("listInfluencers", "GET", "/api/v1/influencers", user=None)
    influencer = listed["influencers"][0]["id"]
    told.call("getInfluencer", "GET", f"/api/v1/influencers/{influencer}", user=None)
    chat = told.call("createConversation", "POST", V1, json={"influencer_id": influencer})["id"]
    path = f"{V1}/{chat}"
    text = {"content": "Your message here", "message_type": "text"}
    told.call("text", "POST", f"{path}/messages", json=text)
    image = told.upload("uploadMedia", ("loaf.jpg", picture(), "image/jpeg"), "image")
    audio = told.upload("uploadAudio", ("note.wav", wav(2), "audio/wav"), "audio")
    multimodal = {"content": "Analyze this image", "message_type": "multimodal", "media_urls": [image["url"]]}
    told.call("multimodal", "POST", f"{path}/messages", json=multimodal)
    only = {"message_type": "image", "media_urls": [image["storage_key"]]}
    told.call("image", "POST", f"{path}/messages", json=only)
    spoken = {"message_type": "audio", "audio_url": audio["url"], "audio_duration_seconds": 15}
    told.call("audio", "POST", f"{path}/messages", json=spoken)
    told.call("listMessages", "GET", f"{path}/messages?order=asc")
    told.call("listConversations", "GET", V1)
    told.call("listConversationsV2", "GET", V1.replace("v1", "v2"))
    told.call("markConversationAsRead", "POST", f"{path}/read")
    told.call("stranger", "GET", f"{path}/messages", user="bob")
    told.call("nobody", "GET", V1, user=None, headers={"Authorization": "Bearer x"})
    told.call("invalid", "POST", f"{path}/messages", json={"message_type": "text"})
    told.call("deleteConversation", "DELETE", path)
    told.call("deleted", "DELETE", path)
    return told.answers


CODES = {
    "createConversation": 201,
    "stranger": 404,
    "deleted": 404,
    "nobody": 401,
    "invalid": 422,
}
NOTHING = type(None)
SENDS = ("text", "multimodal", "image", "audio")


def test_every_call_has_its_documented_code(story):
    assert {name: code for name, (code, _body) in story.items()} == {
        name: CODES.get(name, 200) for name in story
    }


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in ("message", "error")])
def test_an_answer_has_every_documented_field(story, name):
    assert differences(EXAMPLES[name], story[name][1]) == []


@pytest.mark.parametrize("name", SENDS)
def test_both_messages_of_a_turn_have_every_documented_field(story, name):
    body = story[name][1]
    for message in (body["user_message"], body["assistant_message"]):
        example = EXAMPLES["message"]
        if name == "image" and message["role"] == "user":
            example = {**example, "content": "(optional) text"}
        assert differences(example, message) == []
        assert isinstance(message["media_urls"], list)
        by_us = message["role"] == "assistant"
        assert isinstance(message["token_count"], int if by_us else NOTHING)
        heard = name == "audio" and not by_us
        assert isinstance(message["audio_duration_seconds"], int if heard else NOTHING)
    assert len(body["user_message"]["media_urls"]) == (1 if name in ("image", "multimodal") else 0)
    assert body["user_message"]["message_type"] == name
    assert body["assistant_message"]["message_type"] == "text"


def test_messages_in_lists_are_those_that_were_sent(story):
    listed = story["listMessages"][1]["messages"]
    assert [message["message_type"] for message in listed if message["role"] == "user"] == list(SENDS)
    assert len(listed) == story["listMessages"][1]["total"] == 9
    assert story["deleteConversation"][1]["deleted_messages_count"] == 9
    recent = story["listConversations"][1]["conversations"][0]["recent_messages"]
    assert [message["id"] for message in recent] == [message["id"] for message in reversed(listed)]


def test_the_voice_message_was_written_down(story):
    content = story["audio"][1]["user_message"]["content"]
    assert content == "[Transcribed: Good morning, this is Ada.]"


@pytest.mark.parametrize("name", ["stranger", "nobody", "invalid", "deleted"])
def test_errors_have_the_documented_body(story, name):
    assert differences(EXAMPLES["error"], story[name][1]) == []
    assert story[name][1]["detail"] == story[name][1]["message"]
    assert "details" in story[name][1]


def test_a_reply_is_streamed(house):
    told = Story(house.url)
    influencer = told.call("list", "GET", "/api/v1/influencers")["influencers"][0]["id"]
    chat = told.call("begin", "POST", V1, json={"influencer_id": influencer}, user="carol")["id"]
    headers = {**as_user("carol"), "Accept": "text/event-stream"}
    body = {"message_type": "text", "content": "Hello"}
    with requests.post(
        f"{house.url}{V1}/{chat}/messages", json=body, headers=headers, stream=True, timeout=60
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        names = [line.removeprefix(b"event: ") for line in answer.iter_lines() if line.startswith(b"event: ")]
    assert names[0] == b"accepted"
    assert names[-1] == b"done"
    assert b"delta" in names


def test_without_a_header_the_demo_has_one_user(house):
    body = requests.get(house.url + V1, timeout=60).json()
    assert (body["conversations"], body["total"]) == ([], 0)
