from django.db import migrations
from django.db.models import Count, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce


def set_clock(apps, schema_editor):
    """Whoever was invited or skipped before there was a clock has nothing due by it."""
    Recipient = apps.get_model("campaigns", "Recipient")
    Delivery = apps.get_model("campaigns", "Delivery")
    emails = Delivery.objects.filter(recipient=OuterRef("pk")).order_by("created_at")
    sent = emails.filter(state="sent")
    count = sent.order_by().values("recipient").annotate(n=Count("pk")).values("n")
    Recipient.objects.filter(state="skipped").update(next_at=None)
    Recipient.objects.filter(state="invited").update(
        next_at=None,
        next_step=1,
        invited_at=Subquery(emails.values("created_at")[:1]),
        last_sent_at=Subquery(sent.values("sent_at")[:1]),
        emails_sent=Coalesce(Subquery(count), Value(0)),
    )


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0002_schedules_and_followups")]
    operations = [migrations.RunPython(set_clock, migrations.RunPython.noop)]
