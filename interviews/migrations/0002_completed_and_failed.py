"""Indexes for the start page: interviews completed on a day, and steps that gave up."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("interviews", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="interview",
            index=models.Index(
                fields=["completed_at"], condition=Q(completed_at__isnull=False), name="interview_completed"
            ),
        ),
        migrations.AddIndex(
            model_name="processingstep",
            index=models.Index(fields=["id"], condition=Q(state="failed"), name="processing_failed"),
        ),
    ]
