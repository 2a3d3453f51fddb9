"""A question gets an answer with citations, or the honest word that the sources do not say."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import translation
from django.utils.translation import gettext

from config.api.models import Account
from config.api.threads import in_database
from knowledge.citing import CitationFilter, citation
from knowledge.models import Collection, Question
from knowledge.search import Passage, passages_for
from personas.models import Persona
from personas.providers.base import Act, Delta, Prompt, ProviderError, Source, Turn, TurnPlan
from personas.providers.messages import chat_messages
from personas.speaking import completed, speak

LONGEST_QUESTION = 2_000  # characters
PASSAGES = 6
LIBRARIAN = "librarian"
STOPPED = "stopped"  # the reader left before the end
INSTRUCTION = (
    "Answer the question from the numbered passages alone, in at most five sentences. After each statement "
    "put the number of its passage in square brackets, like [1]. Quote people's own words where they matter. "
    "If the passages do not answer the question, say only that it is not in the sources, without any number."
)

logger = logging.getLogger(__name__)

EventName = Literal["delta", "citations", "done", "failed"]


@dataclass(frozen=True, slots=True)
class AnswerEvent:
    """One piece of an answer.

    delta      {"text"}
    citations  {"citations": [{number, document, document_id, chunk_id, text, locator, place, url}]}
    done       {"question_id", "answer", "answered", "citations", "provider", "passages"}
    failed     {"question_id", "code", "message", "retryable"}
    """

    name: EventName
    data: dict[str, Any] = field(default_factory=dict)


def not_in_the_sources() -> str:
    return gettext("That is not in the sources.")


async def answer(
    question: str,
    *,
    account: Account,
    collections: Iterable[Collection],
    asked_by: str = "",
    user: AbstractBaseUser | None = None,
) -> AsyncIterator[AnswerEvent]:
    """Any number of `delta`, then `citations` and `done`, or `failed`. Stores the question and its outcome.

    Only numbers of passages that were retrieved stay in the text. A reader who leaves loses nothing:
    what was said until then is stored. Close it (`aclosing`) when you stop reading.
    """
    collections = list(collections)
    row = await in_database(_asked, question, account, collections=collections, asked_by=asked_by, user=user)
    said = _Said(row)
    try:
        passages = await passages_for(question, account=account, collections=collections, limit=PASSAGES)
        async with aclosing(cast(Any, _spoken(said, passages, account))) as pieces:
            async for piece in pieces:
                yield AnswerEvent("delta", {"text": piece})
        await said.keep()
        yield AnswerEvent("citations", {"citations": said.citations})
        yield AnswerEvent("done", said.summary())
    except ProviderError as error:
        await said.keep(error_code=error.code)
        data = {"code": error.code, "message": error.message, "retryable": error.retryable}
        yield AnswerEvent("failed", {"question_id": str(row.pk), **data})
    finally:
        if not said.is_kept:
            # Not awaited: whoever closes us may be cancelled, and the row must be written all the same.
            _store_later(said.keep(error_code=STOPPED))


class _Said:
    """What has been said so far, and its row."""

    def __init__(self, row: Question) -> None:
        self.row = row
        self.parts: list[str] = []
        self.passages: Sequence[Passage] = ()
        self.cited: Sequence[int] = ()
        self.provider = ""
        self.is_kept = False

    @property
    def text(self) -> str:
        return "".join(self.parts).strip()

    @property
    def citations(self) -> list[dict[str, Any]]:
        return [citation(passage) for passage in self.passages if passage.number in self.cited]

    def summary(self) -> dict[str, Any]:
        return {
            "question_id": str(self.row.pk),
            "answer": self.text,
            "answered": bool(self.cited),
            "citations": self.citations,
            "provider": self.provider,
            "passages": len(self.passages),
        }

    async def keep(self, error_code: str = "") -> None:
        self.is_kept = True
        # A text without a citation says nothing of the sources, whatever it says.
        await in_database(
            _store,
            self.row,
            answer=self.text,
            citations=self.citations,
            answered=bool(self.cited) and not error_code,
            provider=self.provider,
            error_code=error_code,
        )


async def _spoken(said: _Said, passages: Sequence[Passage], account: Account) -> AsyncIterator[str]:
    """The words of the answer, their citations checked."""
    if not passages:
        with translation.override(account.language):
            said.parts.append(not_in_the_sources())
        yield said.text
        return
    said.passages = passages
    checked = CitationFilter([passage.number for passage in passages])
    said.cited = checked.cited
    persona = await in_database(librarian, account)
    async with aclosing(
        cast(Any, speak(persona, _prompt(said.row.text, passages, account), account=account))
    ) as reply:
        async for part in reply:
            if not isinstance(part, Delta):
                said.provider = part.provider
            elif piece := checked.feed(part.text):
                said.parts.append(piece)
                yield piece
    if piece := checked.finish():
        said.parts.append(piece)
        yield piece


def _prompt(question: str, passages: Sequence[Passage], account: Account) -> Prompt:
    with translation.override(account.language):
        plan = TurnPlan(Act.ANSWER, say=not_in_the_sources(), instruction=INSTRUCTION, search=question)
    return Prompt(
        system="",  # the persona's own
        turns=[Turn("user", question)],
        plan=plan,
        sources=[Source(passage.number, passage.title, passage.text) for passage in passages],
        temperature=0.2,
        max_tokens=800,
        language=account.language,
    )


def librarian(account: Account) -> Persona:
    """The assistant persona that answers for an account; made at the first question, then staff's."""
    persona, _ = Persona.objects.get_or_create(
        account=account, slug=LIBRARIAN, defaults=_new_librarian(account)
    )
    return persona


