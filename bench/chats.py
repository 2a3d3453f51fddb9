"""Live chats on one web process: 200 open at once, each answered by a model of 50 tokens a second.

    python -m bench.chats [--chats 200] [--seconds 60]

Each person sends an answer, reads the streamed reply (100 tokens at 50 tokens/s, the first after 200 ms),
pauses 8 s, and answers again. The provider is a local server in a process of its own that speaks the
OpenAI wire format. Baseline: the same people speaking to that server directly, with nothing between.
A health probe (a process of its own) asks /live twenty times a second, before and during.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil

from bench.probe import probed
from bench.report import heading, settings, table
from tests.installation import ROOT, Installation, installation
from tests.ports import free_port
from tests.seats import live, take_seats

FIRST_TOKEN, TOKENS_PER_SECOND, TOKENS, PAUSE = 0.2, 50, 100, 8.0


@dataclass
class Figures:
    """Seconds, one entry a reply or a probe."""

    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def part(values: list[float], share: float) -> float:
    """The quantile in milliseconds."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else float("nan")


async def person(
    session: aiohttp.ClientSession,
    house: Installation,
    seat: dict,
    *,
    wait: float,
    until: float,
    figures: Figures,
):
    """One chat: open, answer, read, pause, until the time is up; then it stays open until all are done."""
    await asyncio.sleep(wait)
    async with live(session, house, seat, max_msg_size=0) as socket:
        while time.monotonic() < until:
            await turn(socket, figures)
            await asyncio.sleep(PAUSE)


async def turn(socket: aiohttp.ClientWebSocketResponse, figures: Figures) -> None:
    sent, first = time.monotonic(), 0.0
    text = "We plan the week on Monday, write the orders into a spreadsheet and call each customer ourselves."
    await socket.send_json({"type": "send", "client_message_id": uuid.uuid4().hex, "text": text})
    async for frame in socket:
        event = json.loads(frame.data)
        if event["type"] == "delta" and not first:
            first = time.monotonic() - sent
        if event["type"] == "done":
            figures.first.append(first)
            figures.whole.append(time.monotonic() - sent)
            return
        if event["type"] in ("failed", "error", "closed"):
            figures.failures.append(frame.data)
            return
    figures.failures.append("the socket closed")


async def talk_directly(
    session: aiohttp.ClientSession, url: str, *, wait: float, until: float, figures: Figures
):
    """The baseline's person: the same pauses, straight to the provider."""
    await asyncio.sleep(wait)
    body = {"model": "bench", "stream": True, "messages": [{"role": "user", "content": "We plan the week."}]}
    while time.monotonic() < until:
        sent, first = time.monotonic(), 0.0
        async with session.post(f"{url}/chat/completions", json=body) as response:
            async for line in response.content:
                if b'"content"' in line and not first:
                    first = time.monotonic() - sent
        figures.first.append(first)
        figures.whole.append(time.monotonic() - sent)
        await asyncio.sleep(PAUSE)


async def measure(house: Installation, seats: list[dict], provider: str, *, seconds: float) -> dict:
    limits = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=limits, timeout=aiohttp.ClientTimeout(total=None)) as session:
        for _ in range(50):
            async with session.get(f"{house.url}/live") as response:
                await response.read()
        ours, direct = Figures(), Figures()
        # What the first reply loads (the vendor's SDK) is no cost of a chat.
        await person(session, house, seats.pop(), wait=0, until=time.monotonic() + 1, figures=Figures())
        idle = await probed(f"{house.url}/live", 15)
        web = house.child("web")
        before = memory_of(web)
        until = time.monotonic() + seconds
        waits = [PAUSE * number / len(seats) for number in range(len(seats))]
        people = [
            asyncio.create_task(person(session, house, seat, wait=wait, until=until, figures=ours))
            for seat, wait in zip(seats, waits, strict=True)
        ]
        watch = asyncio.create_task(probed(f"{house.url}/live", seconds))
        await asyncio.sleep(seconds - 1)
        during = memory_of(web)
        await asyncio.gather(*people)
        busy = await watch
        until = time.monotonic() + min(30.0, seconds)
        await asyncio.gather(
            *(talk_directly(session, provider, wait=wait, until=until, figures=direct) for wait in waits)
        )
    memory = [(late - early) / len(seats) for late, early in zip(during, before, strict=True)]
    return {"idle": idle, "busy": busy, "ours": ours, "direct": direct, "memory": memory}


