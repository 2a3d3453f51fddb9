"""`POST /chat` on one web process: many who wait for a slow model, and chats a second with a quick one.

    python -m bench.chat [--in-flight 256] [--seconds 15] [--vectors]

1. 256 callers, each with a chat in flight all the time, against a provider that thinks for 5 s; they begin
   spread over these 5 s. Baselines: the same provider asked directly by as many, and a synchronous Django
   view that waits for it on 8 threads. A probe, a process of its own, asks /live twenty times a second.
2. A provider of 200 ms, passages retrieved for each chat from a seeded collection: chats a second.

The provider is a local server in a process of its own that speaks the OpenAI wire format.
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache

import aiohttp

from bench.probe import probed
from bench.report import heading, ratio, settings, table
from tests.installation import ROOT, Installation, installation
from tests.ports import free_port

SLOW, QUICK = 5.0, 0.2  # seconds before the provider's first token
TOKENS = 20
NAIVE_THREADS = 8
MODELS = 400  # rows of the table that is searched
WANTED_PER_SECOND = 40
QUESTION = "What is the warranty of model X-{number}?"  # the rules are sure: no model is asked who answers

SEED = f"""
import sys
import django; django.setup()
from config.api.models import Account
from knowledge.account_documents import documents_collection
from knowledge.ingestion import add_document, read_document
account, _ = Account.objects.get_or_create(slug="default", defaults={{"name": "Bench"}})
collection = documents_collection(account)
collection.embedding_provider = sys.argv[1]
collection.save()
rows = [f"X-{{n}},{{12 + n % 36}} months,{{100 + n}} euros" for n in range({MODELS})]
content = "model,warranty,price\\n" + "\\n".join(rows)
document = add_document(collection, title="Models", filename="models.csv", content=content.encode())
read_document(document.pk)
document.refresh_from_db()
print(document.state, document.chunk_count)
"""


@dataclass
class Figures:
    """Seconds of each chat or probe; what the web process held meanwhile."""

    whole: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    retrieved: int = 0
    threads: list[int] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)  # seconds of the web process until then
    seconds: float = 0.0

    @property
    def per_second(self) -> float:
        return len(self.whole) / self.seconds if self.seconds else 0.0


def part(values: list[float], share: float) -> float:
    """The quantile in milliseconds."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else float("nan")


# --- who asks ---------------------------------------------------------------------------------


async def chat(
    session: aiohttp.ClientSession, url: str, number: int, figures: Figures, *, talk: str = ""
) -> None:
    """A chat of somebody new; with `talk`, the next one of theirs in that talk."""
    body = {"message": QUESTION.format(number=number % MODELS), "user_id": talk or f"user{number}"}
    body |= {"conversation_id": talk} if talk else {}
    asked = time.monotonic()
    async with session.post(f"{url}/chat", json=body) as response:
        answer = await response.json()
    if response.status != 200:
        figures.failures.append(json.dumps(answer)[:200])
        return
    figures.whole.append(time.monotonic() - asked)
    figures.retrieved += answer["metadata"].get("rag_documents_retrieved", 0) > 0


async def directly(
    session: aiohttp.ClientSession, url: str, number: int, figures: Figures, *, talk: str = ""
) -> None:
    words = f"Hello {number} {talk}"
    body = {"model": "bench", "stream": True, "messages": [{"role": "user", "content": words}]}
    asked = time.monotonic()
    async with session.post(f"{url}/chat/completions", json=body) as response:
        await response.read()
    figures.whole.append(time.monotonic() - asked)


async def probe(url: str, figures: Figures, seconds: float) -> None:
    figures.whole += await probed(f"{url}/live", seconds)


async def watch(house: Installation, figures: Figures) -> None:
    """What the web process holds: threads, and connections to the database file."""
    web = house.child("web")
    while True:
        figures.threads.append(web.num_threads())
        used = web.cpu_times()
        figures.processor.append(used.user + used.system)
        opened = await asyncio.to_thread(web.open_files)
        figures.connections.append(sum(file.path.endswith(".sqlite3") for file in opened))
        await asyncio.sleep(0.5)


@contextlib.asynccontextmanager
async def beside(*work):
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def for_a_while(
    ask, session, url: str, callers: int, seconds: float, *, spread: float = 0.0
) -> Figures:
    """Callers who ask, read the answer and ask again; they begin spread over so many seconds."""
    figures, began = Figures(), time.monotonic()

    async def caller(number: int) -> None:
        await asyncio.sleep(spread * number / callers)
        talk = f"talk{number}"
        while time.monotonic() - began < seconds:
            await ask(session, url, number, figures, talk=talk)
            number += callers

    await asyncio.gather(*(caller(number) for number in range(callers)))
    figures.seconds = time.monotonic() - began
    return figures


