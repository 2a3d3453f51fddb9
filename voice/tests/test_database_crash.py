"""1,000 webhooks while the database crashes in the middle: what was answered with 200 is there, once."""

import json
import signal
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import psutil
import psycopg
import pytest

from bench.lists import postgres
from bench.webhooks import PATH, body
from tests.installation import installation

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("installation")]
EVENTS = 1000


def accepted(house, number):
    """Sent until it is answered with 200, as a client would; how often it was."""
    for tries in count(1):
        request = urllib.request.Request(house.url + PATH, json.dumps(body(number)).encode())
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=30):
                return tries
        except (urllib.error.HTTPError, OSError) as error:
            assert getattr(error, "code", 503) == 503, error  # never a 4xx, never a 500
            time.sleep(0.2)


def crash(folder):
    """One backend killed: PostgreSQL ends all the others at once and recovers from its log."""
    server = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))
    writer = next(child for child in server.children() if "checkpointer" in " ".join(child.cmdline()))
    writer.send_signal(signal.SIGKILL)


def asked(address, question):
    with psycopg.connect(address) as database:
        return database.execute(question).fetchone()[0]


def test_a_database_that_crashes_in_the_middle_loses_no_event(tmp_path):
    folder, done = Path(tmp_path) / "pg", threading.Semaphore(0)
    limits = {"RAPPORT_WEBHOOK_PER_MINUTE": "10000000", "RAPPORT_SWEEP_SECONDS": "2"}
    with postgres(folder) as address, installation({"DATABASE_URL": address, **limits}) as house:
        with ThreadPoolExecutor(8) as pool:

            def send(number):
                tries = accepted(house, number)
                done.release()
                return tries

            sent = [pool.submit(send, number) for number in range(EVENTS)]
            for _ in range(EVENTS // 2):
                done.acquire(timeout=60)
            crash(folder)
            tries = [one.result(120) for one in sent]
        assert max(tries) > 1, "the crash was not noticed"
        assert asked(address, "SELECT count(DISTINCT conversation_id) FROM voice_voiceevent") == EVENTS
        assert asked(address, "SELECT count(*) FROM voice_voiceevent") == EVENTS
        deadline = time.monotonic() + 120
        while asked(address, "SELECT count(*) FROM voice_voiceevent WHERE state <> 'done'"):
            assert time.monotonic() < deadline, "not all was read"
            time.sleep(0.5)
        assert asked(address, "SELECT count(*) FROM crm_conversation") == EVENTS
