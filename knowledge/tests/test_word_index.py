"""The words in memory: exact, bounded, and cheap to bring up to date."""

import random
import threading
import time

import pytest

from knowledge import word_index
from knowledge.ingestion import remove_document
from knowledge.keywords import bm25, scored_by_words, statistics_of
from knowledge.models import Chunk, Collection, Document
from knowledge.tests.shelves import add_text
from knowledge.word_index import WordMemory
from knowledge.words import padded
from tests.factories import make_account, make_collection

pytestmark = pytest.mark.django_db(transaction=True)

VOCABULARY = [f"word{n}" for n in range(300)]
WEIGHTS = [1 / (rank + 1) for rank in range(len(VOCABULARY))]


def fill(collection, count, rng, name="corpus"):
    """Chunks of very different lengths, whose words follow Zipf's law."""
    document = Document.objects.create(collection=collection, title=name, checksum=name, state="ready")
    rows = []
    for position in range(count):
        terms = rng.choices(VOCABULARY, WEIGHTS, k=rng.randint(1, 120))
        rows.append(
            Chunk(
                document=document,
                collection=collection,
                position=position,
                text=" ".join(terms),
                terms=padded(terms),
                token_count=len(terms),
                text_checksum=str(position),
            )
        )
    Chunk.objects.bulk_create(rows)
    recount(collection)
    return document


def recount(collection):
    lengths = list(Chunk.objects.filter(collection=collection).values_list("token_count", flat=True))
    Collection.objects.filter(pk=collection.pk).update(
        chunk_count=len(lengths), token_count=sum(lengths), version=collection.version + 1
    )
    collection.refresh_from_db()


def scanned(terms, collections):
    """Every chunk scored, one by one."""
    statistics = statistics_of(terms, collections)
    rows = Chunk.objects.filter(collection__in=collections).values_list("pk", "terms", "token_count")
    scored = [(bm25(held, length, terms=terms, statistics=statistics), pk) for pk, held, length in rows]
    return sorted(((score, pk) for score, pk in scored if score), key=lambda found: (-found[0], found[1]))


def assert_equal_to_a_scan(terms, collections, limit=20):
    expected = scanned(terms, collections)[:limit]
    found = scored_by_words(terms, collections, limit=limit)

    assert [one.chunk_id for one in found] == [pk for _, pk in expected]
    assert [one.score for one in found] == pytest.approx([score for score, _ in expected])


@pytest.mark.parametrize("in_memory", [True, False])
def test_the_best_are_those_of_a_full_scan(in_memory, monkeypatch):
    monkeypatch.setattr(word_index, "MOST_TOKENS", word_index.MOST_TOKENS if in_memory else 0)
    rng = random.Random(5)
    account = make_account()
    collections = [make_collection(account, slug=slug) for slug in ("one", "two")]
    for collection in collections:
        fill(collection, 400, rng)

    for _ in range(40):
        terms = list(dict.fromkeys(rng.choices(VOCABULARY, k=rng.randint(1, 7))))
        assert_equal_to_a_scan(terms, collections)
        assert_equal_to_a_scan(terms, collections[:1])


def test_chunks_that_come_and_go_leave_it_exact(monkeypatch):
    monkeypatch.setattr(word_index, "LARGEST_SEGMENT", 60)
    rng = random.Random(6)
    collection = make_collection()
    documents = []
    for step in range(30):
        if documents and rng.random() < 0.35:
            remove_document(documents.pop(rng.randrange(len(documents))))
            collection.refresh_from_db()
        else:
            documents.append(fill(collection, rng.choice([1, 2, 5, 40]), rng, name=f"d{step}"))
        assert_equal_to_a_scan(rng.sample(VOCABULARY[:40], k=4), [collection])

    index = word_index.MEMORY.of(collection)
    assert (index.chunk_count, index.token_count) == (collection.chunk_count, collection.token_count)


def test_after_a_change_only_what_is_new_is_read(django_assert_num_queries):
    collection = make_collection()
    fill(collection, 200, random.Random(7))
    memory = WordMemory(10**9)
    first = memory.of(collection)
    add_text(collection, "Something new about zebras.", title="Zebras")
    collection.refresh_from_db()

    with django_assert_num_queries(2):  # which chunks there are, and the terms of the new one
        second = memory.of(collection)
    assert second.segments[0].rows is first.segments[0].rows
    assert len(second.segments[1].ids) == 1
    with django_assert_num_queries(0):
        assert memory.of(collection) is second


def test_many_small_documents_make_few_segments():
    collection = make_collection()
    rng = random.Random(8)
    memory = WordMemory(10**9)
    for n in range(60):
        fill(collection, 1, rng, name=str(n))
        index = memory.of(collection)

    assert index.chunk_count == 60
    assert len(index.segments) <= 6


def test_the_least_used_is_dropped_when_the_memory_is_full():
    collections = [make_collection() for _ in range(3)]
    for collection in collections:
        fill(collection, 50, random.Random(9))
    one = WordMemory(10**9).of(collections[0]).size_bytes
    memory = WordMemory(int(2.5 * one))
    for collection in collections:
        memory.of(collection)

    assert memory.size_bytes <= 2.5 * one


def test_an_empty_collection_finds_nothing():
    assert scored_by_words(["anything"], [make_collection()]) == []


def test_of_many_equal_chunks_the_first_written_are_given_whichever_the_limit(monkeypatch):
    monkeypatch.setattr(word_index, "LARGEST_SEGMENT", 7)
    collection = make_collection()
    rows = "Name,City\n" + "".join(f"Person {n},London\n" for n in range(30)) + "Ada,London London\n"
    add_text(collection, rows, filename="a.csv")
    collection.refresh_from_db()
    word_index.MEMORY.clear()
    every = scored_by_words(["london", "person"], [collection])

    for limit in (1, 5, 12, 31):
        assert scored_by_words(["london", "person"], [collection], limit=limit) == every[:limit]


def test_a_large_collection_is_answered_from_the_database_while_it_is_read(monkeypatch):
    collection = make_collection()
    fill(collection, 40, random.Random(3))
    memory, goes_on = WordMemory(10**6), threading.Event()
    read = memory.load
    monkeypatch.setattr(memory, "load", lambda *given: goes_on.wait(10) and read(*given))
    monkeypatch.setattr(word_index, "MEMORY", memory)
    monkeypatch.setattr(word_index, "READ_WHILE_ASKED", 0)

    while_read = scored_by_words(["word3", "word40"], [collection])
    assert not memory.knows(collection)
    goes_on.set()
    deadline = time.monotonic() + 10
    while not memory.knows(collection) and time.monotonic() < deadline:
        time.sleep(0.01)

    assert [one.chunk_id for one in while_read] == [
        one.chunk_id for one in scored_by_words(["word3", "word40"], [collection])
    ]
    assert memory.knows(collection)