def memory_of(process: psutil.Process) -> tuple[int, int]:
    """KB of its own, and with the pages of files that it looks at and the kernel takes back when it likes."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    found = {
        line.partition(":")[0]: line.split()[1] for line in lines if line.startswith(("RssAnon", "VmRSS"))
    }
    return int(found["RssAnon"]), int(found["VmRSS"])


def show(figures: dict, *, chats: int) -> bool:
    """Prints the figures; whether every target is reached."""
    ours, direct = figures["ours"], figures["direct"]
    added = [first - FIRST_TOKEN for first in ours.first]
    table(
        f"{chats} live chats on one web process",
        ["", "replies", "first token p50", "p95", "whole reply p50", "ratio of first token p95"],
        [
            [
                "the provider, asked directly",
                len(direct.first),
                ms(part(direct.first, 0.5)),
                ms(part(direct.first, 0.95)),
                ms(part(direct.whole, 0.5)),
                "1.00 (baseline)",
            ],
            [
                "through Rapport",
                len(ours.first),
                ms(part(ours.first, 0.5)),
                ms(part(ours.first, 0.95)),
                ms(part(ours.whole, 0.5)),
                f"{part(ours.first, 0.95) / part(direct.first, 0.95):.2f}",
            ],
        ],
    )
    idle, busy = part(figures["idle"], 0.99), part(figures["busy"], 0.99)
    own, resident = figures["memory"]
    targets = [
        ("added delay to the first token, p95", ms(part(added, 0.95)), "< 100 ms", part(added, 0.95) < 100),
        ("memory per open chat", f"{own:.0f} KB", "< 100 KB", own < 100),
        ("… with pages of files (RSS)", f"{resident:.0f} KB", "", True),
        ("health probe p99, idle", ms(idle), "", True),
        (
            "health probe p99, beside the chats",
            f"{ms(busy)} ({busy / idle:.1f} × idle)",
            "≤ 3 × idle",
            busy <= 3 * idle,
        ),
        ("failed turns", str(len(ours.failures)), "0", not ours.failures),
    ]
    rows = [[name, value, wanted, "" if met else "MISSED"] for name, value, wanted, met in targets]
    table("What it costs", ["", "measured", "wanted", ""], rows)
    for failure in ours.failures[:5]:
        print("  ", failure)
    return all(met for *_, met in targets)


def ms(value: float) -> str:
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chats", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    port = free_port()
    words = ["--port", str(port), "--first-token", str(FIRST_TOKEN)]
    words += ["--tokens-per-second", str(TOKENS_PER_SECOND), "--tokens", str(TOKENS)]
    provider = subprocess.Popen([sys.executable, "-m", "tests.fakes.openai_server", *words], cwd=ROOT)
    address = f"http://127.0.0.1:{port}/v1"
    environment = {
        "OPENAI_API_KEY": "bench",
        "OPENAI_BASE_URL": address,
        "RAPPORT_PROVIDERS": "openai",
        "RAPPORT_EMBEDDINGS": "",
    }
    heading("Live chats")
    settings({**environment, "database": "SQLite", "web processes": 1, "seconds": options.seconds})
    try:
        with installation(environment) as house:
            seats = take_seats(house, options.chats + 1, questions=60)
            figures = asyncio.run(measure(house, seats, address, seconds=options.seconds))
    finally:
        provider.terminate()
        provider.wait()
    return 0 if show(figures, chats=options.chats) else 1


if __name__ == "__main__":
    sys.exit(main())
