"""Many uploads of one name at once end in one document, whichever reader is faster."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from knowledge import arriving
from knowledge.account_documents import documents_collection
from knowledge.ingestion import read_document
from knowledge.models import Chunk, Collection, Document
from tests.factories import make_account

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 4


def everywhere(work, arguments):
    def one(argument):
        try:
            return work(argument)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, arguments))


def upload(collection, text, name="rules.txt"):
    content = text.encode()
    given = arriving.Given("", name, checksum=arriving.checksum_of(content), size_bytes=len(content))
    document = arriving.register(collection, given, replaces_same_name=True)
    if document.stored_at is None:
        arriving.keep_file(document, content)
    return document


@pytest.fixture(autouse=True)
def no_wake_ups(monkeypatch):
    monkeypatch.setattr(arriving, "wake", lambda _: None)


def test_readers_of_many_versions_leave_the_last_one(monkeypatch):
    collection = documents_collection(make_account())
    versions = [arriving.arrived(upload(collection, f"Version number {n}.")) for n in range(8)]

    everywhere(read_document, [version.pk for version in versions])

    assert Document.objects.get(superseded_at=None).pk == versions[-1].pk
    assert Chunk.objects.get().text == "Version number 7."
    row = Collection.objects.get()
    assert (row.chunk_count, row.character_count) == (1, len("Version number 7."))


def test_the_same_content_from_many_sides_is_one_document():
    collection = documents_collection(make_account())
    found = everywhere(lambda n: upload(collection, "The same.", f"{n % 2}.txt").pk, range(12))

    assert len(set(found)) == 1
    assert Collection.objects.get().document_count == 1