def _new_librarian(account: Account) -> dict[str, Any]:
    return {
        "name": "Librarian",
        "kind": Persona.Kind.ASSISTANT,
        "tagline": gettext("Answers from your documents and interviews, with sources."),
        "instructions": "You answer questions about documents and interviews, briefly and exactly.",
        "language": account.language,
        "temperature": 0.2,
        "max_tokens": 800,
    }


def sent_to_a_model(question: str, passages: Sequence[Passage], account: Account) -> list[dict[str, Any]]:
    """The messages a model gets for this question, for staff to see; none where no model is asked."""
    if not passages:
        return []
    known = Persona.objects.for_account(account).filter(slug=LIBRARIAN).first()
    persona = known or Persona(account=account, slug=LIBRARIAN, **_new_librarian(account))
    return chat_messages(completed(persona, _prompt(question, passages, account)))


def _asked(
    question: str,
    account: Account,
    *,
    collections: Sequence[Collection],
    asked_by: str,
    user: AbstractBaseUser | None,
) -> Question:
    row = Question.objects.create(
        account=account,
        text=question.replace("\x00", "").encode("utf-8", "replace").decode()[:LONGEST_QUESTION],
        asked_by=asked_by[:150],
        user_id=user.pk if user is not None else None,
    )
    owned = Collection.objects.for_account(account).filter(
        pk__in=[collection.pk for collection in collections]
    )
    row.collections.set(owned)
    return row


def _store(row: Question, **outcome: Any) -> None:
    Question.objects.filter(pk=row.pk).update(**outcome)


_storing: set[asyncio.Task[None]] = set()


def _store_later(keeping: Any) -> None:
    # A task that nobody holds may be collected before it ends.
    task = asyncio.get_running_loop().create_task(keeping)
    _storing.add(task)
    task.add_done_callback(_storing.discard)


def rate(question: Question, *, thumbs: int, comment: str = "") -> None:
    """Whether an answer helped: 1 or -1."""
    Question.objects.filter(pk=question.pk).update(thumbs=thumbs, comment=comment.replace("\x00", "")[:2_000])