@contextlib.asynccontextmanager
async def client():
    limits = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=limits, timeout=aiohttp.ClientTimeout(total=None)) as session:
        yield session


async def warmed(session, house: Installation) -> Figures:
    """What a first chat loads (the agents, the SDK, the words of the collection) is no cost of a chat."""
    for number in range(3):
        await chat(session, house.url, number, Figures())
    idle = Figures()
    async with beside(watch(house, idle)):
        await probe(house.url, idle, 4)
    return idle


async def with_a_slow_model(house: Installation, provider: str, in_flight: int, seconds: float) -> dict:
    async with client() as session:
        idle, busy = await warmed(session, house), Figures()
        async with beside(watch(house, busy)):
            asking = for_a_while(chat, session, house.url, in_flight, seconds, spread=SLOW)
            ours, _ = await asyncio.gather(asking, probe(house.url, busy, seconds))
        direct = await for_a_while(directly, session, provider, in_flight, SLOW, spread=SLOW)
    return {"idle": idle, "busy": busy, "ours": ours, "direct": direct}


async def with_a_quick_model(house: Installation, *, callers: int, seconds: float) -> dict:
    async with client() as session:
        idle, busy = await warmed(session, house), Figures()
        async with beside(watch(house, busy)):
            asking = for_a_while(chat, session, house.url, callers, seconds)
            ours, _ = await asyncio.gather(asking, probe(house.url, busy, seconds))
    return {"idle": idle, "busy": busy, "ours": ours}


async def naively(url: str) -> dict:
    """Three times as many callers as the view has threads."""
    async with client() as session:
        busy = Figures()
        asking = for_a_while(chat, session, url, 3 * NAIVE_THREADS, SLOW)
        ours, _ = await asyncio.gather(asking, probe(url, busy, SLOW))
    return {"ours": ours, "busy": busy}


# --- the naive baseline: `daphne bench.chat:naive` ----------------------------------------------


@lru_cache(maxsize=1)
def naive_application():
    """A synchronous Django view that asks the provider and waits, on a pool of threads."""
    import django
    from django.conf import settings as django_settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse, JsonResponse
    from django.urls import path

    def answer(request):
        message = json.loads(request.body)["message"]
        body = {"model": "bench", "stream": True, "messages": [{"role": "user", "content": message}]}
        address = f"{os.environ['BENCH_PROVIDER']}/chat/completions"
        asked = urllib.request.Request(address, json.dumps(body).encode())
        with urllib.request.urlopen(asked, timeout=60) as response:
            lines = [line for line in response if line.startswith(b"data: {")]
        pieces = [json.loads(line[6:])["choices"] for line in lines]
        words = "".join(choices[0]["delta"].get("content") or "" for choices in pieces if choices)
        return JsonResponse({"response": words, "metadata": {}})

    urls = (path("chat", answer), path("live", lambda request: HttpResponse("ok")))
    module = type("Urls", (), {"urlpatterns": list(urls)})
    django_settings.configure(ROOT_URLCONF=module, ALLOWED_HOSTS=["*"], SECRET_KEY="bench" * 10)
    django.setup()
    from config.system.plain_http import PlainHttp

    return PlainHttp(get_wsgi_application(), threads=NAIVE_THREADS)


async def naive(scope, receive, send):
    await naive_application()(scope, receive, send)


@contextmanager
def naive_server(provider: str) -> Iterator[str]:
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "daphne",
        "-b",
        "127.0.0.1",
        "-p",
        str(port),
        "-v",
        "0",
        "bench.chat:naive",
    ]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "BENCH_PROVIDER": provider})
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{url}/live")
        yield url
    finally:
        process.kill()
        process.wait()


def wait_for(address: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=2):
            return
        time.sleep(0.1)
    sys.exit(f"{address} did not answer within a minute.")


@contextmanager
def provider_of(seconds: float) -> Iterator[str]:
    port = free_port()
    words = ["--port", str(port), "--first-token", str(seconds), "--tokens", str(TOKENS)]
    process = subprocess.Popen([sys.executable, "-m", "tests.fakes.openai_server", *words], cwd=ROOT)
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def house_with(provider: str, *, embeddings: str) -> Iterator[Installation]:
    environment = {
        "OPENAI_API_KEY": "bench",
        "OPENAI_BASE_URL": provider,
        "RAPPORT_PROVIDERS": "openai",
    }
    with installation(environment) as house:
        print("  seeded collection:", house.run("-c", SEED, embeddings).splitlines()[-1], "chunks")
        yield house


# --- what it shows ----------------------------------------------------------------------------


