"""The word index comes and goes with its migration, on both databases."""

import pytest
from django.core.management import call_command
from django.db import connection

from knowledge.keywords import _condition, _searched, scored_by_words
from knowledge.models import Chunk, Collection
from knowledge.tests.shelves import handbook

pytestmark = pytest.mark.django_db(transaction=True)


def index_exists():
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT count(*) FROM sqlite_master WHERE name LIKE 'knowledge_chunk_words%'")
        else:
            cursor.execute("SELECT count(*) FROM pg_indexes WHERE indexname = 'knowledge_chunk_words'")
        return cursor.fetchone()[0] > 0


def test_they_can_be_undone_and_done_again_with_rows_in_the_tables():
    """Collections know what they hold then, and the words are made again."""
    before = handbook()
    before.refresh_from_db()
    Chunk.objects.update(terms=" old ", token_count=1)
    call_command("migrate", "knowledge", "0001", verbosity=0)
    try:
        assert not index_exists()
    finally:
        call_command("migrate", verbosity=0)
    assert index_exists()

    after = Collection.objects.get()
    for name in ("document_count", "size_bytes", "character_count", "chunk_count", "token_count"):
        assert getattr(after, name) == getattr(before, name) > 0, name
    assert after.version > before.version
    assert scored_by_words(["invoic"], [after])
    assert not after.assistants_may_read


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
