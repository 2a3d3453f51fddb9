"""The main job against a running server, through its public HTTP and websocket interfaces alone.

A campaign invites people by email, each opens the link, agrees and is interviewed live; the transcript
becomes a PDF, is stored and read into the knowledge; a question is answered with citations.
"""

import asyncio
import json
import re
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlparse

import aiohttp
import pypdfium2

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "demo"
QUESTION = "Why do patients not show up?"
LINK = re.compile(r"https?://[^\s\"'<>]+/i/[A-Za-z0-9_-]{20,}")
CSRF_FIELD = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
CITED = re.compile(r"/interview/([0-9a-f-]{36})/transcript/\?message=(\d+)")
PATIENCE_SECONDS = 90
Json = dict[str, Any]
Say = Callable[[str], None]


class DemonstrationError(Exception):
    """A part of the job did not do what it must; the words say which and how."""


@dataclass
class Report:
    """What `manage.py demo --json` prints."""

    invited: int = 0
    sent: int = 0
    interviews_completed: int = 0
    pdf: Json = field(default_factory=dict)
    document: str = ""
    chunks: int = 0
    question: str = QUESTION
    answer: str = ""
    citations: list[Json] = field(default_factory=list)

    def as_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, indent=2)


async def until(what: str, check: Callable[[], Awaitable[Any]], *, patience: float = PATIENCE_SECONDS) -> Any:
    """The first true thing that `check` returns, asked about once a second."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = await check()
        if found:
            return found
        await asyncio.sleep(1)
    raise DemonstrationError(f"Waited {patience:.0f} s in vain until {what}.")


class Api:
    """The integration's side: JSON over HTTP, with an API key where the server asks for one."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, key: str) -> None:
        self.session = session
        self.base_url = base_url
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def call(self, method: str, path: str, **arguments: Any) -> Any:
        """The `data` of the answer. A 429 is waited out as the server says; other failures raise."""
        for _ in range(5):
            url = urljoin(self.base_url, path)
            async with self.session.request(method, url, headers=self.headers, **arguments) as response:
                if response.status == 429:
                    await asyncio.sleep(min(60.0, float(response.headers.get("Retry-After", "1"))))
                    continue
                return await self.data_of(response, f"{method} {path}")
        raise DemonstrationError(f"{method} {path} was refused for too many requests five times.")

    @staticmethod
    async def data_of(response: aiohttp.ClientResponse, call: str) -> Any:
        text = await response.text()
        if response.status >= 400:
            raise DemonstrationError(f"{call} answered {response.status}: {text[:400]}")
        try:
            body = json.loads(text)
        except ValueError:
            raise DemonstrationError(f"{call} answered no JSON. Does Rapport run there?") from None
        return body.get("data", body) if isinstance(body, dict) else body


def example(name: str) -> Json:
    content: Json = json.loads((EXAMPLE / f"{name}.json").read_text())
    return content


async def prepare(api: Api) -> Json:
    """A persona, a guide and a campaign of it; all new, so that it can run again."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    slug = f"nora-{uuid.uuid4().hex[:8]}"
    persona = await api.call("POST", "/api/v1/personas", json={**example("persona"), "slug": slug})
    guide = example("guide")
    named = {**guide, "name": f"{guide['name']} ({stamp})", "persona": persona["id"]}
    guide = await api.call("POST", "/api/v1/guides", json=named)
    invitation = {**example("invitation"), "name": f"Demonstration {stamp}"}
    campaign: Json = await api.call(
        "POST",
        "/api/v1/campaigns",
        json={"name": f"Demonstration {stamp}", "guide": guide["id"], "inline_template": invitation},
    )
    return campaign


async def invite(api: Api, campaign: Json, report: Report, say: Say) -> list[str]:
    """The links that the campaign's emails carry, one for each person."""
    path = f"/api/v1/campaigns/{campaign['id']}"
    people = (EXAMPLE / "people.csv").read_bytes()
    for dry_run in ("true", "false"):
        form = aiohttp.FormData()
        form.add_field("file", people, filename="people.csv", content_type="text/csv")
        form.add_field("dry_run", dry_run)
        await api.call("POST", f"{path}/import", data=form)
    report.invited = len(people.decode().strip().splitlines()) - 1

    async def imported() -> bool:
        progress = (await api.call("GET", path))["progress"]
        return int(progress["people"]) >= report.invited

    await until("the people were imported", imported)
    say(f"{report.invited} people imported from people.csv")
    await api.call("POST", f"{path}/start")

    async def sent() -> int:
        report.sent = int((await api.call("GET", path))["progress"]["sent"])
        return report.sent if report.sent >= report.invited else 0

    await until("every invitation was sent", sent)
    say(f"{report.sent} invitations sent")
    return await links_of(api, campaign)


