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
from contextlib import contextmanager

from bench import report

SIZES = (1_000, 10_000, 100_000)
RECALL_AT = 10
RECALL_QUESTIONS = 10
LEAST_RECALL = 0.99
MADE_AT_ONCE = 2_000  # texts
LANES = ("sqlite", "postgres")
WORDS_IN_A_CHUNK = 200
VOCABULARY = 20_000
DIMENSIONS = 384
QUESTIONS = 100
SCANNED_CHUNKS = 20_000  # by the Python scans, in so many questions
MOST_SCANS = 2
NEW_CHUNKS = 100
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


class Texts:
    """One collection that grows from size to size: texts whose words follow Zipf's law, as people's do, each
    with a random unit vector."""

    def __init__(self):
        from config.api.models import Account
        from knowledge.models import Collection, Document
        from knowledge.words import terms_of

        self.rng = random.Random(11)
        self.words = vocabulary(self.rng)
        self.weights = [1 / (rank + 5) for rank in range(len(self.words))]
        self.rng.shuffle(self.words)
        # Each of these words is one term, so that a text's terms need not be made word by word.
        self.terms = [terms_of(word)[0] for word in self.words]
        self.title = terms_of("Bench")
        self.account = Account.objects.create(slug="bench", name="Bench")
        self.collection = Collection.objects.create(account=self.account, slug="bench", name="Bench")
        self.document = Document.objects.create(
            collection=self.collection, title="Bench", checksum="bench", state="ready"
        )

    def grow(self, chunk_count):
        """Until it has so many chunks."""
        from django.db.models import F

        from config.system.load import write
        from knowledge.models import Chunk, Collection

        there = self.collection.chunk_count
        with written_in_bulk():
            write(Chunk, self._rows(there, chunk_count))
        Collection.objects.filter(pk=self.collection.pk).update(
            chunk_count=chunk_count,
            token_count=chunk_count * (WORDS_IN_A_CHUNK + len(self.title)),
            version=F("version") + 1,
        )
        self.collection.refresh_from_db()

    def _rows(self, first, end):
        import numpy as np

        generator = np.random.default_rng(first)
        shares = np.asarray(self.weights) / sum(self.weights)
        for number in range(first, end):
            if (number - first) % MADE_AT_ONCE == 0:
                picked = generator.choice(len(shares), size=(MADE_AT_ONCE, WORDS_IN_A_CHUNK), p=shares)
                vectors = generator.normal(size=(MADE_AT_ONCE, DIMENSIONS)).astype("<f4")
                vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            place = (number - first) % MADE_AT_ONCE
            yield self._row(number, picked[place].tolist(), vectors[place].tobytes())

    def _row(self, number, picked, vector):
        from knowledge.words import padded

        text = " ".join([self.words[word] for word in picked])
        return {
            "document_id": self.document.pk,
            "collection_id": self.collection.pk,
            "position": number,
            "text": text,
            "terms": padded([*self.title, *(self.terms[word] for word in picked)]),
            "token_count": WORDS_IN_A_CHUNK + len(self.title),
            "text_checksum": hashlib.sha256(text.encode()).hexdigest(),
            "vector": vector,
            "embedding_model": MODEL,
        }

    def questions(self, count):
        """Six words each, as people ask: mostly common ones, one or two rare."""
        choices = self.rng.choices
        return [
            " ".join([*choices(self.words, self.weights, k=4), *choices(self.words, k=2)])
            for _ in range(count)
        ]

    def vector(self):
        from knowledge.embedding import packed

        return packed([self.rng.gauss(0, 1) for _ in range(DIMENSIONS)])


