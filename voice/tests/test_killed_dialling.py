"""Workers at a call batch as real processes, killed: nobody's phone rings twice."""

import os
import signal
import subprocess
import sys
import time

import pytest
from django.db import connection
from django.utils import timezone

from tests.fakes.twilio_server import ACCOUNT_SID, AUTH_TOKEN, Behaviour, Fault
from voice import calls, dialling, tasks
from voice.models import Callee, PhoneCall
from voice.tests.batching import dial, make_batch, make_people, started, states
from voice.tests.simulator import BASE, OUR_NUMBER

pytestmark = pytest.mark.django_db(transaction=True)


def worker(batch, mode, twilio):
    environment = {
        "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "TWILIO_PHONE_NUMBER": OUR_NUMBER,
        "TWILIO_API_URL": twilio.address,
        "WEBHOOK_BASE_URL": BASE,
        "RAPPORT_CALL_FROM_HOUR": "0",
        "RAPPORT_CALL_UNTIL_HOUR": "24",
    }
    words = ["-m", "voice.tests.dialling_child", str(connection.settings_dict["NAME"]), str(batch.pk), mode]
    return subprocess.Popen(
        [sys.executable, *words],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def kill(child):
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=40)


def as_if_long_ago(age):
    at = timezone.now() - age * 2
    PhoneCall.objects.update(started_at=at)
    Callee.objects.exclude(called_at=None).update(called_at=at)


def test_a_worker_killed_between_claim_and_call_rang_nobody_and_the_person_is_called_once(twilio, account):
    batch = started(make_batch(account, make_people(account, 1)))
    child = worker(batch, "claim", twilio)
    assert child.stdout.readline() == "claimed\n"
    kill(child)
    dial(batch)
    assert (states(batch), twilio.forms) == (["claimed"], [])
    as_if_long_ago(dialling.LEASE)
    dial(batch)
    assert (states(batch), len(twilio.forms)) == (["calling"], 1)


def test_a_worker_killed_while_twilio_is_asked_leaves_an_unknown_call_and_no_second_one(twilio, account):
    twilio.script(Behaviour(Fault.SILENCE))
    batch = started(make_batch(account, make_people(account, 1)))
    child = worker(batch, "dial", twilio)
    deadline = time.monotonic() + 60
    while not twilio.forms and time.monotonic() < deadline:
        time.sleep(0.01)
    kill(child)
    assert len(twilio.forms) == 1
    as_if_long_ago(dialling.LEASE)
    dial(batch)
    assert (states(batch), len(twilio.forms)) == (["unknown"], 1)
    as_if_long_ago(calls.STALE)
    tasks.sweep()  # Twilio tells of the call that it made
    dial(batch)
    assert (states(batch), len(twilio.forms)) == (["calling"], 1)
    assert PhoneCall.objects.get().sid in twilio.calls
