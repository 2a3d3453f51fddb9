"""Call batches for tests: people who agreed, times on offer, and what the tasks would do."""

from datetime import timedelta

from django.utils import timezone

from voice import batches, dialling
from voice.models import CallBatch, Callee, TimeSlot
from voice.tests.conftest import make_callee, make_slots


def make_people(account, count, **fields):
    return [make_callee(account, phone=f"+49151123{number:05d}", **fields) for number in range(count)]


def make_batch(account, people=(), **fields):
    """A draft with these people; the account has times on offer."""
    if not TimeSlot.objects.for_account(account).exists():
        make_slots(account)
    fields.setdefault("name", "Engineers")
    batch = CallBatch.objects.create(account=account, company="Acme", position="Engineer", **fields)
    for person in people:
        Callee.objects.create(batch=batch, contact=person)
    return batch


def started(batch):
    """Running, and nobody called yet: the test dials."""
    at = timezone.now() - timedelta(hours=1)
    CallBatch.objects.filter(pk=batch.pk).update(state="running", started_at=at, resumed_at=at)
    batch.people.update(next_at=at)
    batch.refresh_from_db()
    return batch


def dial(batch):
    return dialling.dial(batch.pk, seconds=60)


def states(batch):
    return sorted(batch.people.values_list("state", flat=True))


def figures(batch):
    return batches.progress([batch.pk])[batch.pk]
