"""A mailbox whose reader is killed at each point of its work: every reply is there, once."""

import signal
import subprocess
import sys

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import mailboxes, tasks
from campaigns.models import InboundEmail, Mailbox
from campaigns.tests.letters import letter
from crm.models import TimelineEntry
from tests.factories import make_account, make_contact
from tests.fakes.imap_server import PASSWORD, USER, ImapServer

pytestmark = pytest.mark.django_db(transaction=True)
# Where each reader is killed, in this order, and the messages stored by then.
KILLS = {"fetched": [], "kept": [], "committed": [1], "noted": [1, 2]}


def readers(mailbox):
    """They load Django side by side, and begin when they are told."""
    words = [sys.executable, "-m", "campaigns.tests.mailbox_child"]
    database = str(connection.settings_dict["NAME"])
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    found = {point: subprocess.Popen([*words, database, str(mailbox.pk), point], **pipes) for point in KILLS}
    for child in found.values():
        assert child.stdout.readline() == "ready\n"
    return found


def killed_at(point, child):
    child.stdin.write("go\n")
    child.stdin.flush()
    assert child.stdout.readline() == f"{point}\n"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    # As if the dead reader's hold had run out.
    Mailbox.objects.update(reading_until=None, not_before=timezone.now())


def stored():
    return list(InboundEmail.objects.order_by("uid").values_list("uid", flat=True))


def test_a_reader_killed_at_any_point_loses_no_reply_and_stores_none_twice():
    account = make_account()
    ada = make_contact(account, email="ada@example.com")
    with ImapServer() as server:
        mailbox = Mailbox.objects.create(
            account=account,
            name="Replies",
            address=USER,
            host="127.0.0.1",
            port=server.port,
            security="none",
            username=USER,
            password=PASSWORD,
        )
        for number in (1, 2, 3):
            server.deliver(letter(f"Reply {number}.", message_id=f"<m{number}@example.com>"))
        for point, child in readers(mailbox).items():
            killed_at(point, child)
            assert stored() == KILLS[point]
        mailboxes.read_new(mailbox.pk)
        tasks.sweep()  # wakes whoever should have been woken
        assert server.seen()["flags"] == 0
    assert stored() == [1, 2, 3]
    assert set(InboundEmail.objects.values_list("state", "kind", "contact")) == {("done", "reply", ada.pk)}
    assert TimelineEntry.objects.filter(contact=ada, kind="email_received").count() == 3
