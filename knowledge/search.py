"""The one way to retrieve: passages of an account's collections for a question, best first."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from config.api.metadata import note_retrieval
from config.api.models import Account
from config.api.prepared import PreparedRows, among, given
from config.api.threads import in_database
from knowledge import embedding, vectors
from knowledge.keywords import Scored, scored_by_words
from knowledge.models import Chunk, Collection, Document
from knowledge.words import padded, question_terms, terms_of
from personas.models import Persona
from personas.providers.base import ProviderError
from personas.providers.identifiers import identifiers_in, speaks_of_another

# A passage below this says too little of what was asked to be called a source.
MIN_SCORE = 0.34
VECTOR_WEIGHT = 0.6  # the rest is the words' (promises.md, "Knowledge": weighted fusion of normalised scores)
CANDIDATES = 50  # from each of the two ways
LOOKED_AT = 4  # times as many as asked for, when those that speak of another model or order are left out
MOST_COLLECTIONS = 100

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that was found, with how well and why.

    `score` is between 0 and 1: the passage's rank among those found (1 the best) times the share of the
    question that the best of them speak of. `keyword_score` is plain BM25; `vector_score` a cosine, or None.
    """

    number: int
    chunk_id: int
    document_id: UUID
    title: str
    filename: str
    text: str
    score: float
    keyword_score: float
    vector_score: float | None
    locator: Mapping[str, Any] = field(default_factory=dict)
    origin_kind: str = "upload"
    origin_id: str = ""
    origin_link: str = ""


@dataclass(frozen=True, slots=True)
class Fused:
    chunk_id: int
    rank: float  # 1 is the best of this search
    keyword_score: float
    vector_score: float | None


def _readable(which: Q) -> "QuerySet[Collection]":
    owned = Collection.objects.filter(which, account_id=given(Collection, "account"))
    return owned.select_related("account")[:MOST_COLLECTIONS]


def _is_given() -> Q:
    through = Collection.personas.through
    rows = through.objects.filter(persona_id=given(through, "persona"))
    return Q(pk__in=rows.values("collection"))


_read_by_staff = PreparedRows(lambda: _readable(Q(staff_may_read=True)))
_given_to_persona = PreparedRows(lambda: _readable(_is_given()))
_read_by_assistant = PreparedRows(lambda: _readable(_is_given() | Q(assistants_may_read=True)))


def readable_collections(
    account: Account, *, persona: Persona | None = None, staff: bool = False
) -> list[Collection]:
    """The collections a persona was given, or those staff may read; neither gives none.

    An assistant also reads what the account opened to all its assistants: the documents collection, never
    transcripts by itself.
    """
    if persona is None:
        return _read_by_staff(account=account.pk) if staff else []
    is_assistant = persona.kind == Persona.Kind.ASSISTANT
    read = _read_by_assistant if is_assistant else _given_to_persona
    return read(account=account.pk, persona=persona.pk)


async def passages_for(
    query: str,
    *,
    account: Account,
    collections: Iterable[Collection] | Callable[[], Iterable[Collection]],
    limit: int = 6,
    min_score: float = MIN_SCORE,
) -> list[Passage]:
    """What the collections say about a question, numbered from 1. Empty when they say nothing of it.

    Any text may be asked. A collection of another account gives nothing. When the embedding provider
    is away, the words alone decide. `collections` may be the database work that reads them: it is then done
    together with the search.
    """
    query = query.replace("\x00", " ").strip()
    if not query:
        return []
    started = time.perf_counter()
    try:
        searched, found = await in_database(
            _by_words_alone, query, account, collections, limit=limit, min_score=min_score
        )
        if found is not None:
            return found
        meaning = await _vectors_of(query, searched)
        return await in_database(
            _passages, query, searched, meaning=meaning, limit=limit, min_score=min_score
        )
    finally:
        note_retrieval(seconds=time.perf_counter() - started)


