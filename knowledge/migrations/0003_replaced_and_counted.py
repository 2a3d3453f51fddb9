"""A document may take the place of another of its name; collections know what they hold without counting."""

import django.utils.timezone
from django.db import migrations, models
from django.db.models import Count, F, Max, Sum
from django.db.models.functions import Coalesce, Length


def count_what_is_there(apps, schema_editor):
    Collection = apps.get_model("knowledge", "Collection")
    Document = apps.get_model("knowledge", "Document")
    Chunk = apps.get_model("knowledge", "Chunk")
    Document.objects.update(uploaded_at=F("created_at"))
    for collection in Collection.objects.iterator():
        documents = Document.objects.filter(collection=collection).aggregate(
            count=Count("pk"), size=Coalesce(Sum("size_bytes"), 0), changed=Max("updated_at")
        )
        characters = Chunk.objects.filter(collection=collection).aggregate(
            sum=Coalesce(Sum(Length("text")), 0)
        )
        Collection.objects.filter(pk=collection.pk).update(
            document_count=documents["count"],
            size_bytes=documents["size"],
            changed_at=documents["changed"],
            character_count=characters["sum"],
        )


class Migration(migrations.Migration):

    dependencies = [
        ('knowledge', '0002_word_index'),
    ]

    operations = [
        migrations.AddField(
            model_name='collection',
            name='assistants_may_read',
            field=models.BooleanField(default=False, help_text='Every assistant of the account answers from it.'),
        ),
        migrations.AddField(
            model_name='collection',
            name='changed_at',
            field=models.DateTimeField(editable=False, help_text='When its chunks last changed.', null=True),
        ),
        migrations.AddField(
            model_name='collection',
            name='character_count',
            field=models.PositiveBigIntegerField(default=0, editable=False, help_text='Of its chunks.'),
        ),
        migrations.AddField(
            model_name='collection',
            name='document_count',
            field=models.PositiveIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name='collection',
            name='size_bytes',
            field=models.PositiveBigIntegerField(default=0, editable=False, help_text='Of its files.'),
        ),
        migrations.AddField(
            model_name='document',
            name='replaces_same_name',
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.AddField(
            model_name='document',
            name='superseded_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name='document',
            name='unit',
            field=models.CharField(blank=True, editable=False, help_text='pages, rows or records.', max_length=10),
        ),
        migrations.AddField(
            model_name='document',
            name='units_done',
            field=models.PositiveIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='document',
            name='units_total',
            field=models.PositiveIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='document',
            name='uploaded_at',
            field=models.DateTimeField(default=django.utils.timezone.now, editable=False),
        ),
        migrations.AddIndex(
            model_name='document',
            index=models.Index(condition=models.Q(('superseded_at__isnull', False)), fields=['superseded_at'], name='document_superseded'),
        ),
        migrations.AddIndex(
            model_name='document',
            index=models.Index(fields=['state', 'collection'], name='document_by_state'),
        ),
        migrations.AddIndex(
            model_name='document',
            index=models.Index(fields=['collection', 'mime'], name='document_by_type'),
        ),
        migrations.RunPython(count_what_is_there, migrations.RunPython.noop),
    ]
