"""Agents and knowledge bases of an account at Lyzr: made once, and found again by every later call.

Each id is stored the moment the vendor gives it. A call that fails after one step keeps what that step
gave, and the next call goes on from there. Only an answer that was lost on the way can leave an agent
there that nobody knows here: the vendor takes no key of ours by which it could tell a repetition.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from asgiref.sync import async_to_sync
from django.db.models import Q
from django.utils import timezone

from config.api.models import Account
from personas.models import LyzrLink
from personas.providers.base import ProviderError
from personas.providers.lyzr_wire import LyzrApi, address
from personas.providers.registry import options_of

LYZR = "lyzr"
LEASE = timedelta(minutes=5)  # of whoever creates; three calls take no longer
LONGEST_ID = 100  # characters

INTERVIEWER_PROMPT = (
    "You interview a person about their work in at most five questions, one at a time. Choose one field: a "
    "case study, technical documentation, or thought leadership. Follow up where an answer is thin, never "
    "suggest answers, and thank the person at the end."
)
ANSWERER_PROMPT = (
    "You answer questions from the knowledge base. Say only what it holds; when it does not answer, say so."
)
# How Lyzr is told to make things: its own defaults, as its public clients send them.
_AGENT_MODEL: dict[str, Any] = {
    "provider_id": "OpenAI",
    "model": "gpt-4o-mini",
    "temperature": 0.7,
    "top_p": 0.9,
    "llm_credential_id": "lyzr_openai",
}
_RAG_MODELS: dict[str, Any] = {
    "llm_credential_id": "lyzr_openai",
    "embedding_credential_id": "lyzr_openai",
    "vector_db_credential_id": "lyzr_qdrant",
    "llm_model": "gpt-4o-mini",
    "embedding_model": "text-embedding-ada-002",
    "vector_store_provider": "Qdrant [Lyzr]",
    "semantic_data_model": False,
}


@dataclass(eq=False)
class LyzrError(Exception):
    """Why it was not made. `message` may be shown: nothing of the vendor's text or of a key is in it.

    Codes: busy (another call is making it), no_key, no_rag, and those of ProviderError.
    """

    code: str
    message: str
    retryable: bool = False

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


@dataclass(frozen=True, slots=True)
class Created:
    """What the account has. The responses are the vendor's, of this call; {} for what existed before."""

    agent_id: str
    rag_id: str
    agent_response: dict[str, Any] = field(default_factory=dict)
    kb_response: dict[str, Any] = field(default_factory=dict)
    link_response: dict[str, Any] = field(default_factory=dict)


def create_interview_agent(
    account: Account,
    *,
    token: str = "",
    name: str = "Interview Agent",
    description: str = "AI agent for conducting interviews",
    prompt: str | None = None,
) -> Created:
    """The account's interviewer at Lyzr and its knowledge base; each is made when it has none.

    `token` is the Lyzr key to use; empty: the account's own (ProviderCredential), else the installation's.
    It is not stored. Safe to repeat. Raises LyzrError.
    """
    with _creating(account) as link:
        if link.agent_id and link.rag_id:
            return Created(link.agent_id, link.rag_id)
        api = api_of(account, token)
        prompt = prompt or link.agent_prompt or INTERVIEWER_PROMPT
        agent_response: dict[str, Any] = {}
        if not link.agent_id:
            agent_response = _made_agent(api, _agent(name, description, prompt))
            _keep(link, agent_id=_id_in(agent_response, "agent_id"), agent_prompt=prompt)
        kb_response: dict[str, Any] = {}
        if not link.rag_id:
            rag_name = _collection_name(account)
            kb_response = _made_rag(api, name=rag_name, description=f"What people told {name}.")
            _keep(link, rag_id=_id_in(kb_response, "id"), rag_name=rag_name)
        return Created(link.agent_id, link.rag_id, agent_response, kb_response)


def create_chat_agent(
    account: Account,
    *,
    token: str = "",
    name: str = "Chat Agent",
    description: str = "AI chat agent with knowledge base access",
    prompt: str | None = None,
) -> Created:
    """The account's agent that answers from its knowledge base; made and linked when it has none.

    As `create_interview_agent`; `agent_id` of the answer is the chat agent's. Raises LyzrError, with the
    code no_rag while the account has no knowledge base.
    """
    with _creating(account) as link:
        if not link.rag_id:
            raise LyzrError(
                "no_rag", "The account has no knowledge base yet. Create the interview agent first."
            )
        if link.chat_agent_id and not link.has_unlinked_chat_agent:
            return Created(link.chat_agent_id, link.rag_id)
        api = api_of(account, token)
        wanted = _agent(name, description, prompt or ANSWERER_PROMPT)
        agent_response: dict[str, Any] = {}
        if not link.chat_agent_id:
            agent_response = _made_agent(api, wanted)
            agent_id = _id_in(agent_response, "agent_id")
            _keep(link, chat_agent_id=agent_id, has_unlinked_chat_agent=True)
        features = [_reading_from(api, link)]
        link_response = _linked(api, link.chat_agent_id, {**wanted, "features": features})
        _keep(link, has_unlinked_chat_agent=False)
        return Created(link.chat_agent_id, link.rag_id, agent_response, link_response=link_response)