def _by_words_alone(
    query: str,
    account: Account,
    collections: Iterable[Collection] | Callable[[], Iterable[Collection]],
    *,
    limit: int,
    min_score: float,
) -> tuple[list[Collection], list[Passage] | None]:
    """The collections as they are now, and what they say; None while a model must be asked for vectors."""
    if callable(collections):
        searched = [collection for collection in collections() if collection.account_id == account.pk]
    else:
        searched = _owned(account, [collection.pk for collection in collections])
    if any(map(_has_meaning, searched)):
        return searched, None
    return searched, _passages(query, searched, meaning={}, limit=limit, min_score=min_score)


def _has_meaning(collection: Collection) -> bool:
    return bool(collection.chunk_count) and embedding.is_wanted(collection)


def _owned(account: Account, ids: Sequence[UUID]) -> list[Collection]:
    """The rows as they are now: versions and counts move while callers hold theirs."""
    owned = Collection.objects.for_account(account).filter(pk__in=ids[:MOST_COLLECTIONS])
    return list(owned.select_related("account"))


async def _vectors_of(query: str, collections: Sequence[Collection]) -> dict[UUID, bytes]:
    """The question's vector for each collection that has vectors; one call for each model."""
    made: dict[tuple[str, str], bytes | None] = {}
    found: dict[UUID, bytes] = {}
    for collection in collections:
        if not _has_meaning(collection):
            continue
        key = (collection.embedding_provider, embedding.model_of(collection))
        if key not in made:
            made[key] = await _vector_of(query[:8_000], collection)
        vector = made[key]
        if vector is not None:
            found[collection.pk] = vector
    return found


async def _vector_of(query: str, collection: Collection) -> bytes | None:
    try:
        return (await embedding.embed(collection, [query]))[0]
    except ProviderError as error:
        logger.warning("Searching by words alone: %s", error.code)
        return None


def _passages(
    query: str,
    collections: Sequence[Collection],
    *,
    meaning: Mapping[UUID, bytes],
    limit: int,
    min_score: float,
) -> list[Passage]:
    terms = question_terms(query)
    by_words = scored_by_words(terms, collections, limit=CANDIDATES)
    by_meaning = _by_meaning(collections, meaning, also=[found.chunk_id for found in by_words])
    named = identifiers_in(query)
    best = fused(by_words, by_meaning)[: limit * (LOOKED_AT if named else 1)]
    chunks = _chunks([found.chunk_id for found in best], collections)
    best = [one for one in best if one.chunk_id in chunks and not _is_of_another(chunks[one.chunk_id], named)]
    best = _from_the_top(best[:limit])
    level = _level(terms, best, chunks)
    kept = [found for found in best if found.rank * level >= min_score]
    return [
        _passage(number, found, chunk=chunks[found.chunk_id], score=found.rank * level)
        for number, found in enumerate(kept, start=1)
    ]


def _by_meaning(
    collections: Sequence[Collection], meaning: Mapping[UUID, bytes], *, also: Sequence[int]
) -> dict[int, float]:
    found: dict[int, float] = {}
    for collection in collections:
        if collection.pk in meaning:
            found |= vectors.closest(collection, meaning[collection.pk], limit=CANDIDATES, also=also)
    return found


def fused(by_words: Sequence[Scored], by_meaning: Mapping[int, float]) -> list[Fused]:
    """Both ways in one order: each score is brought to 0…1 among the candidates, then they are weighed."""
    words = {found.chunk_id: found.score for found in by_words}
    most_words = max(words.values(), default=0.0) or 1.0
    least, most = min(by_meaning.values(), default=0.0), max(by_meaning.values(), default=0.0)
    weight = VECTOR_WEIGHT if by_meaning else 0.0

    def rank(chunk_id: int) -> float:
        cosine = by_meaning.get(chunk_id, least)
        near = (cosine - least) / (most - least) if most > least else 1.0
        return weight * near + (1 - weight) * words.get(chunk_id, 0.0) / most_words

    order = [
        Fused(chunk_id, rank(chunk_id), words.get(chunk_id, 0.0), by_meaning.get(chunk_id))
        for chunk_id in {**words, **by_meaning}
    ]
    order.sort(key=lambda found: (-found.rank, found.chunk_id))
    return _from_the_top(order)


