"""A document is stored, read and counted once, whatever is repeated or killed."""

from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from knowledge import arriving, ingestion, tasks
from knowledge.ingestion import Origin, Refused, Section, add_document, read_document, remove_document, retry
from knowledge.models import Chunk, Collection, Document
from knowledge.tests import files
from tests.factories import make_collection

pytestmark = pytest.mark.django_db
TEXT = b"Invoices are sent on Fridays. Travel is booked by the office."


def add(collection=None, content=TEXT, **fields):
    fields = {"title": "Handbook", "filename": "handbook.txt", **fields}
    return add_document(collection or make_collection(), content=content, **fields)


def read(document):
    read_document(document.pk)
    document.refresh_from_db()
    return document


def counts(document):
    collection = Collection.objects.get(pk=document.collection_id)
    return collection.chunk_count, collection.token_count, Chunk.objects.filter(collection=collection).count()


def test_it_is_stored_and_queued_then_read():
    document = add()
    assert (document.state, document.stored_at is not None) == ("queued", True)
    with default_storage.open(document.file.name) as stored:
        assert stored.read() == TEXT

    read(document)

    assert (document.state, document.progress_percent, document.mime) == ("ready", 100, "text/plain")
    assert document.chunks.get().text == TEXT.decode()
    assert counts(document) == (1, document.chunks.get().token_count, 1)


def test_the_task_leaves_after_commit(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        document = add()

    document.refresh_from_db()
    assert document.state == "ready"


def test_the_same_content_is_the_same_document():
    collection = make_collection()
    first, second = add(collection), add(collection, filename="copy.txt")

    assert first.pk == second.pk
    assert add(make_collection()).pk != first.pk


def test_reading_twice_changes_nothing():
    document = read(add())
    version = Collection.objects.get(pk=document.collection_id).version

    assert read_document(document.pk) is False
    assert Collection.objects.get(pk=document.collection_id).version == version


def test_given_sections_are_searched_and_the_file_is_kept():
    sections = [Section("Tools\nAda answered: Excel.", {"messages": [2, 3]})]
    document = read(
        add(
            content=files.pdf("Transcript"),
            sections=sections,
            origin=Origin("interview", "42", "admin:index"),
        )
    )

    chunk = document.chunks.get()
    assert (chunk.text, chunk.locator) == ("Tools\nAda answered: Excel.", {"messages": [2, 3]})
    assert (document.origin_kind, document.origin_id, document.origin_link) == (
        "interview",
        "42",
        "admin:index",
    )


def test_a_passage_is_indexed_by_the_words_of_its_title_too():
    document = read(add(title="Interview with Ada Lovelace"))

    assert " lovelac " in document.chunks.get().terms


def test_a_hostile_file_is_refused_with_its_reason():
    document = read(add(content=files.pdf("x", password="pw"), filename="a.pdf"))

    assert (document.state, document.chunk_count) == ("refused", 0)
    assert "encrypted" in document.reason


def test_an_empty_or_too_large_file_is_refused_at_once(settings):
    settings.MAX_DOCUMENT_BYTES = 2 * 1024 * 1024
    with pytest.raises(Refused, match="empty"):
        add(content=b"")
    with pytest.raises(Refused, match="2 MB"):
        add(content=b"x" * (2 * 1024 * 1024 + 1))


def test_a_storage_failure_leaves_a_row_that_the_next_attempt_completes(monkeypatch):
    collection = make_collection()
    with monkeypatch.context() as broken:
        broken.setattr(type(default_storage._wrapped), "_save", _unreachable)
        with pytest.raises(OSError, match="storage is away"):
            add(collection)
    row = Document.objects.get()
    assert read_document(row.pk) is False  # nothing to read yet

    document = add(collection)

    assert (document.pk, document.file.name) == (row.pk, row.file.name)
    assert read(document).state == "ready"


def _unreachable(*args):
    raise OSError("storage is away")


def test_a_read_that_fails_is_tried_again_later_then_given_up(monkeypatch):
    document = add()
    monkeypatch.setattr(type(default_storage._wrapped), "_open", _unreachable)

    read(document)
    assert (document.state, document.attempts) == ("queued", 1)
    assert document.not_before > timezone.now() + timedelta(seconds=20)
    for _ in range(ingestion.MOST_ATTEMPTS - 1):
        Document.objects.update(not_before=timezone.now())
        read(document)
    assert (document.state, "retry" in document.reason) == ("failed", True)

    monkeypatch.undo()
    assert retry(document)
    assert read(document).state == "ready"


def test_a_missing_file_is_said_at_once():
    document = add()
    default_storage.delete(document.file.name)

    assert read(document).state == "failed"
    assert "missing" in document.reason


def test_a_reader_that_was_killed_is_replaced_after_its_lease():
    document = add()
    Document.objects.update(state="reading", attempts=1, lease_until=timezone.now() + timedelta(seconds=60))
    assert read_document(document.pk) is False

    Document.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    tasks.sweep()

    document.refresh_from_db()
    assert document.state == "ready"
    assert counts(document)[2] == 1


def test_a_document_that_kills_every_reader_is_given_up():
    document = add()
    Document.objects.update(
        state="reading", attempts=ingestion.MOST_ATTEMPTS, lease_until=timezone.now() - timedelta(seconds=1)
    )

    assert read_document(document.pk) is False
    document.refresh_from_db()
    assert (document.state, "5 times" in document.reason) == ("failed", True)


def test_a_reader_that_lost_its_claim_stores_nothing():
    document = add()
    claimed = ingestion._claimed(document.pk)
    Document.objects.update(attempts=2)  # another reader has claimed it meanwhile

    reading = ingestion._reading_of(claimed)
    assert ingestion._store(claimed, reading, ingestion._chunks_of(claimed, reading)) is False
    assert counts(document) == (0, 0, 0)


def test_reading_again_replaces_the_chunks_and_keeps_the_counts_right():
    document = read(add())
    Document.objects.update(state="failed")
    retry(document)

    read(document)

    assert counts(document) == (1, document.chunks.get().token_count, 1)


def test_removing_takes_file_chunks_and_index_away():
    document = read(add())
    name, collection = document.file.name, document.collection

    remove_document(document)
    remove_document(document)

    assert not default_storage.exists(name)
    collection.refresh_from_db()
    assert (collection.chunk_count, collection.token_count) == (0, 0)
    assert not Chunk.objects.exists()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM knowledge_chunk_words WHERE knowledge_chunk_words MATCH 'invoic'"
            )
            assert cursor.fetchone() == (0,)


