"""Exact search by meaning: the vectors of a collection in memory, read again when its version differs."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from knowledge.embedding import model_of
from knowledge.models import Chunk, Collection

MOST_BYTES = 512 * 1024 * 1024  # of vectors kept by one process


@dataclass(frozen=True, slots=True)
class Matrix:
    """The vectors of one collection at one version: row i is the vector of chunk ids[i]."""

    version: int
    model: str
    ids: NDArray[np.int64]
    rows: NDArray[np.float32]

    @property
    def size_bytes(self) -> int:
        return int(self.ids.nbytes + self.rows.nbytes)

    def cosines(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        if not len(self.ids) or self.rows.shape[1] != vector.shape[0]:
            return np.zeros(len(self.ids), dtype=np.float32)
        product: NDArray[np.float32] = self.rows @ vector
        return product


class VectorMemory:
    """Matrices by collection, the least recently used dropped first. Safe to use from many threads."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[UUID, Matrix] = OrderedDict()
        self._lock = threading.Lock()
        self._loading: dict[UUID, threading.Lock] = {}

    def matrix(self, collection: Collection) -> Matrix:
        """The vectors of a collection as its row was just read: `version` decides whether ours hold."""
        kept = self._current(collection)
        if kept is not None:
            return kept
        with self._lock:
            loading = self._loading.setdefault(collection.pk, threading.Lock())
        with loading:  # many threads that miss at once read the rows once
            kept = self._current(collection)
            if kept is None:
                kept = _load(collection)
                self._keep(collection.pk, kept)
        return kept

    @property
    def size_bytes(self) -> int:
        with self._lock:
            return sum(matrix.size_bytes for matrix in self._kept.values())

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()

    def _current(self, collection: Collection) -> Matrix | None:
        with self._lock:
            kept = self._kept.get(collection.pk)
            if kept is None or kept.version < collection.version or kept.model != model_of(collection):
                return None
            self._kept.move_to_end(collection.pk)
            return kept

    def _keep(self, collection_id: UUID, matrix: Matrix) -> None:
        with self._lock:
            self._kept[collection_id] = matrix
            self._kept.move_to_end(collection_id)
            while (
                len(self._kept) > 1
                and sum(kept.size_bytes for kept in self._kept.values()) > self._most_bytes
            ):
                dropped, _ = self._kept.popitem(last=False)
                self._loading.pop(dropped, None)


def _load(collection: Collection) -> Matrix:
    model = model_of(collection)
    rows = (
        Chunk.objects.filter(collection=collection, embedding_model=model, vector__isnull=False)
        .order_by("pk")
        .values_list("pk", "vector")
    )
    ids: list[int] = []
    vectors: list[NDArray[np.float32]] = []
    for chunk_id, vector in rows.iterator(chunk_size=2000):
        values = np.frombuffer(bytes(vector or b""), dtype="<f4")
        if vectors and values.shape != vectors[0].shape:
            continue  # a vendor changed the length under the same name; reindex makes them all anew
        ids.append(chunk_id)
        vectors.append(values)
    matrix = np.vstack(vectors) if vectors else np.zeros((0, 0), dtype=np.float32)
    return Matrix(
        collection.version, model, np.asarray(ids, dtype=np.int64), matrix.astype(np.float32, copy=False)
    )


MEMORY = VectorMemory()


def closest(
    collection: Collection, vector: bytes, *, limit: int, also: Sequence[int] = ()
) -> dict[int, float]:
    """Cosines of the nearest chunks, and of the chunks in `also` that have a vector."""
    matrix = MEMORY.matrix(collection)
    cosines = matrix.cosines(np.frombuffer(vector, dtype="<f4"))
    if not len(cosines):
        return {}
    count = min(limit, len(cosines))
    best = np.argpartition(cosines, -count)[-count:]
    wanted = np.concatenate([best, np.flatnonzero(np.isin(matrix.ids, np.asarray(also, dtype=np.int64)))])
    return {int(matrix.ids[row]): float(cosines[row]) for row in wanted}