def _is_of_another(chunk: Chunk, named: AbstractSet[str]) -> bool:
    """Whether it is about X-2000 where X-200 was asked for; its title tells too what it is about."""
    return speaks_of_another(f"{chunk.document.title}\n{chunk.text}", named)


def _from_the_top(best: Sequence[Fused]) -> list[Fused]:
    """The ranks again, with the first as 1."""
    top = best[0].rank if best else 1.0
    return [Fused(f.chunk_id, f.rank / (top or 1.0), f.keyword_score, f.vector_score) for f in best]


def _level(terms: Sequence[str], best: Sequence[Fused], chunks: Mapping[int, Chunk]) -> float:
    """How much of the question the best passages speak of, between 0 and 1.

    The order alone cannot tell a good passage from the least bad one; this can. By words: the share of
    the telling words that a passage's own text holds (words that only its title holds say which document
    is meant, not that it knows the answer). By meaning: the cosine.
    """
    shares = [_share_held(terms, chunks[found.chunk_id]) for found in best]
    cosines = [found.vector_score for found in best if found.vector_score is not None]
    return min(1.0, max([*shares, *cosines], default=0.0))


def _share_held(terms: Sequence[str], chunk: Chunk) -> float:
    title = terms_of(chunk.document.title)
    in_text = set(_terms_of_text(chunk, title))
    held = [term for term in terms if term in in_text]
    in_title_only = set(title) - in_text
    asked = [term for term in terms if term not in in_title_only]
    if not asked:
        return 1.0 if terms else 0.0
    return len(held) / len(asked)


def _terms_of_text(chunk: Chunk, title: Sequence[str]) -> list[str]:
    """As the index holds them, behind those of the title; made again when the title is another since."""
    before = padded(title)
    return chunk.terms[len(before) :].split() if chunk.terms.startswith(before) else terms_of(chunk.text)


def _chunks(ids: Sequence[int], collections: Sequence[Collection]) -> dict[int, Chunk]:
    """With their documents: many chunks are of one, which is read once."""
    if not ids:
        return {}
    searched = {collection.pk for collection in collections}
    found = [chunk for chunk in _chunks_of(keys=ids) if chunk.collection_id in searched]
    of = list(dict.fromkeys(chunk.document_id for chunk in found))
    documents = {document.pk: document for document in _documents_of(keys=of)}
    for chunk in found:
        if chunk.document_id in documents:
            chunk.document = documents[chunk.document_id]
    return {chunk.pk: chunk for chunk in found if chunk.document_id in documents}


_chunks_of = PreparedRows(
    lambda: (
        Chunk.objects.filter(among(Chunk, "id", name="keys"))
        .only("collection", "document", "text", "terms", "locator")
        .order_by()
    )
)
_documents_of = PreparedRows(
    lambda: (
        Document.objects.filter(among(Document, "id", name="keys"))
        .only("title", "filename", "origin_kind", "origin_id", "origin_link")
        .order_by()
    )
)


def _passage(number: int, found: Fused, *, chunk: Chunk, score: float) -> Passage:
    document = chunk.document
    return Passage(
        number=number,
        chunk_id=chunk.pk,
        document_id=document.pk,
        title=document.title,
        filename=document.filename,
        text=chunk.text,
        score=round(score, 4),
        keyword_score=round(found.keyword_score, 4),
        vector_score=None if found.vector_score is None else round(found.vector_score, 4),
        locator=chunk.locator,
        origin_kind=document.origin_kind,
        origin_id=document.origin_id,
        origin_link=document.origin_link,
    )
