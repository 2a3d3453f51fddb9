"""Phone calls at once: what one webhook of Twilio takes of our own, beside the model's 200 ms.

1, 8 and 64 calls, two seconds between the turns of each, signed as Twilio signs, from a process of its own
on the same cores as the server, PostgreSQL and the model. The first answer of each call is one that the
rules are unsure of, so that a model is asked, which takes 200 ms; those are taken off. Baseline: a bare
application on the same server that only asks that model, and answers what it is told to.

python -m bench.voice [CALLS AT ONCE …, default 1 8 64]
"""

import asyncio
import base64
import hashlib
import hmac
import html
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from bench import report
from bench.lists import postgres
from bench.load import percentile
from tests.installation import ROOT, installation
from tests.ports import free_port

BASE, TOKEN = "https://calls.example", "bench-token"
MODEL_SECONDS, PAUSE_SECONDS, WANTED_P95_MS = 0.2, 2.0, 100
AT_ONCE, ROUNDS = (1, 8, 64), 2
WORDS = ("go on then", "yes", "not before ten", "the second one", "say that again", "yes")
SLOTS = 400


# --- the person and Twilio ------------------------------------------------------------------------


def signature(url, form):
    text = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.new(TOKEN.encode(), text.encode(), hashlib.sha1).digest()).decode()


def request(url, form):
    parts, body = urlsplit(url), urlencode(form).encode()
    lines = [f"POST {parts.path}?{parts.query} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [
        "Content-Type: application/x-www-form-urlencoded",
        f"X-Twilio-Signature: {signature(url, form)}",
    ]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


async def answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(re.search(rb"(?i)content-length: *(\d+)", head)[1])
    document = (await reader.readexactly(length)).decode()
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"{head.splitlines()[0]!r} {document[:200]}")
    return document


async def talk(port, call, wait, times):
    """One call: as far as the documents lead, at most to the last of WORDS. Seconds of our own are noted."""
    await asyncio.sleep(wait)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sid, url = call
    for number, words in enumerate(("", *WORDS)):
        form = {"CallSid": sid, "CallStatus": "in-progress"}
        form |= {"SpeechResult": words, "Confidence": "0.93"} if words else {"AnsweredBy": "human"}
        before = time.perf_counter()
        writer.write(request(url, form))
        document = await asyncio.wait_for(answer(reader), 15)
        took = time.perf_counter() - before
        times.append(took - (MODEL_SECONDS if number == 1 else 0))
        if not (found := re.search(r'action="([^"]+)"', document)):
            break
        url = html.unescape(found[1])
        await asyncio.sleep(PAUSE_SECONDS)
    writer.close()


async def load(port, calls, at_once):
    times = []
    for start in range(0, len(calls), at_once):
        now = calls[start : start + at_once]
        waits = [PAUSE_SECONDS * number / len(now) for number in range(len(now))]
        await asyncio.gather(*(talk(port, call, wait, times) for call, wait in zip(now, waits, strict=True)))
    return {
        "webhooks": len(times),
        "p50_ms": percentile(times, 0.50),
        "p95_ms": percentile(times, 0.95),
        "longest_ms": max(times) * 1000,
    }


# --- what answers them ----------------------------------------------------------------------------


def seed(count):
    """So many people who are being called, and times to offer. Prints sid and address of each call."""
    import django

    django.setup()
    from datetime import timedelta

    from django.utils import timezone

    from config.api.models import Account
    from crm.models import Contact
    from voice.models import PhoneCall, TimeSlot

    account, _new = Account.objects.get_or_create(slug="default", defaults={"name": "Default"})
    first = timezone.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=2)
    starts = [first + timedelta(hours=number) for number in range(SLOTS)]
    TimeSlot.objects.bulk_create(
        TimeSlot(account=account, starts_at=at, ends_at=at + timedelta(minutes=30)) for at in starts
    )
    calls = []
    for number in range(count):
        person = Contact.objects.create(account=account, name=f"Person {number}")
        about = {"candidate": person.name, "company": "Acme", "position": "Engineer", "zone": "Europe/Berlin"}
        row = PhoneCall.objects.create(
            account=account, contact=person, sid=f"CA{number:032d}", to_number="+49", invitation=about
        )
        calls.append((row.sid, f"{BASE}/twilio-voice?call={row.pk}"))
    print(json.dumps(calls))


