"""What a word is has changed: "X-200" is also one word, and "cancelling" has the stem of "cancel"."""

from django.db import migrations
from django.db.models import F, Sum
from django.db.models.functions import Coalesce

AT_ONCE = 500


def index_again(apps, schema_editor):
    from knowledge.words import padded, terms_of

    Chunk = apps.get_model("knowledge", "Chunk")
    Collection = apps.get_model("knowledge", "Collection")
    last = 0
    while batch := list(
        Chunk.objects.filter(pk__gt=last)
        .order_by("pk")
        .select_related("document")
        .only("text", "document__title")[:AT_ONCE]
    ):
        for chunk in batch:
            terms = [*terms_of(chunk.document.title), *terms_of(chunk.text)]
            chunk.terms, chunk.token_count = padded(terms), len(terms)
        Chunk.objects.bulk_update(batch, ["terms", "token_count"])
        last = batch[-1].pk
    for collection in Collection.objects.all():
        held = Chunk.objects.filter(collection=collection).aggregate(sum=Coalesce(Sum("token_count"), 0))
        Collection.objects.filter(pk=collection.pk).update(
            token_count=held["sum"], version=F("version") + 1
        )


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0003_replaced_and_counted")]
    operations = [migrations.RunPython(index_again, migrations.RunPython.noop)]
