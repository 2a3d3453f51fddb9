"""1,000 webhooks while the database crashes in the middle: what was answered with 200 is there, once."""

import json
import signal
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from bench.lists import postgres
from bench.webhooks import PATH, body
from tests.installation import installation

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("installation")]
EVENTS = 1000
PATIENCE = 300  # seconds, of a machine that does other things too


def status_of(house, number):
    request = urllib.request.Request(house.url + PATH, json.dumps(body(number)).encode())
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def sent_until_accepted(house, number, deadline):
    """Repeated until it is answered with 200, as a sender does: every answer it got."""
    seen = [status_of(house, number)]
    while seen[-1] != 200:
        assert time.monotonic() < deadline, f"event {number} was never accepted: {seen[-5:]}"
        time.sleep(0.2)
        seen.append(status_of(house, number))
    return seen


def crash(folder):
    """One of its processes killed: PostgreSQL ends all others at once and recovers from its log."""
    server = psutil.Process(int((folder / "postmaster.pid").read_text().split()[0]))
    victim = next(child for child in server.children() if "checkpointer" in " ".join(child.cmdline()))
    victim.send_signal(signal.SIGKILL)


def asked(address, question):
    with psycopg.connect(address) as database:
        return database.execute(question).fetchone()[0]


def read_whole(address, deadline):
    while asked(address, "SELECT count(*) FROM voice_voiceevent WHERE state <> 'done'"):
        assert time.monotonic() < deadline, "not all was read"
        time.sleep(0.5)


def test_a_database_that_crashes_in_the_middle_loses_no_event(tmp_path):
    folder, accepted = Path(tmp_path) / "pg", threading.Semaphore(0)
    # What a worker held when the database went is taken up sooner than in real life.
    soon = {"RAPPORT_SWEEP_SECONDS": "2", "RAPPORT_LEASE_SECONDS": "8"}
    limits = {"RAPPORT_WEBHOOK_PER_MINUTE": "10000000", **soon}
    with postgres(folder) as address, installation({"DATABASE_URL": address, **limits}) as house:
        # The one first start of the suite that finds an empty database.
        assert "The database is up to date." in house.said()
        deadline = time.monotonic() + PATIENCE

        def send(number):
            answers = sent_until_accepted(house, number, deadline)
            accepted.release()
            return answers

        with ThreadPoolExecutor(8) as pool:
            sent = [pool.submit(send, number) for number in range(EVENTS)]
            for _ in range(EVENTS // 2):
                assert accepted.acquire(timeout=PATIENCE)
            crash(folder)
            answers = {answer for one in sent for answer in one.result()}
        # The crash was noticed, and never told as the sender's fault or as a bug of ours.
        assert 200 in answers <= {200, 503}
        assert asked(address, "SELECT count(*) FROM voice_voiceevent") == EVENTS
        assert asked(address, "SELECT count(DISTINCT conversation_id) FROM voice_voiceevent") == EVENTS
        read_whole(address, time.monotonic() + PATIENCE)
        assert (
            asked(address, "SELECT count(*) FROM voice_receivedconversation WHERE status = 'completed'")
            == EVENTS
        )
