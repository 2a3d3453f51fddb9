"""Chat sessions as the documented API names them: `{user_id}+{email}`, a label and never a credential."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from django.conf import settings
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from config.api.marketing_words import AGENT_SESSION, SESSION, interview_word
from config.api.models import Account
from crm import contacts
from crm.models import Contact, ContactAddress, Conversation, Message
from interviews.account_agents import CHAT_AGENT
from interviews.models import Interview

AGENT_PLANNER = "crm.agents_plan.plan"
LONGEST_LABEL = 400
RELATED = (
    "account",
    "guide__account",
    "guide__collection",
    "collection",
    "document",
    "contact__account",
    "conversation__persona",
    "conversation__account",
)


class BadLabel(ValueError):  # noqa: N818
    """It is no label of a session; `str()` says what one looks like."""


@dataclass(frozen=True, slots=True)
class Label:
    """`email` is in the form that two spellings of one mailbox share."""

    user_id: str
    email: str

    def __str__(self) -> str:
        return f"{self.user_id}+{self.email}"


def plus_again(email: str) -> str:
    """A client that does not encode the plus of `ada+work@…` in a query sends a space."""
    local, at, domain = email.strip().rpartition("@")
    return f"{local.replace(' ', '+')}{at}{domain}"


def read_email(text: str) -> str:
    """Raises contacts.InvalidAddress."""
    return contacts.normalise_email(plus_again(text))


def read_label(session_id: str) -> Label:
    """Split on the first plus: an account's slug has none, an address may. Raises BadLabel."""
    user_id, plus, address = session_id.replace(" ", "+").partition("+")
    try:
        if user_id and plus and len(session_id) <= LONGEST_LABEL:
            return Label(user_id, contacts.normalise_email(address))
    except contacts.InvalidAddress:
        pass
    raise BadLabel("A session id is {user_id}+{email}, like acme+ada@example.com.")


def label_of(interview: Interview) -> str:
    return f"{interview.account.slug}+{contacts.email_of(interview.contact)}"


def address_of(label: str, *, token: str = "", agent_id: str = "") -> str:
    """The documented address of a chat. Only with the token of a capability in it does it open the talk."""
    query = urlencode({name: text for name, text in (("token", token), ("agent_id", agent_id)) if text})
    return f"{settings.PUBLIC_BASE_URL}{path_of(label)}{'?' if query else ''}{query}"


def path_of(label: str) -> str:
    return f"/chat/{quote(label, safe='')}"


def token_of(account: Account, email: str) -> str:
    """What the documented API calls an interview's token. It opens nothing by itself."""
    return f"{account.slug}-{email}"


# --- Finding --------------------------------------------------------------------------------


def interviews_of(account: Account) -> QuerySet[Interview]:
    rows: QuerySet[Interview] = Interview.objects.for_account(account).select_related(*RELATED)
    return rows.prefetch_related("contact__addresses", "steps")


def interview_of(account: Account, email: str) -> Interview | None:
    """The newest interview of the person with this address: the one that the label means."""
    rows = interviews_of(account).filter(
        contact__addresses__kind=ContactAddress.Kind.EMAIL, contact__addresses__value=email
    )
    return rows.order_by("-invited_at", "-pk").first()


def contact_of(account: Account, email: str) -> Contact | None:
    rows = ContactAddress.objects.for_account(account).select_related("contact__account")
    found = rows.filter(kind=ContactAddress.Kind.EMAIL, value=email).first()
    return found.contact if found is not None else None


def by_token(accounts: QuerySet[Account], token: str) -> tuple[Account, str] | None:
    """The account and the address of `{user_id}-{email}`: both may hold dashes, so every split is tried."""
    if len(token) > LONGEST_LABEL or "@" not in token:
        return None
    splits = {token[:at]: token[at + 1 :] for at, letter in enumerate(token) if letter == "-"}
    known = {account.slug: account for account in accounts.filter(slug__in=list(splits)[:20])}
    found: list[tuple[Account, str]] = []
    for slug, account in known.items():
        try:
            found.append((account, read_email(splits[slug])))
        except contacts.InvalidAddress:
            continue
    with_interview = [pair for pair in found if interview_of(*pair) is not None]
    return next(iter(with_interview or found), None)


# --- What is shown --------------------------------------------------------------------------


def said_by(author: str) -> Subquery:
    """How many messages one side of a conversation has said, in the same query."""
    rows = Message.objects.filter(conversation=OuterRef("pk"), author=author).order_by()
    return Subquery(rows.values("conversation").annotate(count=Count("pk")).values("count"))


def sessions_of(account: Account) -> QuerySet[Conversation]:
    """The talks of an account that have begun: interviews, and chats with its agent by the documented API."""
    begun = Q(interview__isnull=False) & ~Q(interview__frozen_guide={})
    by_chat_agent = Q(persona__slug=CHAT_AGENT, tried_out_by=None)
    rows = Conversation.objects.for_account(account).filter(begun | by_chat_agent)
    related = rows.select_related(
        "account", "interview__guide__collection", "interview__collection", "interview__document"
    )
    found: QuerySet[Conversation] = related.prefetch_related(
        "contact__addresses", "interview__steps"
    ).annotate(message_count=Coalesce(said_by(Message.Author.PERSON), 0))
    return found


def message_count(conversation_id: UUID) -> int:
    """Messages of the person: what the documented clients count."""
    return Message.objects.filter(conversation_id=conversation_id, author=Message.Author.PERSON).count()


def session_word(conversation: Conversation) -> str:
    interview = getattr(conversation, "interview", None)
    return SESSION[interview.state] if interview is not None else AGENT_SESSION[conversation.state]


def started_at(interview: Interview) -> datetime | None:
    """When the person began, else when the account asked for it."""
    return interview.started_at or interview.requested_at


def ended_at(interview: Interview) -> datetime | None:
    if interview_word(interview.state) in ("completed", "processed"):
        return interview.completed_at or interview.declined_at
    return None


def wire_id(key: Any) -> str:
    """24 hexadecimal digits, as the documented `_id`. Clients tell rows apart by it, and send it nowhere."""
    return f"{key:024x}" if isinstance(key, int) else UUID(str(key)).hex[-24:]