async def bare(scope, receive, send):
    """The baseline: no signature, no database, no talk; the model is asked where ours asks it."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    turn = int(dict(parse_qsl(scope["query_string"].decode())).get("turn", "0"))
    if turn == 1:
        await _model_asked()
    action = f'<Gather action="{BASE}/twilio-process?turn={turn + 1}"/>' if turn < len(WORDS) else ""
    text = f"<Response>{action}<Hangup/></Response>".encode()
    headers = [(b"content-type", b"text/xml"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})


async def _model_asked():
    import aiohttp

    body = {"model": "bench", "stream": True, "messages": [{"role": "user", "content": "?"}]}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{os.environ['BENCH_MODEL']}/chat/completions", json=body) as response,
    ):
        await response.read()


@contextmanager
def child(*words, **environment):
    started = subprocess.Popen([sys.executable, *words], cwd=ROOT, env={**os.environ, **environment})
    try:
        yield started
    finally:
        started.terminate()
        started.wait()


@contextmanager
def model():
    port = free_port()
    words = ["--port", str(port), "--first-token", str(MODEL_SECONDS), "--tokens", "1"]
    with child("-m", "tests.fakes.openai_server", *words):
        yield f"http://127.0.0.1:{port}/v1"


@contextmanager
def bare_server(address):
    port = free_port()
    words = ("-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "-v", "0", "bench.voice:bare")
    with child(*words, BENCH_MODEL=address):
        deadline = time.monotonic() + 30
        while not _listens(port):
            if time.monotonic() > deadline:
                raise RuntimeError("The bare application did not start.")
            time.sleep(0.1)
        yield port


def _listens(port):
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


# --- the bench ------------------------------------------------------------------------------------


def measure(port, calls, at_once):
    command = [sys.executable, "-m", "bench.voice", "--load", str(port), str(at_once)]
    done = subprocess.run(
        command, input=json.dumps(calls), capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def run(levels=AT_ONCE):
    report.heading("Phone calls")
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        address = stack.enter_context(model())
        database = stack.enter_context(postgres(Path(folder) / "pg"))
        environment = {
            "DATABASE_URL": database,
            "OPENAI_API_KEY": "bench",
            "OPENAI_BASE_URL": address,
            "RAPPORT_PROVIDERS": "openai",
            "RAPPORT_EMBEDDINGS": "",
            "TWILIO_AUTH_TOKEN": TOKEN,
            "WEBHOOK_BASE_URL": BASE,
        }
        house = stack.enter_context(installation(environment))
        shown = {"database": "PostgreSQL", "web processes": 1, "seconds between turns": PAUSE_SECONDS}
        report.settings({**shown, "the model's seconds": MODEL_SECONDS, "rounds": ROUNDS})
        wanted = [level * ROUNDS for level in levels]
        calls = json.loads(house.run("-m", "bench.voice", "--seed", str(sum(wanted) + 1)))
        measure(house.port, [calls.pop()], 1)  # what the first call loads is no cost of a call
        ours = [
            measure(house.port, [calls.pop() for _ in range(count)], level)
            for level, count in zip(levels, wanted, strict=True)
        ]
        bare_port = stack.enter_context(bare_server(address))
        one = ("CA1", f"{BASE}/twilio-voice?call=1")
        baseline = [
            measure(bare_port, [one] * count, level) for level, count in zip(levels, wanted, strict=True)
        ]
    return judged(levels, ours, baseline)


def judged(levels, ours, baseline):
    columns = ("calls at once", "", "webhooks", "own p50 ms", "own p95 ms", "longest ms")
    rows = [
        (level, name, found["webhooks"], found["p50_ms"], found["p95_ms"], found["longest_ms"])
        for level, *pair in zip(levels, ours, baseline, strict=True)
        for name, found in zip(("Rapport", "bare application"), pair, strict=True)
    ]
    report.table("What one webhook takes, without the model's own time", columns, rows)
    for level, mine, theirs in zip(levels, ours, baseline, strict=True):
        report.ratio(f"p95, {level} calls", mine["p95_ms"], theirs["p95_ms"], of="the bare application")
    reached = all(found["p95_ms"] < WANTED_P95_MS for found in ours)
    print(f"  p95 < {WANTED_P95_MS} ms at every level: {'reached' if reached else 'MISSED'}")
    return reached


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[:1] == ["--seed"]:
        seed(int(words[1]))
    elif words[:1] == ["--load"]:
        print(json.dumps(asyncio.run(load(int(words[1]), json.load(sys.stdin), int(words[2])))))
    else:
        sys.exit(0 if run(tuple(map(int, words)) or AT_ONCE) else 1)
