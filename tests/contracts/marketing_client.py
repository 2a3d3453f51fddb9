"""A client of the documented marketing API, with the habits of its public browser client.

It sends no credential, puts `POST /interview/start` into the query with an empty body and the plus of an
address as it is, reports a status as JSON, takes words from a stream line by line, and finishes an
interview by complete, process and kb-training, one after the other.
"""

import json
from urllib.parse import quote

import requests

NOW = "2026-11-20T17:25:31.186Z"


class MarketingClient:
    def __init__(self, base_url, user_id):
        self.base_url, self.user_id = base_url, user_id
        self.answers = {}

    def call(self, name, path, *, method=None, **more):
        """The answer's body, kept under the name of its documented example."""
        verb = method or name.partition(" ")[0]
        answer = requests.request(verb, self.base_url + path, timeout=60, **more)
        assert answer.headers["content-type"].startswith("application/json"), answer.text
        self.answers[name] = (answer.status_code, answer.json())
        return answer.json()

    # --- set up -------------------------------------------------------------------------------
    def login(self, name="POST /accounts"):
        ids = {"agent_id": "agent456", "rag_id": "rag789"}
        return self.call(name, "/accounts", json={"user_id": self.user_id, "api_key": "", **ids})

    def set_smtp(self, **server):
        body = {"user_id": self.user_id, "username": "hello@example.com", "password": "secret", **server}
        return self.call("POST /smtp", "/smtp", json={**body, "created_at": NOW})

    def set_scheduler(self, **times):
        body = {"user_id": self.user_id, **times, "created_at": NOW}
        return self.call("POST /scheduler", "/scheduler", json=body)

    def add_email(self, email):
        body = {"user_id": self.user_id, "email": email, "created_at": NOW, "updated_at": NOW}
        return self.call("POST /emails", "/emails", json=body)

    def upload(self, content):
        path = f"/emails/upload-csv?user_id={self.user_id}"
        return self.call("POST /emails/upload-csv", path, files={"file": ("people.csv", content, "text/csv")})

    def emails(self):
        return self.call("GET /emails/{user_id}", f"/emails/{self.user_id}")

    # --- interviews ---------------------------------------------------------------------------
    def session_id(self, email):
        return f"{self.user_id}+{email}"

    def start(self, email):
        path = f"/interview/start?user_id={self.user_id}&email={email}"
        return self.call("POST /interview/start", path, json={})

    def status(self, email):
        name = "GET /interview/status/{user_id}/{email}"
        return self.call(name, f"/interview/status/{self.user_id}/{quote(email)}")["status"]

    def said(self, email, text):
        return {
            "user_id": self.user_id,
            "agent_id": "agent456",
            "session_id": self.session_id(email),
            "message": text,
        }

    def send(self, email, text):
        return self.call("POST /chat/send", "/chat/send", json=self.said(email, text))

    def stream(self, email, text, *, path="/chat/agent/send/stream"):
        """The text as the browser client puts it together, and the frames that hold no text."""
        answer = requests.post(self.base_url + path, json=self.said(email, text), stream=True, timeout=60)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/event-stream")
        words, others = [], []
        for line in answer.iter_lines(decode_unicode=True):
            if not line.startswith("data: "):
                continue
            data = line.removeprefix("data: ")
            if data == "[DONE]":
                others.append(data)
                continue
            frame = json.loads(data)
            words.append(frame["content"]) if "content" in frame else others.append(frame)
        return "".join(words), others

    def history(self, email):
        path = f"/chat/history/{quote(self.session_id(email), safe='')}?agent_id=agent456"
        return self.call("GET /chat/history/{session_id}", path)

    def finish(self, email):
        session = quote(self.session_id(email), safe="")
        body = {"user_id": self.user_id, "email": email}
        self.call("POST /chat/interview/complete/{session_id}", f"/chat/interview/complete/{session}")
        processed = self.call("POST /interview/process", "/interview/process", json=body)
        self.call("POST /interview/kb-training", "/interview/kb-training", json=body)
        return processed
