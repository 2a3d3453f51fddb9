"""Knowledge bases at Lyzr: a PDF becomes parts, parts are learnt, and what was learnt is taken away."""

from collections.abc import Sequence
from typing import Any

import aiohttp
from asgiref.sync import async_to_sync

from personas.lyzr_agents import LyzrError, api_of
from personas.providers.base import ProviderError
from personas.providers.lyzr_wire import LyzrApi, NotThere, address

PARSER, CHUNK_SIZE, CHUNK_OVERLAP = "pypdf", 1000, 100
MOST_PARTS = 20_000

Part = dict[str, Any]


class LyzrBase:
    """One knowledge base, as one account reaches it. Methods raise LyzrError; its message may be shown.

    The code not_there says that the vendor knows no such base.
    """

    def __init__(self, api: LyzrApi, rag_id: str) -> None:
        self._api, self._rag_id = api, rag_id

    def parsed(self, name: str, pdf: bytes) -> list[Part]:
        """The parts of a PDF as the vendor makes them; `name` is what it will be called there."""
        form = aiohttp.FormData()
        form.add_field("file", pdf, filename=name, content_type="application/pdf")
        form.add_field("data_parser", PARSER)
        form.add_field("chunk_size", str(CHUNK_SIZE))
        form.add_field("chunk_overlap", str(CHUNK_OVERLAP))
        form.add_field("extra_info", "{}")
        answer = self._asked("POST", address(self._api.rag_url, "v3", "parse", "pdf"), data=form)
        parts = answer.get("documents") if isinstance(answer, dict) else None
        if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
            raise _unreadable()
        if len(parts) > MOST_PARTS:
            raise LyzrError("too_large", f"Lyzr made more than {MOST_PARTS:,} parts of it.")
        return parts

    def train(self, parts: Sequence[Part]) -> dict[str, Any]:
        """Give it the parts as they are. Twice is twice: `known_names` tells whether it has them."""
        url = address(self._api.rag_url, "v3", "rag", "train", self._rag_id)
        answer = self._asked("POST", url, json=list(parts))
        return answer if isinstance(answer, dict) else {"answer": answer}

    def known_names(self) -> set[str]:
        """What it holds, by the names it gave."""
        answer = self._asked("GET", address(self._api.rag_url, "v3", "rag", "documents", self._rag_id))
        if not isinstance(answer, list):
            raise _unreadable()
        return {name for name in answer if isinstance(name, str)}

    def forget(self, names: Sequence[str]) -> None:
        """Take away what it calls by these names. What is not there is no error, nor a base that is gone."""
        url = address(self._api.rag_url, "v3", "rag", self._rag_id, "docs")
        try:
            self._asked("DELETE", url, json=list(names))
        except LyzrError as error:
            if error.code != "not_there":
                raise

    def _asked(self, method: str, url: str, **request: Any) -> Any:
        try:
            return async_to_sync(self._api.asked)(method, url, **request)
        except ProviderError as error:
            code = "not_there" if isinstance(error, NotThere) else error.code
            raise LyzrError(code, error.message, error.retryable) from None


def base_of(account: Any, rag_id: str) -> LyzrBase:
    """Raises LyzrError when there is no key for it."""
    return LyzrBase(api_of(account), rag_id)


def part(text: str, name: str) -> Part:
    """A part of a text that needs no parser."""
    return {"text": text, "source": name, "extra_info": {}}


def names_in(parts: Sequence[Part]) -> list[str]:
    """What the vendor calls the file these parts come from."""
    found = {str(source) for each in parts if (source := _source(each))}
    return sorted(found)


def _source(part: Part) -> object:
    metadata = part.get("metadata")
    about = metadata if isinstance(metadata, dict) else {}
    return part.get("source") or about.get("source") or about.get("file_name")


def _unreadable() -> LyzrError:
    return LyzrError("bad_response", "Lyzr answered with something that cannot be read.", retryable=True)
