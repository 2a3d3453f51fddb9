"""How long finding passages takes among 1,000, 10,000 and 100,000 chunks, and how many of the best come back.

Baselines in the same run: a plain Python scan that counts the words of every chunk, one that multiplies
out every vector, and both; and the database's own ranking: FTS5's bm25(), or GIN with ts_rank. Those know
only the statistics of all tenants' texts together (ts_rank none at all).

Recall is the share of the ten best, as a scan of every chunk finds them, that a search gives back: by words,
by words when the database finds the candidates (collections too large for memory), and by vectors.

python -m bench.search [chunks …] [sqlite] [postgres]
"""

import asyncio
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time

from bench import report

SIZES = (1_000, 10_000, 100_000)
RECALL_AT = 10
RECALL_QUESTIONS = 10
LEAST_RECALL = 0.99
WRITTEN_AT_ONCE = 5_000
LANES = ("sqlite", "postgres")
WORDS_IN_A_CHUNK = 200
VOCABULARY = 20_000
DIMENSIONS = 384
QUESTIONS = 100
SCANNED_QUESTIONS = 2
TARGET = 20  # times faster than a scan, at the median
AIMED_MS = {"sqlite": 15, "postgresql": 25}  # by words, 95 of 100 questions
MODEL = "bench"


def prepare():
    os.environ.setdefault("RAPPORT_ENV", "test")
    os.environ.setdefault("LOG_LEVEL", "WARNING")
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
        if len(rows) == WRITTEN_AT_ONCE:
            Chunk.objects.bulk_create(rows, batch_size=500)
            rows = []
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


def scan_of_words(collection):
    """Every chunk read and its words counted, with the same BM25."""
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


def scan_of_vectors(collection, vector, count=6):
    """Every vector read and multiplied out."""
    from array import array

    from knowledge.models import Chunk

    wanted = array("f", vector)

    def work(question):
        rows = Chunk.objects.filter(collection=collection).values_list("pk", "vector")
        scored = [
            (sum(x * y for x, y in zip(wanted, array("f", bytes(held)), strict=True)), pk)
            for pk, held in rows.iterator()
        ]
        return sorted(scored, reverse=True)[:count]

    return work


def database_alone():
    """The database's own ranking on an index of its own: its name, and the work."""
    from django.db import connection

    from knowledge.words import question_terms

    name, make, operator, query = FTS5 if connection.vendor == "sqlite" else TS_RANK
    with connection.cursor() as cursor:
        for statement in make:
            cursor.execute(statement)

    def work(question):
        wanted = operator.join(f'"{term}"' for term in question_terms(question))
        with connection.cursor() as cursor:
            cursor.execute(query, {"wanted": wanted})
            return cursor.fetchall()

    return name, work


FTS5 = (
    "FTS5's bm25() alone",
    (
        "CREATE VIRTUAL TABLE bench_words USING fts5(terms, tokenize='ascii')",
        "INSERT INTO bench_words(rowid, terms) SELECT id, terms FROM knowledge_chunk",
    ),
    " OR ",
    "SELECT rowid FROM bench_words WHERE bench_words MATCH %(wanted)s ORDER BY bm25(bench_words) LIMIT 6",
)
TS_RANK = (
    "GIN with ts_rank alone",
    (
        "CREATE TABLE bench_words AS SELECT id, to_tsvector('simple', terms) AS held FROM knowledge_chunk",
        "CREATE INDEX bench_words_held ON bench_words USING gin (held)",
        "VACUUM ANALYZE bench_words",
    ),
    " | ",
    "SELECT id FROM bench_words, to_tsquery('simple', %(wanted)s) AS wanted WHERE held @@ wanted "
    "ORDER BY ts_rank(held, wanted) DESC LIMIT 6",
)


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


def measured(account, collection, *, asked, vector):
    """Name → (p50, p95) in milliseconds; what is ours and what it is compared with."""
    from django.conf import settings

    from knowledge.models import Collection

    few = asked[:SCANNED_QUESTIONS]
    results = {"first question of a process": timed(ours(account, collection, {}), asked[:1])}
    results["words: ours"] = timed(ours(account, collection, {}), asked)
    results["words: passages_for, with its threads"] = timed(whole(account, collection), asked)
    name, alone = database_alone()
    results[f"words: {name}"] = timed(alone, asked)
    results["words: Python scan"] = timed(scan_of_words(collection), few)
    settings.PROVIDERS = {**settings.PROVIDERS, "bench": {"BACKEND": "none", "EMBEDDING_MODEL": MODEL}}
    Collection.objects.update(embedding_provider="bench")
    collection.refresh_from_db()
    by_meaning_alone(collection, vector)("")  # the matrix is read once
    results["vectors: ours, exact"] = timed(by_meaning_alone(collection, vector), asked)
    results["vectors: Python scan"] = timed(scan_of_vectors(collection, vector), few)
    results["fused: ours"] = timed(ours(account, collection, {collection.pk: vector}), asked)
    both = zip(results["words: Python scan"], results["vectors: Python scan"], strict=True)
    results["fused: both Python scans"] = tuple(words + vectors for words, vectors in both)
    return results, name


