"""Vectors: made once for each text, searched exactly, and never needed for finding by words."""

import threading
from datetime import timedelta

import numpy as np
import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from knowledge import embedding, search, tasks, vectors
from knowledge.embedding import embed_document, packed, reindex
from knowledge.models import Chunk, Collection, Document
from knowledge.search import passages_for
from knowledge.tests.shelves import add_text
from knowledge.vectors import VectorMemory, closest
from personas.providers.base import ProviderError
from tests.factories import make_account, make_collection
from tests.fakes.openai_server import Behaviour, Fault, OpenAIServer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(settings):
    with OpenAIServer(Behaviour()) as server:
        settings.PROVIDERS = {
            **settings.PROVIDERS,
            "openai": {
                "BACKEND": "personas.providers.openai.OpenAIProvider",
                "API_KEY": "test",
                "BASE_URL": server.base_url,
                "MODEL": "test-model",
                "EMBEDDING_MODEL": "test-embedding",
                "CONNECT_TIMEOUT": 2,
                "READ_TIMEOUT": 5,
                "TOTAL_TIMEOUT": 10,
            },
        }
        vectors.MEMORY.clear()
        yield server


def with_vectors(**fields):
    return make_collection(embedding_provider="openai", **fields)


def embedded_texts(server):
    return sum(
        len(request.json["input"]) for request in server.requests if request.path.endswith("/embeddings")
    )


def find(query, collection, **options):
    return async_to_sync(passages_for)(query, account=collection.account, collections=[collection], **options)


def test_a_document_gets_unit_vectors(server):
    document = add_text(with_vectors())
    document.refresh_from_db()

    assert document.vectors_due is False
    for chunk in document.chunks.all():
        assert np.linalg.norm(np.frombuffer(bytes(chunk.vector), "<f4")) == pytest.approx(1, abs=1e-5)
        assert chunk.embedding_model == "test-embedding"


def test_both_scores_are_given_and_fused(server):
    collection = with_vectors()
    add_text(collection)
    passages = find("When are invoices sent?", collection)

    assert "last Friday" in passages[0].text
    assert passages[0].keyword_score > 0
    assert passages[0].vector_score > 0
    assert passages == sorted(passages, key=lambda passage: -passage.score)


def test_the_same_text_is_not_embedded_twice(server):
    account = make_account()
    add_text(with_vectors(account=account))
    before = embedded_texts(server)
    assert before > 0
    add_text(with_vectors(account=account))

    assert embedded_texts(server) == before
    assert not Chunk.objects.filter(vector=None).exists()


def test_another_accounts_vectors_are_not_borrowed(server):
    add_text(with_vectors(account=make_account("one")))
    before = embedded_texts(server)
    add_text(with_vectors(account=make_account("two")))

    assert embedded_texts(server) == 2 * before


def test_without_the_provider_words_still_find(server):
    collection = with_vectors()
    server.behaviour = Behaviour(fault=Fault.STATUS, status=500)
    document = add_text(collection)
    document.refresh_from_db()

    assert document.state == "ready"
    assert "found by its words" in document.reason
    assert document.vectors_due is True
    assert document.not_before > timezone.now()
    assert "last Friday" in find("When are invoices sent?", collection)[0].text


def test_the_sweep_makes_what_is_missing(server):
    document = add_text(with_vectors())
    Chunk.objects.update(vector=None, embedding_model="")
    Document.objects.update(vectors_due=True, lease_until=timezone.now() - timedelta(seconds=1))
    tasks.sweep()

    document.refresh_from_db()
    assert document.vectors_due is False
    assert not Chunk.objects.filter(vector=None).exists()


def test_a_document_that_another_worker_holds_is_left_alone(server):
    document = add_text(with_vectors())
    Document.objects.update(vectors_due=True, lease_until=timezone.now() + timedelta(seconds=60))

    assert embed_document(document.pk) is False


