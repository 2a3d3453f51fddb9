"""Persona chat on one web process: many who wait for a slow model, sends a second, long histories.

    python -m bench.personas [--in-flight 256] [--seconds 15] [--only slow|quick|history]

1. 256 users, each with a send in flight all the time, against a provider that thinks for 5 s; they begin
   spread over these 5 s. Baselines: the same provider asked directly by as many, and a synchronous view that
   waits for it on 8 threads.
2. A provider of 200 ms: one user alone, what is added to its time; then 32 users, sends a second.
3. The pages of a conversation of 100,000 messages: the newest, the oldest, one 10,000 deep, one by cursor.
   Baseline: the same page by COUNT and OFFSET into the middle.

Over HTTP with signed tokens, each user with a conversation of their own. The provider is a local server in a
process of its own that speaks the OpenAI wire format.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import time
from dataclasses import dataclass
from functools import partial

from bench.chat import (
    NAIVE_THREADS,
    QUICK,
    SLOW,
    Figures,
    beside,
    client,
    directly,
    for_a_while,
    ms,
    naive_server,
    naively,
    part,
    probe,
    provider_of,
    slow_targets,
    targets_of,
    watch,
)
from bench.report import heading, ratio, settings, table
from tests.installation import installation
from tests.user_tokens import ISSUER, SECRET, as_user

CHATS = "/api/v1/chat/conversations"
LONG = 100_000  # messages of the long conversation
ROUNDS = 200  # of each page
PAGE = 50
WANTED_PER_SECOND = 40
LEFT = 4.0  # seconds for a chat's first things to settle

SEED = """
import sys
import django; django.setup()
from config.api.models import Account
from personas.models import Persona
account, _ = Account.objects.get_or_create(slug="default", defaults={"name": "Bench"})
persona = Persona.objects.create(account=account, slug="bench", name="Bench", kind="influencer",
    instructions="You are a baker.", greeting="Good morning!", provider_chain=["openai"])
print(persona.pk)
"""
LENGTHEN = """
import sys
from datetime import timedelta
import django; django.setup()
from django.utils import timezone
from crm.models import Conversation, Message
chat = Conversation.objects.get(pk=sys.argv[1])
first, number = chat.last_seq + 1, int(sys.argv[2])
began = timezone.now() - timedelta(days=90)
for start in range(first, number + 1, 5000):
    Message.objects.bulk_create([
        Message(conversation=chat, seq=seq, author="person" if seq % 2 else "persona",
            text=f"Message {seq} of a long talk about bread. " * 3, created_at=began + timedelta(minutes=seq))
        for seq in range(start, min(start + 5000, number + 1))
    ])
Conversation.objects.filter(pk=chat.pk).update(last_seq=number)
print(Message.objects.filter(conversation=chat).count())
"""
NAIVE = """
import sys, time
import django; django.setup()
from crm.models import Message
rows = Message.objects.filter(conversation=sys.argv[1]).order_by("-created_at")
page, taken = int(sys.argv[2]), []
for _ in range(30):
    began = time.perf_counter()
    start = rows.count() // 2
    for message in rows[start : start + page]:
        list(message.media.all())
    taken.append((time.perf_counter() - began) * 1000)
