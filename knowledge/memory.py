"""What a process remembers of collections between searches, made again when a collection has changed."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from django.db import connection

from knowledge.models import Collection

logger = logging.getLogger(__name__)


class Remembered(Protocol):
    @property
    def version(self) -> int:
        """The `Collection.version` it was made from."""

    @property
    def size_bytes(self) -> int: ...


T = TypeVar("T", bound=Remembered)


class Memory(Generic[T]):
    """One thing per collection, the least recently used dropped first. Safe to use from many threads."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[UUID, T] = OrderedDict()
        self._lock = threading.Lock()
        self._loading: dict[UUID, threading.Lock] = {}
        self._ahead: set[UUID] = set()

    def load(self, collection: Collection, before: T | None) -> T:
        """Make it from the rows; `before` is what was kept of an earlier version."""
        raise NotImplementedError

    def holds(self, kept: T, collection: Collection) -> bool:
        return kept.version >= collection.version

    def of(self, collection: Collection) -> T:
        """What belongs to a collection whose row was just read: its `version` decides whether ours holds."""
        kept = self._current(collection)
        if kept is not None:
            return kept
        with self._lock:
            loading = self._loading.setdefault(collection.pk, threading.Lock())
        with loading:  # many threads that miss at once read the rows once
            kept = self._current(collection)
            if kept is None:
                with self._lock:
                    before = self._kept.get(collection.pk)
                kept = self.load(collection, before)
                self._keep(collection.pk, kept)
        return kept

    def knows(self, collection: Collection) -> bool:
        """Whether it holds this collection at some version, so that `of` costs only what changed since."""
        with self._lock:
            return collection.pk in self._kept

    def load_ahead(self, collections: Sequence[Collection]) -> None:
        """Make them one after another in a thread, each once, so that nobody waits for them."""
        with self._lock:
            new = [collection for collection in collections if collection.pk not in self._ahead]
            self._ahead.update(collection.pk for collection in new)
        if new:
            threading.Thread(target=self._load_ahead, args=[new], daemon=True).start()

    def _load_ahead(self, collections: Sequence[Collection]) -> None:
        try:
            for collection in collections:
                self.of(collection)
        except Exception:  # whoever asks next begins it again
            logger.exception("Reading collections ahead failed")
        finally:
            connection.close()
            with self._lock:
                self._ahead.difference_update(collection.pk for collection in collections)

    @property
    def size_bytes(self) -> int:
        with self._lock:
            return sum(kept.size_bytes for kept in self._kept.values())

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()

    def _current(self, collection: Collection) -> T | None:
        with self._lock:
            kept = self._kept.get(collection.pk)
            if kept is None or not self.holds(kept, collection):
                return None
            self._kept.move_to_end(collection.pk)
            return kept

    def _keep(self, collection_id: UUID, made: T) -> None:
        with self._lock:
            self._kept[collection_id] = made
            self._kept.move_to_end(collection_id)
            total = sum(kept.size_bytes for kept in self._kept.values())
            while len(self._kept) > 1 and total > self._most_bytes:
                dropped, gone = self._kept.popitem(last=False)
                total -= gone.size_bytes
                self._loading.pop(dropped, None)
