"""Webhooks of conversations: accepted a second, each in PostgreSQL and on disk before its 200.

Documented bodies, one in ten of them a repeat, over kept connections, from a process of its own on the same
cores as the server and the database. Afterwards the rows are counted: one event for each different body.

python -m bench.webhooks [SECONDS, default 10] [CONNECTIONS, default 16]
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench import report
from bench.lists import postgres
from bench.load import one_answer, percentile
from tests.installation import installation

PATH = "/api/v1/webhook/conversation"
WANTED_PER_SECOND, WANTED_P99_MS = 300, 200
REPEAT_EVERY = 10
COUNT = "SELECT count(*) FROM voice_voiceevent"


def body(number):
    line = {"timestamp": "2024-01-15T10:30:00Z", "content": "Hello, I need help with my order of last week."}
    return {
        "emailId": f"user{number % 500}@example.com",
        "accountId": f"acc{number % 20}",
        "conversationId": f"conv_{number}",
        "transcript": [
            {**line, "speaker": ("user", "agent")[turn % 2], "messageId": f"m{turn}"} for turn in range(10)
        ],
        "metadata": {
            "agentId": "agent_1",
            "duration": 300,
            "messageCount": 10,
            "platform": "web",
            "userAgent": "bench",
        },
    }


def request(port, number):
    text = json.dumps(body(number)).encode()
    lines = [f"POST {PATH} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Content-Type: application/json"]
    return "\r\n".join([*lines, f"Content-Length: {len(text)}", "", ""]).encode() + text


async def sender(port, numbers, until, times, statuses, sent):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        number = next(numbers)
        before = time.perf_counter()
        writer.write(request(port, number))
        status = await asyncio.wait_for(one_answer(reader), 30)
        times.append(time.perf_counter() - before)
        statuses[status] = statuses.get(status, 0) + 1
        if status == 200:
            sent.add(number)
    writer.close()


def numbered():
    number = 0
    while True:
        number += 1
        yield number - 1 if number % REPEAT_EVERY == 0 else number


async def load(port, seconds, connections):
    times, statuses, sent, numbers = [], {}, set(), numbered()
    until = time.perf_counter() + seconds
    await asyncio.gather(*(sender(port, numbers, until, times, statuses, sent) for _ in range(connections)))
    return {
        "per_second": statuses.get(200, 0) / seconds,
        "p50_ms": percentile(times, 0.50),
        "p99_ms": percentile(times, 0.99),
        "statuses": statuses,
        "different": len(sent),
    }


def asked(address, question):
    import psycopg

    with psycopg.connect(address) as database:
        return database.execute(question).fetchone()[0]


def measure(port, seconds, connections):
    command = [sys.executable, "-m", "bench.webhooks", "--load", str(port), str(seconds), str(connections)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 120, check=True)
    return json.loads(done.stdout)


def run(seconds=10, connections=16):
    report.heading("Webhooks accepted")
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        address = stack.enter_context(postgres(Path(folder) / "pg"))
        limits = {"DATABASE_URL": address, "RAPPORT_WEBHOOK_PER_MINUTE": "10000000"}
        house = stack.enter_context(installation(limits))
        report.settings(
            {
                "seconds": seconds,
                "connections": connections,
                "fsync": asked(address, "SHOW fsync"),
                "synchronous_commit": asked(address, "SHOW synchronous_commit"),
                "one event in": f"{REPEAT_EVERY} is a repeat of the one before",
            }
        )
        found = measure(house.port, seconds, connections)
        rows = asked(address, COUNT)
    return judged(found, rows)


def judged(found, rows):
    report.table(
        f"POST {PATH}",
        ("accepted/s", "p50 ms", "p99 ms", "different bodies accepted", "events stored", "statuses"),
        [
            (
                round(found["per_second"]),
                found["p50_ms"],
                found["p99_ms"],
                found["different"],
                rows,
                json.dumps(found["statuses"]),
            )
        ],
    )
    reached = found["per_second"] >= WANTED_PER_SECOND and found["p99_ms"] < WANTED_P99_MS
    print(f"  ≥ {WANTED_PER_SECOND}/s, p99 < {WANTED_P99_MS} ms: {'reached' if reached else 'MISSED'}")
    print(f"  every 200 is one row, no repeat is: {'yes' if rows == found['different'] else 'NO'}")
    return reached and rows == found["different"]


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[:1] == ["--load"]:
        port, seconds, connections = map(int, words[1:])
        print(json.dumps(asyncio.run(load(port, seconds, connections))))
        sys.exit()
    sys.exit(0 if run(*map(int, words)) else 1)
