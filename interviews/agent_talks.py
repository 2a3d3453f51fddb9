"""Talks with an account's chat agent, which answers from its collections. No interview belongs to them."""

from django.db import IntegrityError, transaction

from config.api.models import Account
from crm import contacts, talk, turns
from crm.models import Contact, Conversation, Message
from crm.models.contacts import Channel
from crm.turns import Turn
from interviews.account_agents import CHAT_AGENT, chat_agent_of
from interviews.sessions import AGENT_PLANNER, BadLabel, read_label


def take(
    account: Account, session_id: str, text: str, *, client_message_id: str | None
) -> tuple[Message, Turn | None]:
    """Stores the message in the talk of this session, which its first message begins.

    Raises contacts.InvalidAddress and what turns.take raises.
    """
    return turns.take(_talk_of(account, session_id), text, client_message_id)


def talk_of(account: Account, session_id: str) -> Conversation | None:
    rows = Conversation.objects.called(account.pk, session_id).filter(persona__slug=CHAT_AGENT)
    found: Conversation | None = rows.select_related("persona", "account", "contact").first()
    return found


def _talk_of(account: Account, session_id: str) -> Conversation:
    known = talk_of(account, session_id)
    if known is not None:
        return known
    persona, contact = chat_agent_of(account), _contact_of(account, session_id)
    try:
        with transaction.atomic():
            made = talk.start(
                contact,
                persona=persona,
                brief={"language": account.language},
                planner=AGENT_PLANNER,
                title="Chat with the knowledge base",
                channel=Channel.API,
                external_id=session_id,
            )
    except IntegrityError:  # begun at this moment by another call, or the id is one of another kind of talk
        theirs = talk_of(account, session_id)
        if theirs is None:
            raise contacts.InvalidAddress("This session id is in use by another kind of talk.") from None
        return theirs
    made.account, made.persona = account, persona
    return made


def _contact_of(account: Account, session_id: str) -> Contact:
    """The person of the label; a session by another name is a contact of its own."""
    try:
        email = read_label(session_id).email
    except BadLabel:
        return contacts.resolve(account, external_id=f"session-{session_id}", source="api")[0]
    return contacts.resolve(account, email=email, source="api")[0]
