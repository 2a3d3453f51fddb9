"""SQLite rebuilt the conversations' table for a column of 0008, and dropped the word index's triggers with it."""

from importlib import import_module

from django.db import migrations

word_index = import_module("crm.migrations.0006_word_index")


def create_again(apps, schema_editor):
    if schema_editor.connection.vendor != "sqlite":
        return
    for statement in (*word_index.sqlite_undo(), *word_index.sqlite()):
        schema_editor.execute(statement, None)


class Migration(migrations.Migration):
    dependencies = [("crm", "0009_persona_memory")]
    operations = [migrations.RunPython(create_again, migrations.RunPython.noop)]
