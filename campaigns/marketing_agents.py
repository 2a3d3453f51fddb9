"""The agents that the marketing API makes for an account: at Lyzr where that speaks for it, else our own.

Asked twice, there is one. Without the vendor the interviewer and the chat agent are personas, the knowledge
base is a collection, and their ids are ours.
"""

from typing import Any

from django.conf import settings

from campaigns.marketing_accounts import LYZR, keep_ids, link_of
from campaigns.standing import campaign_of
from config.api.models import Account
from interviews.account_agents import chat_agent_of, collection_named
from interviews.models import Guide
from knowledge.models import Collection, Remote
from personas import lyzr_agents
from personas.lyzr_agents import Created
from personas.models import LyzrLink, Persona

NO_RAG = "no_rag"


def speaks_through_lyzr(account: Account) -> bool:
    """Some persona of the account names the vendor in its chain, or the installation does."""
    chains = Persona.objects.for_account(account).values_list("provider_chain", flat=True)
    return LYZR in settings.DEFAULT_PROVIDER_CHAIN or any(LYZR in chain for chain in chains)


def make_interviewer(account: Account, *, prompt: str | None, **words: str) -> Created:
    """Raises lyzr_agents.LyzrError."""
    guide = campaign_of(account).guide
    if speaks_through_lyzr(account):
        made = lyzr_agents.create_interview_agent(account, prompt=prompt, **words)
        _carry_to(account, made.rag_id)
        return made
    link = link_of(account)
    agent_id = link.agent_id or str(guide.persona_id)
    rag_id = link.rag_id or _own_collection(account, guide)
    keep_ids(account, {"agent_id": agent_id, "rag_id": rag_id, "agent_prompt": prompt or link.agent_prompt})
    return Created(agent_id, rag_id, _as_agent(guide.persona), {"id": rag_id})


def _carry_to(account: Account, rag_id: str) -> None:
    """The vendor's knowledge base has a collection here, whose documents also go there."""
    collection = collection_named(account, rag_id)
    rows = Collection.objects.filter(pk=collection.pk, remote="")
    rows.update(remote=Remote.LYZR, remote_id=rag_id)


def _own_collection(account: Account, guide: Guide) -> str:
    if guide.collection is not None:
        return guide.collection.slug
    made = collection_named(account, f"interviews-{guide.pk}")
    Guide.objects.filter(pk=guide.pk, collection=None).update(collection=made)
    return made.slug


def make_chat_agent(account: Account, **words: str) -> Created:
    """Raises lyzr_agents.LyzrError: `no_rag` while there is no knowledge base."""
    if speaks_through_lyzr(account):
        return lyzr_agents.create_chat_agent(account, **words)
    link = link_of(account)
    if not link.rag_id:
        raise lyzr_agents.LyzrError(NO_RAG, "The account has no knowledge base yet: create its agent first.")
    persona = chat_agent_of(account)
    collection = collection_named(account, link.rag_id)
    collection.personas.add(persona)
    chat_agent_id = link.chat_agent_id or str(persona.pk)
    keep_ids(account, {"chat_agent_id": chat_agent_id})
    linked = {"rag_id": collection.slug, "linked": True}
    return Created(chat_agent_id, link.rag_id, _as_agent(persona), link_response=linked)


def _as_agent(persona: Persona) -> dict[str, Any]:
    return {"agent_id": str(persona.pk), "name": persona.name}


def named(account_ids: Any, agent_id: str) -> LyzrLink | None:
    """The link of an account that calls one of its agents so."""
    rows = LyzrLink.objects.filter(account__in=account_ids).select_related("account")
    return rows.filter(agent_id=agent_id).first() or rows.filter(chat_agent_id=agent_id).first()
