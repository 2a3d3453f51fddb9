"""kill -9 in the middle of things, against a whole installation: nothing is lost, nothing is doubled."""

import asyncio
import json
import os
import signal
import sqlite3
import time
import uuid

import aiohttp
import pytest

from tests.fakes.openai_server import Behaviour, OpenAIServer
from tests.installation import installation
from tests.seats import live, take_seats

# What a kill leaves is found sooner than in real life.
SOON = {"RAPPORT_SWEEP_SECONDS": "2", "RAPPORT_LEASE_SECONDS": "8"}

PEOPLE = 8

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("installation")]


def rows(house, query, *values):
    with sqlite3.connect(house.folder / "rapport.sqlite3", timeout=20) as database:
        return database.execute(query, values).fetchall()


async def frames_until(socket, *types):
    """The frames up to the first of one of these types."""
    frames = []
    async for frame in socket:
        frames.append(json.loads(frame.data))
        if frames[-1]["type"] in types:
            return frames
    return frames


def wait_for(condition, *, seconds=60, pause=0.2):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(pause)
    raise AssertionError(f"waited {seconds} s in vain")


async def test_a_reply_cut_off_by_kill_9_of_the_web_process_is_written_once_after_restart():
    slow = Behaviour(reply=" ".join(f"word{n}" for n in range(100)), tokens_per_second=20)
    with OpenAIServer(slow) as provider:
        settings = {
            "OPENAI_API_KEY": "test",
            "OPENAI_BASE_URL": provider.base_url,
            "RAPPORT_PROVIDERS": "openai",
            "RAPPORT_EMBEDDINGS": "",
            **SOON,
        }
        with installation(settings) as house:
            (seat,) = take_seats(house, questions=5)
            said = uuid.uuid4().hex
            async with aiohttp.ClientSession() as session:
                async with live(session, house, seat) as socket:
                    text = "We keep all orders in a spreadsheet that three people edit at once."
                    await socket.send_json({"type": "send", "client_message_id": said, "text": text})
                    await frames_until(socket, "delta")
                    killed = house.child("web").pid
                    os.kill(killed, signal.SIGKILL)
                house.wait_for_child("web", other_than=killed)
                house.wait_until_ready()
                provider.behaviour = Behaviour(reply="Thank you. And what comes next?")
                # The page sends the same message again after its reconnect: it must not be a second one.
                reply = await ask_again(session, house, seat, said, text)
            assert reply == "Thank you. And what comes next?"
            messages = rows(
                house, "select author, state from crm_message where author != 'system' order by seq"
            )
            assert messages == [("persona", "complete"), ("person", "complete"), ("persona", "complete")]


async def ask_again(session, house, seat, said, text):
    """What a page does until it has the reply: reconnect, resume, send what it has no answer for."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        async with live(session, house, seat) as socket:
            await socket.send_json({"type": "send", "client_message_id": said, "text": text})
            frames = await frames_until(socket, "done", "failed", "error")
            if frames and frames[-1]["type"] == "done":
                return frames[-1]["message"]["text"]
        await asyncio.sleep(2)
    raise AssertionError("no reply after the restart")


async def test_processing_cut_off_by_kill_9_of_the_workers_is_done_once():
    with installation(SOON) as house:
        seats = take_seats(house, PEOPLE, questions=1)
        # All wait until all have answered, so that the kill finds some done, one begun, and some not.
        signal_workers(house, signal.SIGSTOP)
        async with aiohttp.ClientSession() as session:
            for seat in seats:
                await answer_the_one_question(session, house, seat)
        signal_workers(house, signal.SIGCONT)
        begun = "select count(*) from interviews_processingstep where state in ('running', 'done')"
        wait_for(lambda: rows(house, begun) != [(0,)], pause=0.005)
        signal_workers(house, signal.SIGKILL)
        left = "select count(*) from interviews_interview where state = 'completed'"
        assert rows(house, left) != [(0,)], "the kill came too late to prove anything"
        wait_for(lambda: rows(house, left) == [(0,)], seconds=150)
        assert rows(house, "select state from interviews_interview") == [("processed",)] * PEOPLE
        assert rows(house, "select count(*) from knowledge_document") == [(PEOPLE,)]
        steps = "interviews_processingstep group by name, state order by position"
        each = f"select name, state, count(*) from {steps}"
        assert rows(house, each) == [(name, "done", PEOPLE) for name in ("pdf", "storage", "knowledge")]
        pdfs = [path for path in (house.folder / "files").rglob("*.pdf") if "interviews" in path.parts]
        assert len(pdfs) == PEOPLE


async def answer_the_one_question(session, house, seat):
    async with live(session, house, seat) as socket:
        text = "I sort invoices by hand every Friday, which takes four hours."
        await socket.send_json({"type": "send", "client_message_id": uuid.uuid4().hex, "text": text})
        await frames_until(socket, "closed")


def signal_workers(house, what):
    worker = house.child("worker")
    for process in [worker, *worker.children(recursive=True)]:
        process.send_signal(what)
