"""The word index comes and goes with its migration, on both databases."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from knowledge.keywords import _condition, _searched, scored_by_words
from knowledge.migrations._word_index import create_index, drop_index
from knowledge.models import Chunk, Collection
from knowledge.tests.shelves import handbook

pytestmark = pytest.mark.django_db(transaction=True)

COUNTED = ("document_count", "size_bytes", "character_count", "token_count")


def index_exists():
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT count(*) FROM sqlite_master WHERE name LIKE 'knowledge_chunk_words%'")
        else:
            cursor.execute("SELECT count(*) FROM pg_indexes WHERE indexname = 'knowledge_chunk_words'")
        return cursor.fetchone()[0] > 0


def test_the_index_can_be_undone_and_done_again_with_rows_in_the_tables():
    """By its own steps: undoing the whole schema would prove nothing more about it."""
    collection = handbook()
    with connection.schema_editor() as editor:
        drop_index(apps, editor)
    without = index_exists()
    with connection.schema_editor() as editor:
        create_index(apps, editor)

    assert (without, index_exists()) == (False, True)
    assert scored_by_words(["invoic"], [collection])


def test_what_older_databases_hold_is_counted_and_its_words_made_again():
    """Two steps of an upgrade from before collections were counted and words were what they are."""
    before = handbook()
    before.refresh_from_db()
    Collection.objects.update(**dict.fromkeys(COUNTED, 0))
    Chunk.objects.update(terms=" old ", token_count=1)
    counting = import_module("knowledge.migrations.0003_replaced_and_counted")
    words = import_module("knowledge.migrations.0004_words_again")
    with connection.schema_editor() as editor:
        counting.count_what_is_there(apps, editor)
        words.index_again(apps, editor)

    after = Collection.objects.get()
    for name in COUNTED:
        assert getattr(after, name) == getattr(before, name) > 0, name
    assert after.version > before.version
    assert scored_by_words(["invoic"], [after])


def test_the_search_uses_the_index():
    collection = handbook()
    condition, values = _condition(["invoic"], [collection], matching="any")
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # So few rows are read faster without any index; here only the expression's match matters.
            condition, values = condition.partition(" AND ")[0], values[:1]
            cursor.execute("SET enable_seqscan = off")
        explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
        cursor.execute(f"{explain} SELECT count(*) FROM {_searched()} WHERE {condition}", values)
        plan = str(cursor.fetchall())
        if connection.vendor == "postgresql":
            cursor.execute("RESET enable_seqscan")
    assert "VIRTUAL TABLE INDEX" in plan or "knowledge_chunk_words" in plan