def ms(value: float) -> str:
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def targets_of(rows: list[tuple[str, str, str, bool]]) -> bool:
    table("Targets", ["", "measured", "wanted", ""], [[*row[:3], "" if row[3] else "MISSED"] for row in rows])
    return all(row[3] for row in rows)


def slow_targets(ours: Figures, direct: Figures, busy: Figures, idle: Figures, *, called: str) -> bool:
    """Of the slow provider; bench/personas.py holds its sends to the same."""
    added, live = part(ours.whole, 0.95) - part(direct.whole, 0.95), part(busy.whole, 0.99)
    threads, links = max(busy.threads), max(busy.connections)
    return targets_of(
        [
            ("added to the provider's time, p95", ms(added), "< 300 ms", added < 300),
            (
                "health probe p99 beside them",
                f"{ms(live)} (idle {ms(part(idle.whole, 0.99))})",
                "< 250 ms",
                live < 250,
            ),
            ("threads of the web process", f"{threads} (idle {max(idle.threads)})", "< 64", threads < 64),
            ("connections to the database", f"{links} (idle {max(idle.connections)})", "< 32", links < 32),
            (f"failed {called}", str(len(ours.failures)), "0", not ours.failures),
        ]
    )


def show_slow(figures: dict, naive_figures: dict, *, in_flight: int) -> bool:
    ours, direct, busy, idle = (figures[name] for name in ("ours", "direct", "busy", "idle"))
    shown = [
        ("the provider, asked directly", direct, None, in_flight),
        ("through Rapport", ours, busy, in_flight),
        ("a synchronous view that waits", naive_figures["ours"], naive_figures["busy"], 3 * NAIVE_THREADS),
    ]
    table(
        f"A provider of {SLOW:g} s",
        ["", "in flight", "chats/s", "p50", "p95", "/live p99"],
        [
            [
                name,
                flight,
                f"{one.per_second:.1f}",
                ms(part(one.whole, 0.5)),
                ms(part(one.whole, 0.95)),
                ms(part(probed.whole, 0.99)) if probed else "",
            ]
            for name, one, probed, flight in shown
        ],
    )
    ratio("chats a second", ours.per_second, naive_figures["ours"].per_second, of="the view that waits")
    return slow_targets(ours, direct, busy, idle, called="chats")


def show_quick(figures: dict, *, callers: int) -> bool:
    ours, busy, idle = figures["ours"], figures["busy"], figures["idle"]
    found = ours.retrieved / max(1, len(ours.whole))
    table(
        f"A provider of {QUICK * 1000:g} ms, {callers} callers, passages from {MODELS} rows",
        ["chats/s", "p50", "p95", "with passages", "CPU a chat", "/live p99", "threads", "connections"],
        [
            [
                f"{ours.per_second:.1f}",
                ms(part(ours.whole, 0.5)),
                ms(part(ours.whole, 0.95)),
                f"{found:.0%}",
                ms((busy.processor[-1] - busy.processor[0]) / max(1, len(ours.whole)) * 1000),
                f"{ms(part(busy.whole, 0.99))} (idle {ms(part(idle.whole, 0.99))})",
                max(busy.threads),
                max(busy.connections),
            ]
        ],
    )
    reached = ours.per_second >= WANTED_PER_SECOND
    rows = [
        ("chats a second, retrieval included", f"{ours.per_second:.1f}", f"≥ {WANTED_PER_SECOND}", reached),
        ("chats with passages", f"{found:.0%}", "100%", found == 1),
        ("failed chats", str(len(ours.failures)), "0", not ours.failures),
    ]
    return targets_of(rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--callers", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--only", choices=["slow", "quick"])
    parser.add_argument(
        "--vectors", action="store_true", help="retrieve by meaning too: one more call a chat"
    )
    options = parser.parse_args()
    embeddings = "openai" if options.vectors else ""
    heading("Chat with the agents")
    settings({"database": "SQLite", "web processes": 1, **vars(options)})
    reached, failures = True, []
    if options.only != "quick":
        with provider_of(SLOW) as provider:
            with naive_server(provider) as url:
                beaten = asyncio.run(naively(url))
            with house_with(provider, embeddings=embeddings) as house:
                figures = asyncio.run(with_a_slow_model(house, provider, options.in_flight, options.seconds))
        failures += figures["ours"].failures
        reached &= show_slow(figures, beaten, in_flight=options.in_flight)
    if options.only != "slow":
        with provider_of(QUICK) as provider, house_with(provider, embeddings=embeddings) as house:
            quick = with_a_quick_model(house, callers=options.callers, seconds=options.seconds)
            figures = asyncio.run(quick)
        failures += figures["ours"].failures
        reached &= show_quick(figures, callers=options.callers)
    for failure in failures[:5]:
        print("  ", failure)
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