print(sorted(taken)[len(taken) * 95 // 100])
"""


@dataclass(frozen=True)
class Seat:
    """One user in their conversation."""

    headers: dict[str, str]
    path: str


async def seated(session, house, influencer: str, number: int) -> list[Seat]:
    async def begin(user: int) -> Seat:
        headers = as_user(f"bench-{user}")
        body = {"influencer_id": influencer}
        async with session.post(f"{house.url}{CHATS}", json=body, headers=headers) as answer:
            found = await answer.json()
            if answer.status != 201:
                sys.exit(f"A conversation did not begin: {found}")
        return Seat(headers, f"{CHATS}/{found['id']}/messages")

    seats = []
    for start in range(0, number, 16):
        seats += await asyncio.gather(*(begin(user) for user in range(start, min(start + 16, number))))
    return seats


async def send(seats, session, url: str, number: int, figures: Figures, *, talk: str = "") -> None:
    """The next message of one user; the answer is read whole."""
    seat = seats[number % len(seats)]
    body = {"message_type": "text", "content": f"What shall we bake, number {number}?"}
    asked = time.monotonic()
    async with session.post(f"{url}{seat.path}", json=body, headers=seat.headers) as response:
        answer = await response.json()
    if response.status != 200 or not (answer.get("assistant_message") or {}).get("content"):
        figures.failures.append(f"{response.status} {json.dumps(answer)[:200]}")
        return
    figures.whole.append(time.monotonic() - asked)


async def warmed(session, house, seats) -> Figures:
    """What a first send loads is no cost of a send; then what the idle process holds."""
    for number in range(min(3, len(seats))):
        await send(seats, session, house.url, number, Figures())
    idle = Figures()
    async with beside(watch(house, idle)):
        await probe(house.url, idle, LEFT)
    return idle


async def in_flight(house, provider: str, influencer: str, callers: int, seconds: float) -> dict:
    async with client() as session:
        seats = await seated(session, house, influencer, callers)
        idle, busy = await warmed(session, house, seats), Figures()
        async with beside(watch(house, busy)):
            asking = for_a_while(partial(send, seats), session, house.url, callers, seconds, spread=SLOW)
            ours, _ = await asyncio.gather(asking, probe(house.url, busy, seconds))
        direct = await for_a_while(directly, session, provider, callers, SLOW, spread=SLOW)
    return {"idle": idle, "busy": busy, "ours": ours, "direct": direct}


async def quickly(house, provider: str, influencer: str, callers: int, seconds: float) -> dict:
    async with client() as session:
        seats = await seated(session, house, influencer, callers)
        idle, busy = await warmed(session, house, seats), Figures()
        direct = await for_a_while(directly, session, provider, 1, seconds / 2)
        alone = await for_a_while(partial(send, seats), session, house.url, 1, seconds)
        async with beside(watch(house, busy)):
            asking = for_a_while(partial(send, seats), session, house.url, callers, seconds)
            ours, _ = await asyncio.gather(asking, probe(house.url, busy, seconds))
    return {"idle": idle, "busy": busy, "ours": ours, "alone": alone, "direct": direct}


async def one_chat(house, influencer: str) -> Seat:
    async with client() as session:
        return (await seated(session, house, influencer, 1))[0]


async def pages(house, seat: Seat) -> dict[str, list[float]]:
    """Seconds of each kind of page, asked in turn."""
    async with client() as session:

        async def read(query: str) -> tuple[float, dict]:
            began = time.monotonic()
            address = f"{house.url}{seat.path}?limit={PAGE}{query}"
            async with session.get(address, headers=seat.headers) as answer:
                body = await answer.json()
            if answer.status != 200 or len(body["messages"]) != PAGE:
                sys.exit(f"A page was not answered: {query} {answer.status} {str(body)[:200]}")
            return time.monotonic() - began, body

        deep = await cursor_at(read, LONG // 20)
        kinds = {
            "the newest": "",
            "the oldest": "&order=asc",
            "10,000 deep": "&offset=9950",
            "by cursor": deep,
        }
        taken: dict[str, list[float]] = {name: [] for name in kinds}
        for _round in range(ROUNDS):
            for name, query in kinds.items():
                taken[name].append((await read(query))[0])
    return taken


async def cursor_at(read, depth: int) -> str:
    """A cursor that deep, found by following pages."""
    query = ""
    for _page in range(depth // PAGE):
        body = (await read(query))[1]
        query = f"&cursor={body['next']}"
    return query


@contextlib.contextmanager
def house_with(provider: str):
    environment = {
        "OPENAI_API_KEY": "bench",
        "OPENAI_BASE_URL": provider,
        "RAPPORT_PROVIDERS": "openai",
        "RAPPORT_EMBEDDINGS": "",
        "JWT_SECRET_KEY": SECRET,
        "JWT_ISSUER": ISSUER,
        "RATE_LIMIT_PER_MINUTE": "10000",
        "RATE_LIMIT_PER_HOUR": "100000",
    }
    with installation(environment) as house:
        yield house, house.run("-c", SEED).split()[-1]


def processor_of(busy: Figures, ours: Figures) -> str:
    return ms((busy.processor[-1] - busy.processor[0]) / max(1, len(ours.whole)) * 1000)


def show_slow(found: dict, beaten: dict, *, callers: int) -> bool:
    ours, direct, busy, idle = (found[name] for name in ("ours", "direct", "busy", "idle"))
    shown = [
        ("the provider, asked directly", direct, callers),
        ("through Rapport", ours, callers),
        ("a synchronous view that waits", beaten["ours"], 3 * NAIVE_THREADS),
    ]
    table(
        f"A provider of {SLOW:g} s",
        ["", "in flight", "sends/s", "p50", "p95"],
        [[n, f, f"{o.per_second:.1f}", ms(part(o.whole, 0.5)), ms(part(o.whole, 0.95))] for n, o, f in shown],
    )
    ratio("sends a second", ours.per_second, beaten["ours"].per_second, of="the view that waits")
    print(f"  processor of the web process a send: {processor_of(busy, ours)}\n")
    return slow_targets(ours, direct, busy, idle, called="sends")


def show_quick(found: dict, *, callers: int) -> bool:
    ours, busy, alone, direct = (found[name] for name in ("ours", "busy", "alone", "direct"))
    shown = [
        ("the provider, asked directly", direct, 1),
        ("through Rapport", alone, 1),
        ("through Rapport", ours, callers),
    ]
    table(
        f"A provider of {QUICK * 1000:g} ms",
        ["", "callers", "sends/s", "p50", "p95"],
        [[n, c, f"{o.per_second:.1f}", ms(part(o.whole, 0.5)), ms(part(o.whole, 0.95))] for n, o, c in shown],
    )
    print(f"  processor of the web process a send: {processor_of(busy, ours)}\n")
    added = part(alone.whole, 0.5) - part(direct.whole, 0.5)
    reached = ours.per_second >= WANTED_PER_SECOND
    failed = len(ours.failures) + len(alone.failures)
    return targets_of(
        [
            ("added at one caller, p50", ms(added), "< 20 ms", added < 20),
            ("sends a second", f"{ours.per_second:.1f}", f"≥ {WANTED_PER_SECOND}", reached),
            ("failed sends", str(failed), "0", not failed),
        ]
    )


def show_history(taken: dict[str, list[float]], naive: float) -> bool:
    rows = [[name, ms(part(times, 0.5)), ms(part(times, 0.95))] for name, times in taken.items()]
    table(f"Pages of {PAGE} of {LONG:,} messages, over HTTP", ["", "p50", "p95"], rows)
    ours = max(part(times, 0.95) for times in taken.values())
    ratio(
        "the slowest page (p95), faster", naive, ours, of=f"COUNT, OFFSET, N+1 without HTTP ({naive:.0f} ms)"
    )
    print()
    return targets_of([("the slowest page, p95", ms(ours), "< 50 ms", ours < 50)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--callers", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--only", choices=["slow", "quick", "history"])
    options = parser.parse_args()
    heading("Persona chat")
    settings({"database": "SQLite", "web processes": 1, "tokens a reply": 20, **vars(options)})
    parts = {"slow": slow_part, "quick": quick_part, "history": history_part}
    reached = [run(options) for name, run in parts.items() if options.only in (None, name)]
    return 0 if all(reached) else 1


def slow_part(options) -> bool:
    with provider_of(SLOW) as provider:
        with naive_server(provider) as url:
            beaten = asyncio.run(naively(url))
        with house_with(provider) as (house, influencer):
            found = asyncio.run(in_flight(house, provider, influencer, options.in_flight, options.seconds))
    tell_failures(found["ours"])
    return show_slow(found, beaten, callers=options.in_flight)


def quick_part(options) -> bool:
    with provider_of(QUICK) as provider, house_with(provider) as (house, influencer):
        found = asyncio.run(quickly(house, provider, influencer, options.callers, options.seconds))
    tell_failures(found["ours"])
    return show_quick(found, callers=options.callers)


def history_part(options) -> bool:
    with provider_of(QUICK) as provider, house_with(provider) as (house, influencer):
        seat = asyncio.run(one_chat(house, influencer))
        chat = seat.path.split("/")[-2]
        print("  messages:", house.run("-c", LENGTHEN, chat, str(LONG)).strip())
        taken = asyncio.run(pages(house, seat))
        naive = float(house.run("-c", NAIVE, chat, str(PAGE)).split()[-1])
    return show_history(taken, naive)


def tell_failures(figures: Figures) -> None:
    for failure in figures.failures[:5]:
        print("  ", failure)


if __name__ == "__main__":
    sys.exit(main())
