"""SQLite rebuilt the conversations' table for a column of 0008, and dropped the word index's triggers with it."""

from django.db import migrations

from crm.migrations import _word_index as word_index


def create_again(apps, schema_editor):
    if schema_editor.connection.vendor != "sqlite":
        return
    for statement in (*word_index.sqlite_undo(), *word_index.sqlite()):
        schema_editor.execute(statement, None)


class Migration(migrations.Migration):
    dependencies = [("crm", "0009_persona_memory")]
    operations = [migrations.RunPython(create_again, migrations.RunPython.noop)]