async def links_of(api: Api, campaign: Json) -> list[str]:
    emails = await api.call("GET", "/api/v1/outbox", params={"campaign": campaign["id"], "limit": "200"})
    links = []
    for email in emails:
        whole = await api.call("GET", f"/api/v1/outbox/{email['id']}")
        found = LINK.search(whole["text"])
        if not found:
            raise DemonstrationError(f"The email to {email['to_email']} holds no link.")
        links.append(f"{email['to_email']} {found.group()}")
    return links


class Person:
    """One recipient with a browser of their own: cookies, forms, and a websocket."""

    def __init__(self, base_url: str, email: str, link: str, answers: dict[str, list[str]]) -> None:
        self.base_url = base_url
        self.email = email
        self.link = urljoin(base_url, urlparse(link).path)
        self.answers = {key: list(said) for key, said in answers.items()}
        self.session = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            headers={"Accept": "text/html", "Accept-Language": "en"},
            timeout=aiohttp.ClientTimeout(total=60, sock_connect=5),
        )
        self.page = ""

    async def open_and_begin(self) -> None:
        """Opens the link, reads the landing page, and sends its Begin form."""
        async with self.session.get(self.link) as response:
            html = await response.text()
            self.page = str(response.url)
        token = CSRF_FIELD.search(html)
        if response.status != 200 or not token:
            raise DemonstrationError(f"The landing page of {self.email} answered {response.status}.")
        form = {"csrfmiddlewaretoken": token.group(1), "consent": "on"}
        headers = {"Referer": self.page, "Origin": self.base_url}
        async with self.session.post(f"{self.page}/begin", data=form, headers=headers) as response:
            if response.status != 200:
                raise DemonstrationError(f"Begin of {self.email} answered {response.status}.")

    async def talk(self) -> None:
        """Answers until the server says that the talk has ended."""
        address = f"{self.page}/live".replace("http", "ws", 1)
        async with self.session.ws_connect(address, origin=self.base_url, heartbeat=20) as socket:
            await socket.send_json({"type": "resume", "after": 0})
            asked: Json = {}
            async for frame in socket:
                event = json.loads(frame.data)
                if event["type"] == "closed":
                    return
                if event["type"] in ("failed", "error"):
                    raise DemonstrationError(f"{self.email} was told: {event.get('message')}")
                message = event.get("message")
                if event["type"] in ("message", "done") and message["author"] == "persona":
                    asked = message
                if event["type"] in ("resumed", "done") and asked:
                    await socket.send_json(self.next_answer(asked.get("question_key", "")))
        raise DemonstrationError(f"The talk with {self.email} broke off.")

    def next_answer(self, question_key: str) -> Json:
        waiting = self.answers.get(question_key)
        text = waiting.pop(0) if waiting else "I have nothing to add to that."
        return {"type": "send", "client_message_id": str(uuid.uuid4()), "text": text}

    async def download_pdf(self) -> bytes:
        async def ready() -> bytes | None:
            async with self.session.get(f"{self.page}/transcript.pdf") as response:
                return await response.read() if response.status == 200 else None

        data: bytes = await until(f"the PDF of {self.email} could be downloaded", ready)
        return data

    async def close(self) -> None:
        await self.session.close()


