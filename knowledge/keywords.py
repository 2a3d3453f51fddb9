"""Finding chunks by their words: candidates from the database's index, scores from one BM25 of ours.

The statistics are those of the collections searched, and of nobody else's texts, so that both
databases give the same scores and one tenant's documents never move another's.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from knowledge.models import Collection

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
    document_id: str
    score: float


def scored_by_words(terms: Sequence[str], collections: Sequence[Collection]) -> list[Scored]:
    """The chunks that hold any of the terms, best first; equal scores in the order they were written."""
    if not terms or not collections:
        return []
    statistics = statistics_of(terms, collections)
    candidates = _candidates(_rarest_first(terms, statistics), statistics, collections)
    scored = [
        Scored(chunk_id, str(document_id), bm25(held, length, terms=terms, statistics=statistics))
        for chunk_id, document_id, held, length in candidates
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


Candidate = tuple[int, object, str, int]  # chunk, document, terms, length


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
    for term in terms:
        condition, condition_values = _condition([term], collections, matching="any")
        parts.append(f"SELECT count(*) FROM {_searched()} WHERE {condition}")  # noqa: S608 (our own words)
        values.extend(condition_values)
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), values)
        return dict(zip(terms, (row[0] for row in cursor.fetchall()), strict=True))


def _rows(terms: Sequence[str], collections: Sequence[Collection], *, matching: str) -> list[Candidate]:
    if not terms:
        return []
    condition, values = _condition(terms, collections, matching=matching)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, document_id, terms, token_count FROM knowledge_chunk WHERE id IN "  # noqa: S608 (ours)
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
