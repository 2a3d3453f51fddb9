"""An import whose process is killed again and again: everybody is in the campaign once."""

import signal
import subprocess
import sys
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from campaigns import importing
from campaigns.models import ContactImport
from crm.models import Contact, ContactAddress
from tests.factories import make_campaign, make_contact

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = 1_000


def killed_after(kept, chunks):
    """Starts an importer, and kills it while it writes the chunk after so many."""
    database = str(connection.settings_dict["NAME"])
    words = [sys.executable, "-m", "campaigns.tests.importing_child", database, str(kept.pk)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        for _chunk in range(chunks):
            assert child.stdout.readline() == "storing\n"
        child.send_signal(signal.SIGKILL)
        child.wait(20)


def test_an_import_killed_again_and_again_loses_nobody_and_doubles_nobody():
    campaign = make_campaign()
    make_contact(campaign.account, email="p7@example.com", name="Known")
    rows = "".join(f"p{n % 900}@example.com,P {n}\n" for n in range(ROWS))
    kept = importing.keep(campaign, f"email,name\n{rows}".encode(), filename="p.csv")
    ContactImport.objects.update(state="running", done_rows=0)
    done = 0
    for _kill in range(3):
        killed_after(kept, chunks=4)
        kept.refresh_from_db()
        assert done < kept.done_rows < ROWS
        assert kept.state == "running"
        done = kept.done_rows
        ContactImport.objects.update(lease_until=None)
    with time_machine.travel(timezone.now() + importing.LEASE + timedelta(seconds=1)):
        assert importing.go_on(kept.pk) is False
    kept.refresh_from_db()
    assert (kept.state, kept.done_rows) == ("done", ROWS)
    assert campaign.recipients.count() == Contact.objects.count() == ContactAddress.objects.count() == 900
    assert Contact.objects.get(addresses__value="p7@example.com").name == "Known"