async def interview(base_url: str, invitation: str, report: Report, say: Say) -> Person:
    email, link = invitation.split(" ")
    answers = example("answers")[email]
    person = Person(base_url, email, link, answers)
    try:
        await person.open_and_begin()
        await person.talk()
    except BaseException:
        await person.close()
        raise
    report.interviews_completed += 1
    say(f"interview with {email} completed")
    return person


async def processed(api: Api, campaign: Json, report: Report) -> list[Json]:
    """The campaign's interviews, once all of them are processed."""

    async def all_done() -> list[Json]:
        rows: list[Json] = await api.call("GET", "/api/v1/interviews", params={"guide": campaign["guide"]})
        failed = [row for row in rows if row["state"] == "failed"]
        if failed:
            raise DemonstrationError(f"Processing failed: {failed[0]}")
        done = [row for row in rows if row["state"] == "processed"]
        return done if len(done) >= report.interviews_completed else []

    rows: list[Json] = await until("every interview was processed", all_done)
    return rows


async def collect_proofs(api: Api, people: list[Person], interviews: list[Json], report: Report) -> None:
    """The PDF, its document with chunks, and a cited answer: each checked, not believed."""
    data = await people[0].download_pdf()
    pages = len(pypdfium2.PdfDocument(data))
    path = Path(tempfile.mkdtemp(prefix="rapport-demo-")) / "transcript.pdf"
    await asyncio.to_thread(path.write_bytes, data)
    report.pdf = {"path": str(path), "pages": pages}
    whole = await api.call("GET", f"/api/v1/interviews/{interviews[0]['id']}")
    document = await api.call("GET", f"/api/v1/knowledge/documents/{whole['document']}")
    report.document, report.chunks = document["id"], document["chunk_count"]
    reply = await api.call("POST", "/api/v1/knowledge/ask", json={"question": QUESTION})
    report.answer, report.citations = reply["answer"], reply["citations"]
    if not report.chunks or not report.pdf["pages"]:
        raise DemonstrationError("The transcript has no pages or no chunks.")
    if not report.citations:
        raise DemonstrationError(f"The answer cites nothing: {report.answer!r}")
    for citation in report.citations:
        await check_citation(api, citation)


async def check_citation(api: Api, citation: Json) -> None:
    """The message that the citation opens was said by the person, in the words that it quotes."""
    opened = CITED.search(citation["url"])
    if not opened:
        raise DemonstrationError(f"Citation {citation['number']} opens no message: {citation['url']}")
    interview_id, seq = opened.groups()
    whole = await api.call("GET", f"/api/v1/interviews/{interview_id}")
    messages = await api.call(
        "GET", f"/api/v1/talks/{whole['conversation']}/messages", params={"limit": "200"}
    )
    said = next((m["text"] for m in messages if m["seq"] == int(seq) and m["author"] == "person"), None)
    if not said or said not in citation["text"]:
        raise DemonstrationError(
            f"Citation {citation['number']} opens a message that does not hold its words."
        )


def base_of(url: str) -> str:
    """As an `Origin` is written: with the scheme, and without what comes after the host."""
    parts = urlparse(url if "://" in url else f"http://{url}")
    return f"{parts.scheme}://{parts.netloc}"


async def demonstrate(base_url: str, *, key: str = "", say: Say = lambda line: None) -> Report:
    """Does the main job and reports it. Raises DemonstrationError with a reason."""
    base_url = base_of(base_url)
    report = Report()
    people: list[Person] = []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60, sock_connect=5)) as session:
        api = Api(session, base_url, key)
        try:
            campaign = await prepare(api)
            for invitation in await invite(api, campaign, report, say):
                people.append(await interview(base_url, invitation, report, say))
            interviews = await processed(api, campaign, report)
            say("every interview processed: PDF made, stored and read")
            await collect_proofs(api, people, interviews, report)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DemonstrationError(f"The server at {base_url} does not answer: {error}") from error
        finally:
            for person in people:
                await person.close()
    return report
