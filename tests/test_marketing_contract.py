"""The documented marketing API over HTTP, against a running installation: one account's whole story."""

import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

from tests.contracts.marketing_client import MarketingClient
from tests.contracts.shapes import differences
from tests.fakes.smtp_sink import Script, SmtpSink
from tests.installation import installation

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("installation")]

EXAMPLES = json.loads((Path(__file__).parent / "contracts" / "marketing.json").read_text())
BUCKET = "chat-interviews"
ADA, BO, CY = "ada+work@example.com", "bo@example.com", "cy@example.com"
TEXTS = (
    "I plan the shifts of twelve nurses on a busy children's ward, every month anew and mostly alone.",
    "We moved the whole ward to one calendar last spring; swaps are now agreed in minutes, not days.",
    "Nobody trusted the new calendar, so we kept the paper diary beside it for six weeks and compared.",
    "A shared calendar, a weekly review of ten minutes, and one person who may say no to a swap.",
    "People think that planning is software. It is trust: change one thing at a time and show the result.",
)


@pytest.fixture(scope="module")
def s3():
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=f"http://{host}:{port}", **keys).create_bucket(Bucket=BUCKET)
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def sink():
    with SmtpSink(Script(offers_auth=True)) as running:
        yield running


@pytest.fixture(scope="module")
def client(s3):
    stored = {"AWS_S3_BUCKET": BUCKET, "AWS_S3_ENDPOINT_URL": s3, "AWS_REGION": "us-east-1"}
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "RAPPORT_SWEEP_SECONDS": "2"}
    with installation({**stored, **keys}) as house:
        yield MarketingClient(house.url, "user123")


def wait_for(found, *, seconds=60):
    deadline = time.monotonic() + seconds
    while not (value := found()) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert value, f"it did not come within {seconds} s"
    return value


@pytest.fixture(scope="module")
def story(client, sink):
    """The answers by the names of the examples; and what the person saw."""
    _set_up(client, sink)
    _make_agents(client)
    _list_people(client)
    seen = {"email": _invited(client, sink)}
    seen["stream"] = _talk(client)
    _finish(client)
    _look_back(client)
    _report(client)
    return client.answers, seen


def _set_up(client, sink):
    client.login()
    client.login("POST /accounts (again)")
    client.call("GET /accounts/{user_id}", "/accounts/user123")
    client.call("PATCH /accounts/{user_id}", "/accounts/user123", json={"agent_id": "agent457"})
    client.set_smtp(host="127.0.0.1", port=sink.port, security="none")
    client.call("GET /smtp/{user_id}", "/smtp/user123")


def _make_agents(client):
    body = {"user_id": "user123", "token": "lyzr-key"}
    made = client.call("POST /agents/create", "/agents/create", json=body)
    client.call("POST /agents/chat/create", "/agents/chat/create", json=body)
    client.call("GET /agents/{agent_id}/info", f"/agents/{made['agent_id']}/info")


def _list_people(client):
    client.upload(f"﻿Name, Email \r\nAda,{ADA}\r\nBo,{BO}\r\nNobody,not-an-address\r\n".encode())
    client.add_email(CY)
    client.emails()
    body = {
        "user_id": "user123",
        "email": CY,
        "content": "Hi {email}: {interview_link}",
        "created_at": "2026-11-20T17:25:31Z",
    }
    client.call("POST /email-content", "/email-content", json=body)
    client.call("GET /email-content/{user_id}/{email}", f"/email-content/user123/{CY}")
    client.call("GET /email-content/{user_id}", "/email-content/user123")
    client.call("DELETE /email-content/{user_id}/{email}", f"/email-content/user123/{CY}")
    client.call("DELETE /email-content/{user_id}", "/email-content/user123")


def _invited(client, sink):
    """Ada's invitation, from the wire."""
    now = datetime.now(UTC)
    client.set_scheduler(max_limit=3, interval=60, time=f"{now:%H:%M}")
    client.call("GET /scheduler/{user_id}", "/scheduler/user123")
    client.start(ADA)
    return wait_for(lambda: [one for one in sink.received if one.recipient == ADA])[0].message


def _talk(client):
    client.status(ADA)
    client.call("GET /interview/redirect/{token}", f"/interview/redirect/user123-{ADA}")
    client.call(
        "GET /interview/chat-link/{user_id}/{email}", f"/interview/chat-link/user123/{ADA}?agent_id=agent456"
    )
    streamed = client.stream(ADA, "Hello, I'm here for the interview")
    for text in TEXTS[:2]:
        client.send(ADA, text)
    client.call("GET /interview/{token}", f"/interview/user123-{ADA}")
    client.history(ADA)
    return streamed