def test_a_change_of_model_is_an_explicit_reindex(server):
    collection = with_vectors()
    document = add_text(collection)
    Collection.objects.update(embedding_model="other-model")
    collection.refresh_from_db()
    assert all(passage.vector_score is None for passage in find("When are invoices sent?", collection))

    assert reindex(collection) == 1
    embed_document(document.pk)
    assert set(Chunk.objects.values_list("embedding_model", flat=True)) == {"other-model"}
    assert find("When are invoices sent?", collection)[0].vector_score is not None


def test_the_matrix_is_read_again_only_when_the_version_differs(server, django_assert_num_queries):
    collection = with_vectors()
    add_text(collection)
    collection.refresh_from_db()
    memory = VectorMemory()
    first = memory.of(collection)
    with django_assert_num_queries(0):
        assert memory.of(collection) is first

    add_text(collection, "Something new about zebras.", title="Zebras")
    collection.refresh_from_db()
    assert len(memory.of(collection).ids) == len(first.ids) + 1


def test_after_a_change_only_new_vectors_are_read(monkeypatch):
    collection = make_collection(embedding_provider="p", embedding_model="m")
    rows(30, collection=collection)
    memory = VectorMemory()
    before = memory.of(collection)
    Chunk.objects.filter(pk__in=before.ids[:3].tolist()).delete()
    rows(2, collection=collection)
    collection.version += 1
    read = []
    real = vectors._read
    monkeypatch.setattr(vectors, "_read", lambda chunks: read.append(chunks.count()) or real(chunks))
    now = memory.of(collection)

    assert read == [2]
    assert sorted(now.ids.tolist()) == sorted(Chunk.objects.values_list("pk", flat=True))
    fresh = VectorMemory().of(collection)
    order = np.argsort(now.ids)
    assert (now.rows[order] == fresh.rows[np.argsort(fresh.ids)]).all()


def rows(count, *, collection, dimensions=8):
    document = Document.objects.create(collection=collection, title="x", checksum=str(count), state="ready")
    made = np.random.default_rng(1).normal(size=(count, dimensions)).astype("<f4")
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    Chunk.objects.bulk_create(
        Chunk(
            document=document,
            collection=collection,
            position=n,
            text=str(n),
            terms=f" {n} ",
            token_count=1,
            text_checksum=str(n),
            vector=vector.tobytes(),
            embedding_model="m",
        )
        for n, vector in enumerate(made)
    )
    return made


def test_the_search_is_exact():
    collection = make_collection(embedding_provider="p", embedding_model="m")
    made = rows(300, collection=collection)
    query = packed([1, 0, 0, 0, 0, 0, 0, 0])
    found = closest(collection, query, limit=10)

    chunks = dict(Chunk.objects.values_list("pk", "position"))
    best = set(np.argsort(-made[:, 0])[:10])
    assert {chunks[pk] for pk in found} == best


def test_the_memory_is_bounded():
    memory = VectorMemory(most_bytes=300 * 8 * 4 + 300 * 8 + 100)
    collections = [make_collection(embedding_provider="p", embedding_model="m") for _ in range(3)]
    for collection in collections:
        rows(300, collection=collection)
        memory.of(collection)

    assert memory.size_bytes <= 300 * 8 * 4 + 300 * 8 + 100


def test_many_threads_read_a_matrix_once(monkeypatch):
    from django.db import connection

    collection = make_collection(embedding_provider="p", embedding_model="m")
    rows(50, collection=collection)
    loads = []
    real = vectors._load
    monkeypatch.setattr(vectors, "_load", lambda *given: loads.append(1) or real(*given))
    memory = VectorMemory()

    def look():
        memory.of(collection)
        connection.close()

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1


@pytest.mark.parametrize("vector", [[], [float("nan"), 1.0], [float("inf")]])
def test_a_vector_that_makes_no_sense_is_an_error_of_the_provider(vector):
    with pytest.raises(ProviderError):
        packed(vector)


def test_a_zero_vector_stays_zero():
    assert np.frombuffer(packed([0.0, 0.0]), "<f4").tolist() == [0.0, 0.0]


def test_a_collection_without_a_known_provider_wants_no_vectors():
    assert not embedding.is_wanted(make_collection(embedding_provider="gone"))
    assert search.VECTOR_WEIGHT < 1
