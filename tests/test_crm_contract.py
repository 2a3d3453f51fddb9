"""The documented CRM API over HTTP, against a running installation: examples, commands, client."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import requests

from tests.contracts.crm_client import ChatbotClient
from tests.contracts.shapes import differences
from tests.fakes.openai_server import OpenAIServer
from tests.installation import installation

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("installation")]

EXAMPLES = json.loads((Path(__file__).parent / "contracts" / "crm_chat.json").read_text())
MANUAL = """# Product manual

The product has live dashboards, an export to spreadsheets and reminders by email.

Its warranty lasts three years. Repairs are free in the first year.
"""


@pytest.fixture(scope="module")
def house():
    with OpenAIServer() as provider:
        settings = {"OPENAI_API_KEY": "test", "OPENAI_BASE_URL": provider.base_url, "OPENAI_MODEL": "gpt-4o"}
        with installation(settings) as running:
            yield running


@pytest.fixture(scope="module")
def story(house, tmp_path_factory):
    """One person's whole story; the answers by the names of the examples."""
    answers = {}

    def call(name, method, path, **more):
        answer = requests.request(method, house.url + path, timeout=60, **more)
        assert answer.headers["content-type"].startswith("application/json"), answer.text
        answers[name] = (answer.status_code, answer.json(), answer.headers)
        return answer.json()

    person = {"name": "John Doe", "email": "john@example.com", "phone": "+12025550123", "company": "Acme"}
    facts = {**person, "role": "Manager", "preferences": {"language": "en"}}
    user = call("POST /crm/create_user", "POST", "/crm/create_user", json=facts)["data"]
    token = call("POST /sessions/create", "POST", "/sessions/create", json={"user_id": user["id"]})["data"]
    call("GET /sessions/validate/{session_token}", "GET", f"/sessions/validate/{token['session_token']}")
    files = [
        ("files", ("product_manual.md", MANUAL.encode(), "text/markdown")),
        ("files", ("prices.csv", b"model,warranty\nX-200,three years\nX-300,five years\n", "text/csv")),
        ("files", ("broken.pdf", b"%PDF-1.7 but not really", "application/pdf")),
    ]
    call("POST /upload_docs", "POST", "/upload_docs", files=files)
    said = {
        "message": "What features does the product have?",
        "user_id": user["id"],
        "session_token": token["session_token"],
        "context": {"page": "pricing"},
    }
    chat = call("POST /chat", "POST", "/chat", json=said)
    answers["POST /chat (sample)"] = answers["POST /chat"]
    again = {**said, "message": "And how long is the warranty?", "conversation_id": chat["conversation_id"]}
    second = call("second", "POST", "/chat", json=again)
    assert second["conversation_id"] == chat["conversation_id"]
    rating = {"thumbs": 1}
    rated = requests.post(
        f"{house.url}/api/v1/chat/messages/{second['metadata']['message_id']}/rating", json=rating, timeout=30
    )
    assert rated.status_code == 200, rated.text
    for name in ("/crm/users/{user_id}", "/crm/conversations/{user_id}", "/admin/analytics/user/{user_id}"):
        call(f"GET {name}", "GET", name.format(user_id=user["id"]))
    # Beat does this every minute; a request never asks the provider.
    house.run("-c", "import django; django.setup(); from config.system.providers_probe import look; look()")
    for name in (
        "/crm/users",
        "/rag/stats",
        "/rag/documents",
        "/admin/analytics/system",
        "/admin/health/detailed",
        "/admin/settings",
    ):
        call(f"GET {name}", "GET", name)
    call("DELETE /rag/documents/{filename}", "DELETE", "/rag/documents/prices.csv")
    call("Validation Error", "POST", "/crm/create_user", json={"name": "Nobody", "email": ""})
    call("Not Found Error", "GET", "/crm/users/user-who-is-not-there")
    answers["Standard Error Response"] = answers["Validation Error"]
    answers["Processing Metadata"] = answers["GET /crm/users"]
    return answers


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_answer_has_every_field_of_the_documented_example(story, name):
    status, body, _headers = story[name]
    assert differences(EXAMPLES[name], body) == []
    assert status == {"Validation Error": 400, "Standard Error Response": 400, "Not Found Error": 404}.get(
        name, 200
    )


def test_the_answers_are_true_and_not_only_of_the_right_form(story):
    chat = story["POST /chat"][1]
    assert chat["rag_context"][0]["source"] == "product_manual.md"
    assert 0 < chat["rag_context"][0]["score"] <= 1
    assert chat["metadata"]["rag_documents_retrieved"] == len(chat["rag_context"])
    assert chat["metadata"]["tokens_used"] > 0
    uploaded = story["POST /upload_docs"][1]["data"]
    assert [item["status"] for item in uploaded["uploaded_files"]] == ["success", "success", "failed"]
    assert uploaded["uploaded_files"][2]["error"]
    stats = story["GET /crm/users/{user_id}"][1]["data"]["stats"]
    assert (stats["total_conversations"], stats["total_messages"]) == (1, 4)
    field = story["Validation Error"][1]["error"]
    assert (field["code"], field["field"]) == ("VALIDATION_ERROR", "email")


def test_every_answer_carries_its_limits_and_its_times(story):
    for name, (_status, body, headers) in story.items():
        for header in ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"):
            assert int(headers[header]) >= 0, (name, header)
        assert differences(EXAMPLES["Processing Metadata"]["metadata"], body["metadata"]) == [], name


def curl(*words):
    done = subprocess.run(["curl", "-s", *words], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
def test_the_six_commands_of_the_documented_chat_flow_work_one_after_the_other(house, tmp_path):
    """The ids and the token are those that the earlier answers gave, as the document tells its reader."""
    manual = tmp_path / "product_manual.txt"
    manual.write_text(MANUAL)
    form = ["-H", "Content-Type: application/json", "-d"]
    person = {"name": "John Doe", "email": "john.flow@example.com", "company": "Acme Corp"}
    user = curl("-X", "POST", f"{house.url}/crm/create_user", *form, json.dumps(person))["data"]["id"]
    created = curl("-X", "POST", f"{house.url}/sessions/create", *form, json.dumps({"user_id": user}))
    assert created["success"]
    uploaded = curl("-X", "POST", f"{house.url}/upload_docs", "-F", f"files=@{manual}")
    assert uploaded["data"]["total_failed"] == 0
    said = {
        "message": "What features does the product have?",
        "user_id": user,
        "session_token": created["data"]["session_token"],
    }
    answer = curl("-X", "POST", f"{house.url}/chat", *form, json.dumps(said))
    assert answer["response"]
    assert answer["user_info"]["email"] == "john.flow@example.com"
    talks = curl("-X", "GET", f"{house.url}/crm/conversations/{user}")
    assert [talk["id"] for talk in talks["data"]] == [answer["conversation_id"]]
    assert curl("-X", "GET", f"{house.url}/admin/analytics/system")["data"]["overview"]["total_users"] >= 1


def test_the_documented_python_client_works_as_it_stands(house, tmp_path):
    client = ChatbotClient(house.url)
    user = client.create_user("John Doe", "john.client@example.com", "Acme Corp")
    client.create_session(user["data"]["id"])
    response = client.send_message("Hello, how can you help me?", user["data"]["id"])
    assert response["response"]
    file = tmp_path / "notes.txt"
    file.write_text(MANUAL)
    assert client.upload_document(file)["data"]["total_uploaded"] == 1
    again = client.send_message(
        "What is the warranty?", user["data"]["id"], conversation_id=response["conversation_id"]
    )
    assert again["conversation_id"] == response["conversation_id"]