@contextmanager
def written_in_bulk():
    """Rows without the index of words, which is made once they are there; then statistics, as a server makes
    them by itself after a while."""
    from django.db import connection, transaction

    from knowledge.migrations import _word_index as index

    made, undone = {
        "sqlite": (index.SQLITE, index.SQLITE_UNDO),
        "postgresql": (index.POSTGRESQL[1:], index.POSTGRESQL_UNDO[:1]),
    }[connection.vendor]
    with connection.cursor() as cursor:
        with transaction.atomic():
            for statement in undone:
                cursor.execute(statement)
            yield
            if connection.vendor == "postgresql":
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table with checks to come takes no index
            for statement in made:
                cursor.execute(statement)
        cursor.execute("VACUUM ANALYZE knowledge_chunk" if connection.vendor == "postgresql" else "ANALYZE")


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
                (bm25("".join(f" {t} " for t in held), len(held) + 1, terms=terms, statistics=statistics), pk)
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
        "DROP TABLE IF EXISTS bench_words",
        "CREATE VIRTUAL TABLE bench_words USING fts5(terms, tokenize='ascii')",
        "INSERT INTO bench_words(rowid, terms) SELECT id, terms FROM knowledge_chunk",
    ),
    " OR ",
    "SELECT rowid FROM bench_words WHERE bench_words MATCH %(wanted)s ORDER BY bm25(bench_words) LIMIT 6",
)
TS_RANK = (
    "GIN with ts_rank alone",
    (
        "DROP TABLE IF EXISTS bench_words",
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


def by_candidates(collection):
    """What answers while a large collection is read into memory, and for one that is too large for it."""
    from knowledge import keywords
    from knowledge.words import question_terms

    return lambda question: keywords._scored_by_database(question_terms(question), [collection])


def by_meaning_alone(collection, vector):
    from knowledge.vectors import closest

    return lambda question: closest(collection, vector, limit=50)


def measured(texts, *, asked, vector):
    """Name → (p50, p95) in milliseconds; what is ours and what it is compared with."""
    from django.conf import settings

    from knowledge import vectors, word_index
    from knowledge.models import Collection

    account, collection = texts.account, texts.collection
    few = asked[: max(1, SCANNED_CHUNKS // collection.chunk_count)][:MOST_SCANS]
    Collection.objects.update(embedding_provider="")
    word_index.MEMORY.clear()
    started = time.perf_counter()
    results = {"words: the first question of a process": timed(ours(account, collection, {}), asked[:1])}
    word_index.MEMORY.of(collection)  # a large one is read in the background; wait for it
    print(f"  words are in memory after {time.perf_counter() - started:.1f} s")
    results["words: ours"] = timed(ours(account, collection, {}), asked)
    results["words: candidates from the database"] = timed(by_candidates(collection), asked)
    results["words: passages_for, with its threads"] = timed(whole(account, collection), asked)
    name, alone = database_alone()
    results[f"words: {name}"] = timed(alone, asked)
    results["words: Python scan"] = timed(scan_of_words(collection), few)
    settings.PROVIDERS = {**settings.PROVIDERS, "bench": {"BACKEND": "none", "EMBEDDING_MODEL": MODEL}}
    Collection.objects.update(embedding_provider="bench")
    collection.refresh_from_db()
    vectors.MEMORY.clear()
    first = timed(by_meaning_alone(collection, vector), asked[:1])
    results["vectors: the first question of a process"] = first
    results["vectors: ours, exact"] = timed(by_meaning_alone(collection, vector), asked)
    results["vectors: Python scan"] = timed(scan_of_vectors(collection, vector), few)
    results["fused: ours"] = timed(ours(account, collection, {collection.pk: vector}), asked)
    both = zip(results["words: Python scan"], results["vectors: Python scan"], strict=True)
    results["fused: both Python scans"] = tuple(words + vectors for words, vectors in both)
    texts.grow(collection.chunk_count + NEW_CHUNKS)
    changed = {collection.pk: vector}
    results[f"fused: the first question after {NEW_CHUNKS} new chunks"] = timed(
        ours(account, collection, changed), asked[:1]
    )
    return results, name, word_index.MEMORY.size_bytes + vectors.MEMORY.size_bytes


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


def recall_of_vectors(texts):
    from knowledge.vectors import closest

    shares = []
    for _ in range(MOST_SCANS):
        vector = texts.vector()
        best = {pk for _, pk in scan_of_vectors(texts.collection, vector, count=RECALL_AT)("")}
        shares.append(len(best & set(closest(texts.collection, vector, limit=RECALL_AT))) / RECALL_AT)
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


def one(texts, chunk_count):
    """One size on the database that the environment names; whether every target is reached."""
    from django.db import connection

    report.heading(f"Search among {chunk_count:,} chunks")
    report.settings(
        {"database": connection.vendor, "words in a chunk": WORDS_IN_A_CHUNK, "dimensions": DIMENSIONS}
    )
    started = time.perf_counter()
    texts.grow(chunk_count)
    print(f"  written in {time.perf_counter() - started:.0f} s")
    asked = texts.questions(QUESTIONS)
    results, database, held = measured(texts, asked=asked, vector=texts.vector())
    print(f"  indexes in memory: {held / 1024**2:.0f} MB\n")
    shares = recall(texts.collection, asked)
    shares["vectors: ours, exact"] = recall_of_vectors(texts)
    rows = [[name, median, late, shares.get(name, "")] for name, (median, late) in results.items()] + [
        [name, "", "", share] for name, share in shares.items() if name not in results
    ]
    report.table("Milliseconds a question", ["", "p50", "p95", f"recall@{RECALL_AT}"], rows)
    enough = min(shares["words: ours"], shares["vectors: ours, exact"]) >= LEAST_RECALL
    return compared(results, database, connection.vendor) and enough


def lane(sizes):
    """All sizes on the database that the environment names, in one collection that grows."""
    prepare()
    from django.db import connection

    try:
        texts = Texts()
        return all([one(texts, size) for size in sorted(sizes)])
    finally:
        from config.api.threads import close_connections

        close_connections()
        connection.creation.destroy_test_db("", verbosity=0)


def main(arguments):
    """Every size on both databases, each database in a process of its own."""
    from tests.run import database

    sizes = [word for word in arguments if word.isdigit()] or list(map(str, SIZES))
    codes = []
    for one_lane in [word for word in arguments if word in LANES] or LANES:
        with database(one_lane) as environment:
            command = [sys.executable, "-m", "bench.search", "--lane", *sizes]
            codes.append(subprocess.run(command, env={**os.environ, **environment}).returncode)
    return max(codes)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--lane"]:
        sys.exit(0 if lane(list(map(int, sys.argv[2:]))) else 1)
    sys.exit(main(sys.argv[1:]))