def test_a_file_that_never_arrived_says_so_after_an_hour():
    document = add()
    Document.objects.update(stored_at=None, created_at=timezone.now() - timedelta(hours=2))

    tasks.sweep()

    document.refresh_from_db()
    assert (document.state, "never stored" in document.reason) == ("failed", True)


def test_names_cannot_leave_their_folder():
    document = add(filename="../../etc/pass\nwd")

    assert document.filename == "../../etc/passwd"  # shown as it was given, never used as a path
    assert document.file.name.startswith(f"knowledge/{document.collection.account_id}/{document.pk}/")


def test_what_postgresql_cannot_store_is_cleaned():
    document = read(add(title="a\x00b", sections=[Section("hello\x00 there \ud800", {})]))

    assert document.title == "ab"
    assert document.chunks.get().text == "hello there ?"


def test_a_hundred_chunks_take_no_more_queries_than_one(django_assert_max_num_queries):
    document = add(content=b"\n\n".join(b"Sentence about something else here. " * 40 for _ in range(100)))
    with django_assert_max_num_queries(16):
        read(document)
    assert document.chunk_count > 100


def test_two_texts_with_one_checksum_race_to_one_document(monkeypatch):
    collection = make_collection()
    first = add(collection)
    given = arriving.Given("t", "f", checksum=first.checksum, size_bytes=len(TEXT))
    monkeypatch.setattr(arriving, "_known", lambda *_: None)  # as the slower of two requests sees it

    assert arriving.register(collection, given).pk == first.pk
    collection.refresh_from_db()
    assert collection.document_count == 1


def test_a_stored_file_survives_as_bytes():
    document = add(content=b"\x00\x01binary")
    default_storage.save(document.file.name, ContentFile(b"\x00\x01binary"))

    assert read(document).state == "refused"