# --- One at a time --------------------------------------------------------------------------


@contextmanager
def _creating(account: Account) -> Iterator[LyzrLink]:
    """The account's link, ours alone until the block ends or the lease runs out."""
    link, _made = LyzrLink.objects.get_or_create(account=account)
    until = timezone.now() + LEASE
    free = Q(busy_until=None) | Q(busy_until__lt=timezone.now())
    if not LyzrLink.objects.filter(free, pk=link.pk).update(busy_until=until):
        raise LyzrError("busy", "It is being created at this moment. Try again shortly.", retryable=True)
    try:
        link.refresh_from_db()
        yield link
    except ProviderError as error:
        raise LyzrError(error.code, error.message, error.retryable) from None
    finally:
        LyzrLink.objects.filter(pk=link.pk, busy_until=until).update(busy_until=None)


def _keep(link: LyzrLink, **fields: Any) -> None:
    for name, value in fields.items():
        setattr(link, name, value)
    LyzrLink.objects.filter(pk=link.pk).update(updated_at=timezone.now(), **fields)


# --- The calls ------------------------------------------------------------------------------


def api_of(account: Account, token: str = "") -> LyzrApi:
    """Lyzr as this account reaches it, with `token` in place of its key. Raises LyzrError without any."""
    try:
        options = options_of(LYZR, account)
    except ProviderError as error:
        raise LyzrError(error.code, error.message, error.retryable) from None
    if token:
        options["API_KEY"] = token
    if not options.get("API_KEY"):
        raise LyzrError("no_key", "There is no Lyzr key: neither of the account nor of the installation.")
    return LyzrApi(LYZR, options)


def _made_agent(api: LyzrApi, wanted: dict[str, Any]) -> dict[str, Any]:
    return _asked(api, "POST", address(api.agent_url, *_TEMPLATE, slash=False), wanted)


def _linked(api: LyzrApi, agent_id: str, wanted: dict[str, Any]) -> dict[str, Any]:
    return _asked(api, "PUT", address(api.agent_url, *_TEMPLATE, agent_id, slash=False), wanted)


def _made_rag(api: LyzrApi, *, name: str, description: str) -> dict[str, Any]:
    # Its public clients send the key itself as `user_id`; who asks is the account.
    body = {
        "user_id": api.user_id,
        "name": name,
        "description": description,
        "collection_name": name,
        **_RAG_MODELS,
    }
    return _asked(api, "POST", address(api.rag_url, "v3", "rag"), body)


_TEMPLATE = ("v3", "agents", "template", "single-task")


def _asked(api: LyzrApi, method: str, url: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = async_to_sync(api.asked)(method, url, json=body)
    if not isinstance(answer, dict):
        raise LyzrError("bad_response", "Lyzr answered with something that cannot be read.", retryable=True)
    return answer


def _agent(name: str, description: str, prompt: str) -> dict[str, Any]:
    return {
        "name": name,
        "description": description,
        "agent_role": name,
        "agent_goal": description,
        "agent_instructions": prompt,
        "examples": None,
        "tool": "",
        "tool_usage_description": "{}",
        **_AGENT_MODEL,
        "features": [],
        "managed_agents": [],
        "response_format": {"type": "text"},
        "store_messages": True,
    }


def _reading_from(api: LyzrApi, link: LyzrLink) -> dict[str, Any]:
    """The feature by which an agent reads the account's knowledge base."""
    params = {"top_k": 5, "retrieval_type": "basic", "score_threshold": 0.1}
    rag = {
        "base_url": api.rag_url,
        "rag_id": link.rag_id,
        "rag_name": link.rag_name or link.rag_id,
        "params": params,
    }
    return {"type": "KNOWLEDGE_BASE", "config": {"lyzr_rag": rag, "agentic_rag": []}, "priority": 0}


def _collection_name(account: Account) -> str:
    """Unique at the vendor, who gives all its customers one name space."""
    snake = re.sub(r"[^a-z0-9]+", "_", account.slug.lower()).strip("_")[:40] or "account"
    return f"{snake}_{secrets.token_hex(4)}"


def _id_in(answer: dict[str, Any], name: str) -> str:
    found = answer.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= LONGEST_ID:
        raise LyzrError("bad_response", "Lyzr answered without the id of what it made.", retryable=True)
    return found
