"""How long finding passages takes among 10,000 chunks: by words, by meaning, and both.

Baselines in the same run: a naive scan that counts the words of every chunk in Python; and, on SQLite, FTS5's
own bm25(), which is faster and knows only the statistics of all tenants' texts together.

python -m bench.search [chunks]        on PostgreSQL: with DATABASE_URL
"""

import asyncio
import hashlib
import os
import random
import sys
import tempfile
import time

from bench import report

CHUNKS = 10_000
WORDS_IN_A_CHUNK = 200
VOCABULARY = 20_000
DIMENSIONS = 384
QUESTIONS = 100
NAIVE_QUESTIONS = 5
TARGET = 20  # times faster than the scan, at the median
MODEL = "bench"


def prepare():
    os.environ.setdefault("RAPPORT_ENV", "test")
    os.environ.setdefault("RAPPORT_DATA", tempfile.mkdtemp(prefix="rapport-bench-"))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from django.db import connection

    connection.creation.create_test_db(verbosity=0)


def vocabulary(rng):
    syllables = [a + b for a in "bcdfglmnprstv" for b in "aeiou"]
    return sorted({"".join(rng.choices(syllables, k=rng.randint(2, 4))) for _ in range(VOCABULARY * 2)})[
        :VOCABULARY
    ]


def fill(chunk_count, rng, words, weights):
    """Texts whose words follow Zipf's law, as people's do, each with a random unit vector."""
    import numpy as np

    from config.api.models import Account
    from knowledge.models import Chunk, Collection, Document
    from knowledge.words import padded, terms_of

    account = Account.objects.create(slug="bench", name="Bench")
    collection = Collection.objects.create(account=account, slug="bench", name="Bench")
    document = Document.objects.create(collection=collection, title="Bench", checksum="bench", state="ready")
    vectors = np.random.default_rng(7).normal(size=(chunk_count, DIMENSIONS)).astype("<f4")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    tokens = 0
    rows = []
    for number in range(chunk_count):
        text = " ".join(rng.choices(words, weights, k=WORDS_IN_A_CHUNK))
        terms = terms_of(text)
        tokens += len(terms)
        rows.append(
            Chunk(
                document=document,
                collection=collection,
                position=number,
                text=text,
                terms=padded(terms),
                token_count=len(terms),
                text_checksum=hashlib.sha256(text.encode()).hexdigest(),
                vector=vectors[number].tobytes(),
                embedding_model=MODEL,
            )
        )
    Chunk.objects.bulk_create(rows, batch_size=500)
    Collection.objects.filter(pk=collection.pk).update(chunk_count=chunk_count, token_count=tokens, version=1)
    settle()
    collection.refresh_from_db()
    return account, collection


def settle():
    """What a server does by itself after a while: statistics, and GIN's pending entries merged."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE knowledge_chunk" if connection.vendor == "postgresql" else "ANALYZE")


def questions(rng, words, weights, count):
    """Six words each, as people ask: mostly common ones, one or two rare."""
    return [" ".join([*rng.choices(words, weights, k=4), *rng.choices(words, k=2)]) for _ in range(count)]


def timed(work, asked):
    seconds = []
    for question in asked:
        started = time.perf_counter()
        work(question)
        seconds.append((time.perf_counter() - started) * 1000)
    seconds.sort()
    return seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.95)]


def naive(collection):
    """Every chunk read and its words counted, with the same BM25 formula's ingredients."""
    from knowledge.keywords import bm25, statistics_of
    from knowledge.models import Chunk
    from knowledge.words import question_terms, terms_of

    def work(question):
        terms = question_terms(question)
        statistics = statistics_of(terms, [collection])
        rows = Chunk.objects.filter(collection=collection).values_list("pk", "text")
        scored = []
        for pk, text in rows.iterator():
            held = terms_of(text)
            scored.append(
                (bm25("".join(f" {t} " for t in held), len(held), terms=terms, statistics=statistics), pk)
            )
        return sorted(scored, reverse=True)[:6]

    return work


