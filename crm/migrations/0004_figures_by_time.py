"""Indexes for the figures of a day, the failed replies on the start page, and the admin's list of talks."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("crm", "0003_merging")]

    operations = [
        migrations.AddIndex(
            model_name="message",
            index=models.Index(fields=["created_at"], name="message_by_time"),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(fields=["created_at"], condition=Q(state="failed"), name="message_failed"),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(fields=["created_at"], name="conversation_by_time"),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(fields=["-last_activity_at", "-id"], name="conversation_latest_of_all"),
        ),
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(fields=["created_at"], name="contact_by_time"),
        ),
    ]
