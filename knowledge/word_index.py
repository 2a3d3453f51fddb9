"""The words of a collection in memory: which chunk holds which term how often. A search reads no text.

It is made of segments, like a search engine's: chunks that came since the last look become a new segment,
chunks that went are masked, and small segments are joined. A look after a change costs what changed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from knowledge.memory import Memory
from knowledge.models import Chunk, Collection

MOST_BYTES = 256 * 1024 * 1024  # of indexes kept by one process
# Beyond this many words in the collections of one search the database finds the candidates (keywords.py).
MOST_TOKENS = 25_000_000  # about 100,000 chunks, and 110 MB
# More words than this are read into memory in the background: nobody waits seconds for the first answer.
READ_WHILE_ASKED = 2_000_000  # about 10,000 chunks, and less than a second
LARGEST_SEGMENT = 20_000  # chunks; making one takes about 100 MB for a moment
READ_AT_ONCE = 500  # chunks; SQLite takes 999 parameters
BYTES_OF_A_TERM = 150  # a short string, its number, and their place in a dictionary

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
SmallInts = NDArray[np.int32]
Posting = tuple[SmallInts, SmallInts]  # rows, and how often each holds the term


class _Numbers(dict[str, int]):
    """Terms numbered in the order they are met."""

    def __missing__(self, term: str) -> int:
        number = self[term] = len(self)
        return number


@dataclass(frozen=True, slots=True)
class Segment:
    """Chunks in ascending order of id. The postings of term t are `rows` and `counts` from starts[t] to
    starts[t + 1]; a row is a place in `ids`."""

    ids: Ints
    lengths: Floats
    live: NDArray[np.bool_]
    numbers: dict[str, int]
    starts: Ints
    rows: SmallInts
    counts: SmallInts

    @classmethod
    def of(cls, chunks: Iterator[tuple[int, str]]) -> Self:
        """From pairs of a chunk's id and its `terms`."""
        numbers = _Numbers()
        ids: list[int] = []
        lengths: list[int] = []
        occurrences: list[SmallInts] = []
        for chunk_id, held in chunks:
            terms = held.split()
            ids.append(chunk_id)
            lengths.append(len(terms))
            occurrences.append(np.fromiter(map(numbers.__getitem__, terms), dtype=np.int32, count=len(terms)))
        starts, rows, counts = _postings(occurrences, lengths, term_count=len(numbers))
        return cls(
            np.asarray(ids, dtype=np.int64),
            np.asarray(lengths, dtype=np.float64),
            np.ones(len(ids), dtype=np.bool_),
            dict(numbers),
            starts,
            rows,
            counts,
        )

    @property
    def size_bytes(self) -> int:
        arrays = (self.ids, self.lengths, self.live, self.starts, self.rows, self.counts)
        return sum(array.nbytes for array in arrays) + BYTES_OF_A_TERM * len(self.numbers)

    @property
    def live_count(self) -> int:
        return int(np.count_nonzero(self.live))

    def postings(self, term: str) -> Posting:
        """The rows of the live chunks that hold a term, and how often each does."""
        number = self.numbers.get(term)
        if number is None:
            return self.rows[:0], self.counts[:0]
        start, end = self.starts[number], self.starts[number + 1]
        rows, counts = self.rows[start:end], self.counts[start:end]
        alive = self.live[rows]
        return (rows, counts) if alive.all() else (rows[alive], counts[alive])


def _postings(
    occurrences: Sequence[SmallInts], lengths: Sequence[int], *, term_count: int
) -> tuple[Ints, SmallInts, SmallInts]:
    """Where each term's postings start, their rows, and how often each row holds the term."""
    if not occurrences:
        return np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32)
    chunk_count = len(lengths)
    row_of_each = np.repeat(np.arange(chunk_count, dtype=np.int64), lengths)
    pairs = np.concatenate(occurrences).astype(np.int64) * chunk_count + row_of_each
    distinct, counts = np.unique(pairs, return_counts=True)
    starts = np.searchsorted(distinct, np.arange(term_count + 1, dtype=np.int64) * chunk_count)
    rows = (distinct % chunk_count).astype(np.int32)
    return starts.astype(np.int64), rows, counts.astype(np.int32)


@dataclass(frozen=True, slots=True)
class WordIndex:
    """The words of one collection at one version."""

    version: int
    segments: tuple[Segment, ...] = ()

    @property
    def size_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self.segments)

    @property
    def chunk_count(self) -> int:
        return sum(segment.live_count for segment in self.segments)

    @property
    def token_count(self) -> int:
        return int(sum(segment.lengths[segment.live].sum() for segment in self.segments))


class WordMemory(Memory[WordIndex]):
    def load(self, collection: Collection, before: WordIndex | None) -> WordIndex:
        chunks = Chunk.objects.filter(collection=collection)
        ids = np.fromiter(chunks.order_by("pk").values_list("pk", flat=True), dtype=np.int64)
        kept, fresh = _kept_and_fresh(before.segments if before else (), ids)
        for start in range(0, len(fresh), LARGEST_SEGMENT):
            kept.append(Segment.of(_held(collection, fresh[start : start + LARGEST_SEGMENT])))
        return WordIndex(collection.version, tuple(kept))


def _kept_and_fresh(segments: Sequence[Segment], ids: Ints) -> tuple[list[Segment], Ints]:
    """The segments that stay, without what is gone, and the ids of the chunks to be read.

    Segments that are mostly gone, or not much larger than what is read anyway, are read again with it;
    so there are never more than a few, and each chunk is read a few times in all.
    """
    masked = [replace(segment, live=np.isin(segment.ids, ids)) for segment in segments]
    kept = [segment for segment in masked if 2 * segment.live_count > len(segment.ids)]
    fresh = _without(ids, kept)
    kept.sort(key=lambda segment: -segment.live_count)
    while kept and len(fresh) and kept[-1].live_count <= min(2 * len(fresh), LARGEST_SEGMENT // 2):
        kept.pop()
        fresh = _without(ids, kept)
    return kept, fresh


def _without(ids: Ints, segments: Sequence[Segment]) -> Ints:
    for segment in segments:
        ids = ids[~np.isin(ids, segment.ids)]
    return ids


def _held(collection: Collection, ids: Ints) -> Iterator[tuple[int, str]]:
    """The terms of these chunks in the order of their ids. A chunk that went meanwhile is left out."""
    for start in range(0, len(ids), READ_AT_ONCE):
        batch = Chunk.objects.filter(collection=collection, pk__in=ids[start : start + READ_AT_ONCE].tolist())
        yield from batch.order_by("pk").values_list("pk", "terms")


MEMORY = WordMemory(MOST_BYTES)


def are_at_hand(collections: Sequence[Collection]) -> bool:
    """Whether an answer from memory comes soon. Those it would have to wait for are read from now on."""
    missing = [collection for collection in collections if not MEMORY.knows(collection)]
    if sum(collection.token_count for collection in missing) <= READ_WHILE_ASKED:
        return True
    MEMORY.load_ahead(missing)
    return False
