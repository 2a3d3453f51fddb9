"""Who speaks for an account in the marketing API: its interviewer, and its chat agent with the knowledge."""

from dataclasses import dataclass

from config.api.models import Account
from interviews.models import Guide
from knowledge.models import Collection
from personas.models import LyzrLink, Persona

CHAT_AGENT = "chat_agent"
CHAT_INSTRUCTIONS = (
    "You answer questions about what people said in interviews. Rest on the passages you are given, say "
    "plainly when they do not tell, and never guess."
)


@dataclass(frozen=True, slots=True)
class AgentIds:
    """As the caller knows them: a vendor's or the caller's own where one is kept, else our personas' ids."""

    agent_id: str
    chat_agent_id: str
    rag_id: str


def ids_of(account: Account) -> AgentIds:
    link = LyzrLink.objects.for_account(account).first() or LyzrLink(account=account)
    return AgentIds(link.agent_id, link.chat_agent_id, link.rag_id)


def chat_agent_of(account: Account) -> Persona:
    """The persona of the account's chat agent, made at the first need."""
    defaults = {
        "name": "Chat agent",
        "kind": Persona.Kind.ASSISTANT,
        "instructions": CHAT_INSTRUCTIONS,
        "language": account.language,
    }
    persona, is_new = Persona.objects.get_or_create(account=account, slug=CHAT_AGENT, defaults=defaults)
    if is_new:
        persona.collections.add(*collections_of(account))
    return persona


def collections_of(account: Account) -> list[Collection]:
    """Where the account's transcripts go."""
    guides = Guide.objects.for_account(account).exclude(collection=None)
    return list(Collection.objects.for_account(account).filter(pk__in=guides.values("collection")))


def collection_named(account: Account, rag_id: str) -> Collection:
    """The account's collection of this `rag_id`; an unknown name is a new one."""
    made, is_new = Collection.objects.get_or_create(
        account=account, slug=rag_id, defaults={"name": rag_id, "description": "Named by the marketing API."}
    )
    if is_new:
        chat_agent_of(account).collections.add(made)
    return made
