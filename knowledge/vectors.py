"""Exact search by meaning: the vectors of a collection in memory, read again when its version differs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import QuerySet
from numpy.typing import NDArray

from knowledge.embedding import model_of
from knowledge.memory import Memory
from knowledge.models import Chunk, Collection

MOST_BYTES = 512 * 1024 * 1024  # of vectors kept by one process
READ_AT_ONCE = 500  # chunks; SQLite takes 999 parameters


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


class VectorMemory(Memory[Matrix]):
    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        super().__init__(most_bytes)

    def load(self, collection: Collection, before: Matrix | None) -> Matrix:
        return _load(collection, before)

    def holds(self, kept: Matrix, collection: Collection) -> bool:
        return super().holds(kept, collection) and kept.model == model_of(collection)


def _load(collection: Collection, before: Matrix | None) -> Matrix:
    """What `before` holds of the same model is not read again: a chunk's vector by a model never changes."""
    model = model_of(collection)
    chunks = Chunk.objects.filter(collection=collection, embedding_model=model, vector__isnull=False)
    if before is None or before.model != model or not len(before.ids):
        return _joined(collection, model, [_read(chunks)])
    there = np.fromiter(chunks.order_by("pk").values_list("pk", flat=True), dtype=np.int64)
    stays = np.isin(before.ids, there)
    kept = (before.ids, before.rows) if stays.all() else (before.ids[stays], before.rows[stays])
    fresh = there[~np.isin(there, before.ids)].tolist()
    batches = [fresh[start : start + READ_AT_ONCE] for start in range(0, len(fresh), READ_AT_ONCE)]
    return _joined(collection, model, [kept, *(_read(chunks.filter(pk__in=batch)) for batch in batches)])


Rows = tuple[NDArray[np.int64], NDArray[np.float32]]


def _read(chunks: QuerySet[Chunk]) -> Rows:
    ids: list[int] = []
    vectors: list[NDArray[np.float32]] = []
    rows = chunks.order_by("pk").values_list("pk", "vector")
    for chunk_id, vector in rows.iterator(chunk_size=2000):
        values = np.frombuffer(bytes(vector or b""), dtype="<f4")
        if vectors and values.shape != vectors[0].shape:
            continue  # a vendor changed the length under the same name; reindex makes them all anew
        ids.append(chunk_id)
        vectors.append(values)
    matrix = np.vstack(vectors) if vectors else np.zeros((0, 0), dtype=np.float32)
    return np.asarray(ids, dtype=np.int64), matrix.astype(np.float32, copy=False)


def _joined(collection: Collection, model: str, parts: Sequence[Rows]) -> Matrix:
    width = next((rows.shape[1] for _, rows in parts if len(rows)), 0)
    fitting = [(ids, rows) for ids, rows in parts if len(rows) and rows.shape[1] == width]
    if not fitting:
        return Matrix(collection.version, model, np.zeros(0, np.int64), np.zeros((0, 0), np.float32))
    if len(fitting) == 1:
        return Matrix(collection.version, model, *fitting[0])
    ids, rows = (np.concatenate(arrays) for arrays in zip(*fitting, strict=True))
    return Matrix(collection.version, model, ids, rows)


MEMORY = VectorMemory()


def closest(
    collection: Collection, vector: bytes, *, limit: int, also: Sequence[int] = ()
) -> dict[int, float]:
    """Cosines of the nearest chunks, and of the chunks in `also` that have a vector."""
    matrix = MEMORY.of(collection)
    cosines = matrix.cosines(np.frombuffer(vector, dtype="<f4"))
    if not len(cosines):
        return {}
    count = min(limit, len(cosines))
    best = np.argpartition(cosines, -count)[-count:]
    wanted = np.concatenate([best, np.flatnonzero(np.isin(matrix.ids, np.asarray(also, dtype=np.int64)))])
    return {int(matrix.ids[row]): float(cosines[row]) for row in wanted}