def fts5_alone(collection):
    """FTS5's own ranking on an index of its own."""
    from django.db import connection

    from knowledge.words import question_terms

    with connection.cursor() as cursor:
        cursor.execute("CREATE VIRTUAL TABLE bench_words USING fts5(terms, tokenize='ascii')")
        cursor.execute("INSERT INTO bench_words(rowid, terms) SELECT id, terms FROM knowledge_chunk")

    def work(question):
        query = " OR ".join(f'"{term}"' for term in question_terms(question))
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT rowid FROM bench_words WHERE bench_words MATCH %s ORDER BY bm25(bench_words) LIMIT 6",
                [query],
            )
            return cursor.fetchall()

    return work


def ours(account, collection, meaning):
    """The database side of `passages_for`; the provider's own time for a question's vector is not ours."""
    from knowledge.search import MIN_SCORE, _owned, _passages

    def work(question):
        searched = _owned(account, [collection.pk])
        return _passages(question, searched, meaning=meaning, limit=6, min_score=MIN_SCORE)

    return work


def whole(account, collection):
    from knowledge.search import passages_for

    loop = asyncio.new_event_loop()
    return lambda question: loop.run_until_complete(
        passages_for(question, account=account, collections=[collection])
    )


def by_meaning_alone(collection, vector):
    from knowledge.vectors import closest

    return lambda question: closest(collection, vector, limit=50)


def main(chunk_count=CHUNKS):
    prepare()
    from django.conf import settings
    from django.db import connection

    from knowledge.embedding import packed
    from knowledge.models import Collection

    report.heading(f"Search among {chunk_count:,} chunks")
    report.settings(
        {"database": connection.vendor, "words in a chunk": WORDS_IN_A_CHUNK, "dimensions": DIMENSIONS}
    )
    rng = random.Random(11)
    words = vocabulary(rng)
    weights = [1 / (rank + 5) for rank in range(len(words))]
    rng.shuffle(words)
    try:
        account, collection = fill(chunk_count, rng, words, weights)
        asked = questions(rng, words, weights, QUESTIONS)
        vector = packed([rng.gauss(0, 1) for _ in range(DIMENSIONS)])

        results = {"by words: ours": timed(ours(account, collection, {}), asked)}
        results["by words: passages_for, with its threads"] = timed(whole(account, collection), asked)
        results["by words: naive Python scan"] = timed(naive(collection), asked[:NAIVE_QUESTIONS])
        if connection.vendor == "sqlite":
            results["by words: FTS5's bm25() alone"] = timed(fts5_alone(collection), asked)
        settings.PROVIDERS = {**settings.PROVIDERS, "bench": {"BACKEND": "none", "EMBEDDING_MODEL": MODEL}}
        Collection.objects.update(embedding_provider="bench")
        collection.refresh_from_db()
        by_meaning_alone(collection, vector)("")  # the matrix is read once
        results["by meaning: exact, in memory"] = timed(by_meaning_alone(collection, vector), asked)
        results["both: ours"] = timed(ours(account, collection, {collection.pk: vector}), asked)
    finally:
        from config.api.threads import close_connections

        close_connections()
        connection.creation.destroy_test_db("", verbosity=0)

    rows = [[name, median, late] for name, (median, late) in results.items()]
    report.table("Milliseconds a question", ["", "p50", "p95"], rows)
    scan = results["by words: naive Python scan"][0]
    reached = report.ratio(
        "speed by words (p50)", scan, results["by words: ours"][0], of="the naive scan", target=TARGET
    )
    report.ratio("speed of both (p50)", scan, results["both: ours"][0], of="the naive scan")
    if "by words: FTS5's bm25() alone" in results:
        fts5 = results["by words: FTS5's bm25() alone"][0]
        report.ratio("speed by words (p50)", fts5, results["by words: ours"][0], of="FTS5's bm25() alone")
    sys.exit(0 if reached else 1)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:2]))