def _finish(client):
    client.call("POST /interview/complete/{token}", f"/interview/complete/user123-{ADA}")
    client.call("POST /chat/session/complete/{session_id}", f"/chat/session/complete/user123+{ADA}")
    wait_for(lambda: client.finish(ADA)["workflow_completed"])


def _look_back(client):
    client.call("GET /chat/sessions/{user_id}", "/chat/sessions/user123")
    pdfs = client.call("GET /knowledge-base/pdfs/{user_id}", "/knowledge-base/pdfs/user123")["pdfs"]
    for name in ("pdfs-categorized", "categories"):
        client.call(f"GET /knowledge-base/{name}/{{user_id}}", f"/knowledge-base/{name}/user123")
    client.call(
        "GET /knowledge-base/pdfs/{user_id}/category/{category}",
        "/knowledge-base/pdfs/user123/category/General%20Discussion",
    )
    path = f"/knowledge-base/pdfs/{pdfs[0]['id']}/signed-url"
    client.call("GET /knowledge-base/pdfs/{pdf_id}/signed-url", path)
    query = {"s3_url": pdfs[0]["pdf_url"], "expiration_hours": 2}
    client.call("GET /s3/presigned-url", "/s3/presigned-url", params=query)
    client.call("GET /email-thread/{user_id}/{email}", f"/email-thread/user123/{ADA}")
    client.call("GET /email-threads/{user_id}", "/email-threads/user123")


def _report(client):
    told = {"status": "failed", "error_message": "mailbox full"}
    client.call("PUT /emails/{user_id}/{email}/status", f"/emails/user123/{BO}/status", json=told)
    client.call("PATCH /emails/{user_id}/{email}", f"/emails/user123/{BO}", json={"follow_up_count": 2})
    client.call("DELETE /emails/{user_id}/{email}", f"/emails/user123/{BO}")


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_answer_has_every_documented_field(story, name):
    status, body = story[0][name]
    assert status == 200, body
    assert differences(EXAMPLES[name], body) == []


def test_the_invitation_came_by_email_and_its_link_leads_to_the_interview(story, client):
    message = story[1]["email"]
    link = re.search(r"http://127\.0\.0\.1:\d+/i/[\w-]+", message.get_body(("plain",)).get_content())[0]
    page = requests.get(link, timeout=20)

    assert message["From"].addresses[0].addr_spec == "hello@example.com"
    assert "List-Unsubscribe" in message
    assert page.status_code == 200
    assert "/chat/" in page.url


def test_the_browser_clients_stream_reached_the_interview(story):
    text, others = story[1]["stream"]

    assert text.endswith("?")
    assert [frame if frame == "[DONE]" else frame["type"] for frame in others] == [
        "metadata", "complete", "[DONE]",
    ]  # fmt: skip
    history = story[0]["GET /chat/history/{session_id}"][1]
    assert history["message_count"] == 3
    assert [message["role"] for message in history["messages"]] == ["user", "assistant"] * 3


def test_the_presigned_address_opens_the_pdf_in_s3(story, s3):
    answer = story[0]["GET /s3/presigned-url"][1]

    assert answer["presigned_url"].startswith(f"{s3}/{BUCKET}/")
    assert requests.get(answer["presigned_url"], timeout=20).content.startswith(b"%PDF-")


def test_what_was_sent_is_in_the_thread_without_its_capability(story):
    letter = story[0]["GET /email-thread/{user_id}/{email}"][1]["thread"][0]

    assert (letter["email_status"], letter["follow_up_number"]) == ("sent", 1)
    assert not re.search(r"/i/[\w-]{20,}", letter["content"])


def test_a_file_was_read_with_its_mark_and_its_bad_row(story):
    told = story[0]["POST /emails/upload-csv"][1]
    assert told["message"].startswith("2 emails added")
    assert (told["skipped"], told["invalid"]) == (0, 1)


def test_the_same_story_again_makes_nothing_twice(story, client):
    before = client.call("before", "/knowledge-base/pdfs/user123", method="GET")["pdf_count"]
    assert client.start(ADA)["status"] in ("completed", "processed")
    client.finish(ADA)
    assert client.call("after", "/knowledge-base/pdfs/user123", method="GET")["pdf_count"] == before == 1


def test_the_other_accounts_of_the_house_are_not_named_by_a_key(story, client):
    made = client.call("new", "/accounts", method="POST", json={"user_id": "user456", "api_key": ""})
    headers = {"Authorization": f"Bearer {made['access_key']}"}
    for path in ("/emails/user123", "/accounts/user123", f"/chat/history/user123+{ADA}"):
        assert requests.get(client.base_url + path, headers=headers, timeout=20).status_code == 404
