"""Finding chunks by their words, scored by one BM25 of ours.

Collections of a usual size are searched in memory (word_index.py), exactly. For larger ones the
database's index finds the candidates. The statistics are those of the collections searched, and of
nobody else's texts, so that both databases give the same scores and one tenant's documents never move
another's.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection

from knowledge import word_index
from knowledge.models import Collection
from knowledge.word_index import Posting, Segment

K1 = 1.2
B = 0.75
# Beyond this many the rarest words choose which chunks are scored.
MOST_CANDIDATES = 1_000


@dataclass(frozen=True, slots=True)
class Statistics:
    """What BM25 needs to know of the collections searched."""

    chunk_count: int
    average_length: float
    chunks_with: Mapping[str, int]  # term → chunks that hold it

    def weight(self, term: str) -> float:
        """Inverse document frequency; never negative."""
        holding = self.chunks_with.get(term, 0)
        return math.log(1 + (self.chunk_count - holding + 0.5) / (holding + 0.5))


@dataclass(frozen=True, slots=True)
class Scored:
    chunk_id: int
    score: float


def scored_by_words(
    terms: Sequence[str], collections: Sequence[Collection], *, limit: int | None = None
) -> list[Scored]:
    """The chunks that hold any of the terms, best first; equal scores in the order they were written.

    Exact up to MOST_TOKENS words in all collections searched together. Beyond that, and while a large
    collection is being read into memory, the database finds the candidates, and when those are too many, the
    rarest words choose among them.
    """
    if not terms or not collections:
        return []
    is_small = sum(collection.token_count for collection in collections) <= word_index.MOST_TOKENS
    if is_small and word_index.are_at_hand(collections):
        return _scored_in_memory(terms, collections, limit=limit)
    return _scored_by_database(terms, collections)[:limit]


# --- In memory ------------------------------------------------------------------------------


def _scored_in_memory(
    terms: Sequence[str], collections: Sequence[Collection], *, limit: int | None
) -> list[Scored]:
    indexes = [word_index.MEMORY.of(collection) for collection in collections]
    segments = [segment for index in indexes for segment in index.segments]
    postings = [[segment.postings(term) for term in terms] for segment in segments]
    holding = {
        term: sum(len(of_segment[place][0]) for of_segment in postings) for place, term in enumerate(terms)
    }
    chunk_count = sum(index.chunk_count for index in indexes)
    token_count = sum(index.token_count for index in indexes)
    statistics = Statistics(chunk_count, max(1.0, token_count / max(1, chunk_count)), holding)
    scored = [
        found
        for segment, of_segment in zip(segments, postings, strict=True)
        for found in _best_of(segment, of_segment, terms=terms, statistics=statistics, limit=limit)
    ]
    return sorted(scored, key=lambda found: (-found.score, found.chunk_id))[:limit]


def _best_of(
    segment: Segment,
    postings: Sequence[Posting],
    *,
    terms: Sequence[str],
    statistics: Statistics,
    limit: int | None,
) -> list[Scored]:
    """The same sums as bm25(), over all chunks of a segment at once."""
    norms = K1 * (1 - B + B * segment.lengths / statistics.average_length)
    scores = np.zeros(len(segment.ids))
    for term, (rows, counts) in zip(terms, postings, strict=True):
        scores[rows] += statistics.weight(term) * counts * (K1 + 1) / (counts + norms[rows])
    found = np.flatnonzero(scores)
    if limit is not None and len(found) > limit:
        least = np.partition(scores[found], -limit)[-limit]
        above, equal = found[scores[found] > least], found[scores[found] == least]
        # Of equal ones those written first count, and rows are in that order. A table has thousands.
        found = np.concatenate([above, equal[: limit - len(above)]])
    return [Scored(int(segment.ids[row]), float(scores[row])) for row in found]


# --- From the database ----------------------------------------------------------------------


def _scored_by_database(terms: Sequence[str], collections: Sequence[Collection]) -> list[Scored]:
    statistics = statistics_of(terms, collections)
    candidates = _candidates(_rarest_first(terms, statistics), statistics, collections)
    scored = [
        Scored(chunk_id, bm25(held, length, terms=terms, statistics=statistics))
        for chunk_id, held, length in candidates
    ]
    return sorted(scored, key=lambda found: (-found.score, found.chunk_id))


def bm25(held: str, length: int, *, terms: Sequence[str], statistics: Statistics) -> float:
    """How well a chunk answers the terms. `held` is its `terms`, padded."""
    norm = K1 * (1 - B + B * length / statistics.average_length)
    score = 0.0
    for term in terms:
        count = held.count(f" {term} ")
        if count:
            score += statistics.weight(term) * count * (K1 + 1) / (count + norm)
    return score


def statistics_of(terms: Sequence[str], collections: Sequence[Collection]) -> Statistics:
    chunk_count = sum(collection.chunk_count for collection in collections)
    token_count = sum(collection.token_count for collection in collections)
    return Statistics(chunk_count, max(1.0, token_count / max(1, chunk_count)), _counts(terms, collections))


def _rarest_first(terms: Sequence[str], statistics: Statistics) -> list[str]:
    held = [term for term in terms if statistics.chunks_with.get(term)]
    return sorted(held, key=lambda term: (statistics.chunks_with[term], term))


Candidate = tuple[int, str, int]  # chunk, terms, length


def _candidates(
    rarest_first: Sequence[str], statistics: Statistics, collections: Sequence[Collection]
) -> list[Candidate]:
    """Every chunk that holds a term. When those are too many: first the chunks that hold all the terms,
    then those with the rarest ones."""
    if sum(statistics.chunks_with[term] for term in rarest_first) <= MOST_CANDIDATES:
        return _rows(rarest_first, collections, matching="any")
    total = 0
    chosen: list[str] = []
    for term in rarest_first:
        total += statistics.chunks_with[term]
        if chosen and total > MOST_CANDIDATES:
            break
        chosen.append(term)
    found = {row[0]: row for row in _rows(rarest_first, collections, matching="all")}
    for row in _rows(chosen, collections, matching="any"):
        if len(found) >= MOST_CANDIDATES:
            break
        found.setdefault(row[0], row)
    return list(found.values())


# --- The two databases ----------------------------------------------------------------------

HELD = "knowledge_words(terms)"  # the indexed expression


def _counts(terms: Sequence[str], collections: Sequence[Collection]) -> dict[str, int]:
    """How many chunks of the collections hold each term: one query."""
    parts: list[str] = []
    values: list[Any] = []
    for place, term in enumerate(terms):
        condition, condition_values = _condition([term], collections, matching="any")
        # Each count names its term: PostgreSQL may run the parts side by side and give them in any order.
        parts.append(f"SELECT {place}, count(*) FROM {_searched()} WHERE {condition}")  # noqa: S608 (ours)
        values.extend(condition_values)
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), values)
        return {terms[place]: count for place, count in cursor.fetchall()}


def _rows(terms: Sequence[str], collections: Sequence[Collection], *, matching: str) -> list[Candidate]:
    if not terms:
        return []
    condition, values = _condition(terms, collections, matching=matching)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, terms, token_count FROM knowledge_chunk WHERE id IN "  # noqa: S608 (ours)
            f"(SELECT {_row_id()} FROM {_searched()} WHERE {condition} ORDER BY 1 LIMIT {MOST_CANDIDATES})",
            values,
        )
        return cursor.fetchall()


def _searched() -> str:
    return "knowledge_chunk_words" if connection.vendor == "sqlite" else "knowledge_chunk"


def _row_id() -> str:
    return "rowid" if connection.vendor == "sqlite" else "id"


def _condition(
    terms: Sequence[str], collections: Sequence[Collection], *, matching: str
) -> tuple[str, list[Any]]:
    if connection.vendor == "sqlite":
        return "knowledge_chunk_words MATCH %s", [_fts5_query(terms, collections, matching=matching)]
    operator = "@>" if matching == "all" else "&&"
    ids = [collection.pk for collection in collections]
    return f"{HELD} {operator} %s::text[] AND collection_id = ANY(%s::uuid[])", [list(terms), ids]


def _fts5_query(terms: Sequence[str], collections: Sequence[Collection], *, matching: str) -> str:
    """Terms are quoted: words such as NEAR or OR are words here."""
    wanted = f" {'AND' if matching == 'all' else 'OR'} ".join(f'"{term}"' for term in terms)
    places = " OR ".join(f'"{collection.pk.hex}"' for collection in collections)
    return f"terms : ({wanted}) AND collection_id : ({places})"