def recall(collection, asked):
    """Name → share of the ten best that came back, over some questions."""
    from knowledge import keywords
    from knowledge.words import question_terms

    ways = {
        "words: ours": lambda terms: keywords.scored_by_words(terms, [collection], limit=RECALL_AT),
        "words: candidates from the database": lambda terms: keywords._scored_by_database(
            terms, [collection]
        )[:RECALL_AT],
    }
    wanted = [question_terms(question) for question in asked[:RECALL_QUESTIONS]]
    shares = {name: [] for name in ways}
    for terms, best in zip(wanted, the_best(collection, wanted), strict=True):
        for name, way in ways.items():
            shares[name].append(len(best & {one.chunk_id for one in way(terms)}) / len(best))
    return {name: sum(values) / len(values) for name, values in shares.items()}


def the_best(collection, wanted):
    """The ten best chunks of each question, by looking at every chunk once."""
    import heapq

    from knowledge.keywords import bm25, statistics_of
    from knowledge.models import Chunk

    statistics = [statistics_of(terms, [collection]) for terms in wanted]
    scored = [[] for _ in wanted]
    rows = Chunk.objects.filter(collection=collection).values_list("pk", "terms", "token_count")
    for pk, held, length in rows.iterator():
        for place, terms in enumerate(wanted):
            score = bm25(held, length, terms=terms, statistics=statistics[place])
            if score:
                push = heapq.heappush if len(scored[place]) < RECALL_AT else heapq.heappushpop
                push(scored[place], (score, -pk))
    return [{-pk for _, pk in best} for best in scored]


def recall_of_vectors(collection, rng):
    from knowledge.embedding import packed
    from knowledge.vectors import closest

    shares = []
    for _ in range(SCANNED_QUESTIONS):
        vector = packed([rng.gauss(0, 1) for _ in range(DIMENSIONS)])
        best = {pk for _, pk in scan_of_vectors(collection, vector, count=RECALL_AT)("")}
        shares.append(len(best & set(closest(collection, vector, limit=RECALL_AT))) / RECALL_AT)
    return sum(shares) / len(shares)


def compared(results, database, vendor):
    """Prints the ratios; whether every target is reached."""
    pairs = (
        ("words: ours", "words: Python scan", TARGET),
        ("vectors: ours, exact", "vectors: Python scan", TARGET),
        ("fused: ours", "fused: both Python scans", TARGET),
        ("words: ours", f"words: {database}", None),
    )
    reached = [
        report.ratio(f"{mine} (p50)", results[other][0], results[mine][0], of=other, target=target)
        for mine, other, target in pairs
    ]
    aimed = AIMED_MS[vendor]
    late = results["words: ours"][1]
    # Shown only: a busy machine moves milliseconds, and not the ratios above.
    report.ratio("words: ours (p95), room", aimed, late, of=f"within the {aimed} ms aimed at")
    return all(reached)


def one(chunk_count):
    """One size on the database that the environment names; whether every target is reached."""
    prepare()
    from django.db import connection

    from knowledge.embedding import packed

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
        results, database = measured(account, collection, asked=asked, vector=vector)
        shares = recall(collection, asked)
        shares["vectors: ours, exact"] = recall_of_vectors(collection, rng)
    finally:
        from config.api.threads import close_connections

        close_connections()
        connection.creation.destroy_test_db("", verbosity=0)

    rows = [[name, median, late, shares.get(name, "")] for name, (median, late) in results.items()] + [
        [name, "", "", share] for name, share in shares.items() if name not in results
    ]
    report.table("Milliseconds a question", ["", "p50", "p95", f"recall@{RECALL_AT}"], rows)
    enough = min(shares["words: ours"], shares["vectors: ours, exact"]) >= LEAST_RECALL
    return compared(results, database, connection.vendor) and enough


def main(arguments):
    """Every size on both databases, each in a process of its own."""
    from tests.run import database

    sizes = [word for word in arguments if word.isdigit()] or list(map(str, SIZES))
    codes = []
    for lane in [word for word in arguments if word in LANES] or LANES:
        with database(lane) as environment:
            command = [sys.executable, "-m", "bench.search", "--one"]
            whole = {**os.environ, **environment}
            codes += [subprocess.run([*command, size], env=whole).returncode for size in sizes]
    return max(codes)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        sys.exit(0 if one(int(sys.argv[2])) else 1)
    sys.exit(main(sys.argv[1:]))
