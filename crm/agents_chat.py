"""A chat with the agents: whose talk it is, which agent answers, and the stored message whose reply begins.

What a caller says is stored first; then an agent is chosen, by rules at once and by a model where they are
unsure; then crm/replies.py writes the reply, whether the caller waits for it or not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid5

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from config.api.ids import uuid7
from config.api.models import Account
from config.api.prepared import PreparedInsert, PreparedRows, given
from config.api.threads import in_database, to_its_end
from crm import contacts, moderation, replies, talk, timeline, turns
from crm.filing import agents_may_file
from crm.models import Contact, ContactAddress, Conversation, Message
from crm.models.contacts import Channel
from crm.turns import Turn
from personas import routing
from personas.agents import BY_SLUG, GENERAL, agents_of, category_of
from personas.models import Persona
from personas.routing import Choice

PLANNER = "crm.agents_plan.plan"
LONGEST_ID = 200  # characters of a caller's id of a talk
MOST_TALKS = 50  # of one session, one put away after the other, that are looked through
TITLE_CHARACTERS = 60


class NoSuchTalk(Exception):  # noqa: N818
    """The talk is another contact's, or none that agents answer in."""


class NotTheSame(Exception):  # noqa: N818
    """The session is one contact's, and the message names another."""


class Deactivated(Exception):  # noqa: N818
    """The contact was deactivated or erased: nobody chats as them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller wants answered. Without `conversation_id`, `session_id` names the talk; without either,
    a message with a client id has a talk of its own, which the same id finds again.
    """

    message: str
    client_message_id: str | None = None
    user_id: str = ""
    conversation_id: str = ""
    session_id: str = ""
    context: Mapping[str, Any] | None = None
    agent: str = ""  # the one staff chose, which pins it
    by_staff: bool = False  # the talk also reads what staff may read
    channel: str = Channel.API


@dataclass(frozen=True, slots=True)
class Person:
    """Who writes, as the caller is told of them. `reference` is the id that the CRM API has for them."""

    contact: Contact
    reference: str
    email: str
    phone: str


@dataclass(frozen=True, slots=True)
class Received:
    """A stored message. `choice` is None where no agent was chosen: it was known before, or staff speak."""

    person: Person
    conversation: Conversation
    message: Message
    turn: Turn | None
    choice: Choice | None
    agents: Mapping[str, Persona]
    is_undecided: bool = False
    # The reply that was begun. Who waits holds it: asked for anew, one that failed would be begun again.
    running: replies.Running | None = None

    @property
    def shown_conversation_id(self) -> str:
        """As the caller knows it: their own id where they gave one."""
        return self.conversation.external_id or str(self.conversation.pk)

    @property
    def agent_slug(self) -> str:
        """Who answers, as far as it is known before the reply."""
        persona = self.turn.persona if self.turn is not None else self.conversation.persona
        return persona.slug if persona is not None else ""


# --- A message comes in ---------------------------------------------------------------------


async def begin(account: Account, asked: Asked, *, contact: Contact | None = None) -> Received:
    """Stores the message and begins its reply. A caller who leaves stops nothing of it.

    `contact` is the one that a session lets write. Raises NoSuchTalk, NotTheSame, Deactivated,
    contacts.InvalidAddress, and what talk.record_message raises.
    """
    return await to_its_end(_begun(account, asked, contact=contact))


async def _begun(account: Account, asked: Asked, *, contact: Contact | None) -> Received:
    received = await in_database(receive, account, asked, contact=contact)
    if received.is_undecided and received.choice is not None:
        received = await in_database(_decided, received, await _by_model(received, received.choice, account))
    return replace(received, running=replies.ensure_reply(received.message.pk, received.turn))


async def _by_model(received: Received, choice: Choice, account: Account) -> Choice:
    """The rules' own choice where no model may read the message yet."""
    conversation = received.conversation
    text = await moderation.readable(conversation, received.message.text)
    if text is None:
        return choice
    return await routing.by_model(text, choice, account=account, persona=conversation.persona)


def receive(account: Account, asked: Asked, *, contact: Contact | None = None) -> Received:
    """One piece of database work: the contact and the talk are found or made, the message is stored."""
    agents = agents_of(account)
    named = _talk_by_callers_id(account, asked)
    if contact is None and named is not None and _goes_on(named, asked):
        return _received(account, named.contact, named, asked, agents)
    for _attempt in range(2):
        try:
            return _received_anew(account, asked, agents, named=named, contact=contact)
        except IntegrityError:  # another caller began the same at this moment: it is there now
            named = _talk_by_callers_id(account, asked)
    return _received_anew(account, asked, agents, named=named, contact=contact)


# What is new is written together: one wait for the disk, and for SQLite's one writer, instead of three.
@transaction.atomic
def _received_anew(
    account: Account,
    asked: Asked,
    agents: Mapping[str, Persona],
    *,
    named: Conversation | None,
    contact: Contact | None,
) -> Received:
    who = contact or _contact_of(account, asked)
    if not who.is_active or who.erased_at is not None:
        raise Deactivated
    is_called_otherwise = contact is not None and asked.user_id and not _is_called(who, asked.user_id)
    if (
        is_called_otherwise and contacts.find(account, asked.user_id) != who
    ):  # or by an id from before a merge
        raise NotTheSame
    who.account = account
    return _received(account, who, _talk_of(who, asked, agents, named), asked, agents)


def _received(
    account: Account, who: Contact, conversation: Conversation, asked: Asked, agents: Mapping[str, Persona]
) -> Received:
    who.account = conversation.account = account
    conversation.contact = who
    _give_agent(conversation, agents)
    _keep_context(conversation, asked.context)
    known = _known(conversation, asked.client_message_id)
    if known is not None:
        return Received(_person(who), conversation, known, None, None, agents)
    return _store(Received(_person(who), conversation, Message(), None, None, agents), asked)


_talk_called = PreparedRows(
    lambda: (
        Conversation.objects.called(given(Conversation, "account"), given(Conversation, "external_id"))
        .select_related("contact")
        .order_by()
    )
)


def _talk_by_callers_id(account: Account, asked: Asked) -> Conversation | None:
    if not asked.conversation_id:
        return None
    return _talk_called.first(account=account.pk, external_id=asked.conversation_id)


def _goes_on(named: Conversation, asked: Asked) -> bool:
    """Whether the talk of this caller's own id is of the user they name: the usual case, in two queries.

    If not, it must be looked at more closely.
    """
    contact = named.contact
    is_of_agents = not named.brief.get("questions") and not named.pair_key
    if not is_of_agents or not contact.is_active or contact.erased_at is not None:
        return False
    _person(contact)
    return _is_called(contact, asked.user_id)


def _give_agent(conversation: Conversation, agents: Mapping[str, Persona]) -> None:
    """Its persona from those in memory; another one is read when it is asked for."""
    for persona in agents.values():
        if persona.pk == conversation.persona_id:
            conversation.persona = persona


def _store(received: Received, asked: Asked) -> Received:
    conversation, agents = received.conversation, received.agents
    choice = _choice(conversation, asked, agents)
    if choice is None:
        message, turn = turns.take(conversation, asked.message, asked.client_message_id)
        return replace(received, message=message, turn=turn)
    _assign(conversation, choice, agents)
    if routing.asks_a_model(choice, conversation.persona):
        message, is_new = talk.record_message(conversation, asked.message, asked.client_message_id)
        return replace(received, message=message, choice=choice if is_new else None, is_undecided=is_new)
    chosen = {"persona": conversation.persona, "routing": choice.to_json()}
    message, turn = turns.take(conversation, asked.message, asked.client_message_id, of_reply=chosen)
    return replace(received, message=message, turn=turn, choice=choice)


def _decided(received: Received, choice: Choice) -> Received:
    """The agent that a model chose takes the turn of the stored message."""
    _assign(received.conversation, choice, received.agents)
    turn = turns.begin_turn(received.message.pk)
    if not isinstance(turn, Turn):
        return replace(received, choice=choice)
    _note_agent(turn, choice)
    return replace(received, turn=turn, choice=choice)


def _note_agent(turn: Turn, choice: Choice) -> None:
    turn.reply.persona, turn.reply.routing = turn.persona, choice.to_json()
    Message.objects.filter(pk=turn.reply_id).update(persona=turn.persona, routing=turn.reply.routing)


def _known(conversation: Conversation, client_id: str | None) -> Message | None:
    return talk.of_client(conversation, client_id or None) if conversation.last_seq else None


# --- Who writes, and where --------------------------------------------------------------------


def _contact_of(account: Account, asked: Asked) -> Contact:
    """An unknown user id is a new contact's own id."""
    # Without one, clients of the documented API are known by their session.
    reference = asked.user_id or f"session-{asked.session_id}"
    return contacts.find_or_make(account, reference, source="chat")


def _person(contact: Contact) -> Person:
    contacts.prefetch_addresses(contact)
    return Person(
        contact, contacts.reference_of(contact), contacts.email_of(contact), contacts.phone_of(contact)
    )


def _is_called(contact: Contact, reference: str) -> bool:
    own = {row.value for row in contact.addresses.all() if row.kind == ContactAddress.Kind.EXTERNAL_ID}
    return reference.strip() in {*own, str(contact.pk)}


def _talk_of(
    contact: Contact, asked: Asked, agents: Mapping[str, Persona], named: Conversation | None
) -> Conversation:
    """`named` is the talk that has the caller's id as its own."""
    if asked.conversation_id:
        found = _named(contact, asked.conversation_id, named)
        return found or _new_talk(contact, asked, agents, key=uuid7(), external_id=asked.conversation_id)
    key = _key_of(contact, asked)
    for _talk in range(MOST_TALKS):
        found = Conversation.objects.filter(pk=key).first() if key else None
        if found is None:
            return _new_talk(contact, asked, agents, key=key or uuid7())
        is_put_away = not found.is_open or found.status == Conversation.Status.ARCHIVED  # POST /reset
        if not is_put_away or _known(found, asked.client_message_id):
            return found
        key = uuid5(found.pk, "after")  # the same again finds the same
    return _new_talk(contact, asked, agents, key=uuid7())


def _key_of(contact: Contact, asked: Asked) -> UUID | None:
    """The id of a talk that the caller gave no id: made from what they gave, so that the same finds it."""
    if asked.session_id:
        return uuid5(contact.pk, f"session {asked.session_id}")
    return uuid5(contact.pk, f"message {asked.client_message_id}") if asked.client_message_id else None


def _named(contact: Contact, called: str, found: Conversation | None) -> Conversation | None:
    """The contact's talk of this id, the caller's or ours. Raises NoSuchTalk for somebody else's."""
    if found is None and (key := contacts.uuid_of(called)) is not None:
        found = Conversation.objects.for_account(contact.account).filter(pk=key).first()
    if found is None or found.tried_out_by_id is not None:
        return None
    # The answers of an interview are given on its own page, where the person agreed to it; no agent speaks
    # in a chat with an influencer.
    if found.contact_id != contact.pk or found.brief.get("questions") or found.pair_key is not None:
        raise NoSuchTalk
    return found


_insert_talk = PreparedInsert(Conversation)


def _new_talk(
    contact: Contact, asked: Asked, agents: Mapping[str, Persona], *, key: UUID, external_id: str = ""
) -> Conversation:
    """A new talk under an id of our choosing. Raises IntegrityError when another caller begins it now."""
    # Mostly the one that `_choice` gives, so that nothing is left to be changed.
    persona = agents.get(routing.by_rules(asked.message).agent, agents[GENERAL])
    persona = persona if persona.status == Persona.Status.ACTIVE else agents[GENERAL]
    made = Conversation(
        id=key,
        account_id=contact.account_id,
        contact=contact,
        persona=persona,
        category=category_of(persona.slug),
        planner=PLANNER,
        brief={"language": contact.account.language, **({"by_staff": True} if asked.by_staff else {})},
        title=" ".join(asked.message.split())[:TITLE_CHARACTERS],
        channel=asked.channel,
        external_id=external_id,
    )
    _insert_talk(made)
    _note_beginning(made)
    return made


def _note_beginning(made: Conversation) -> None:
    ref = {"kind": "conversation", "id": str(made.pk), "conversation": str(made.pk)}
    title = _("Chat with an assistant")
    timeline.write(made.contact, "chat_started", title, direction="in", channel=made.channel, ref=ref)


def _keep_context(conversation: Conversation, context: Mapping[str, Any] | None) -> None:
    if not context or conversation.brief.get("context") == context:
        return
    conversation.brief = {**conversation.brief, "context": dict(context)}
    Conversation.objects.filter(pk=conversation.pk).update(brief=conversation.brief)


# --- Which agent ------------------------------------------------------------------------------


def _choice(conversation: Conversation, asked: Asked, agents: Mapping[str, Persona]) -> Choice | None:
    """None where nothing is to be chosen: staff speak, or the talk is with a persona that is no agent."""
    if asked.agent in agents:
        pin(conversation, agents[asked.agent])
    persona = conversation.persona
    if conversation.taken_over_by_id is not None or persona is None:
        return None
    if conversation.agent_is_pinned:
        return Choice(persona.slug, 1.0, "Staff chose this agent.", by="staff")
    if persona.slug not in agents:
        return None
    choice = routing.by_rules(asked.message, current=persona.slug if conversation.last_seq else "")
    if agents[choice.agent].status == Persona.Status.ACTIVE:
        return choice
    away = BY_SLUG[choice.agent].name
    return replace(choice, agent=GENERAL, reason=f"{choice.reason} The {away} is switched off.", is_sure=True)


def _assign(conversation: Conversation, choice: Choice, agents: Mapping[str, Persona]) -> None:
    """The chosen agent speaks from now on. A pin that staff set at this moment wins."""
    persona = agents.get(choice.agent)
    if persona is None or conversation.agent_is_pinned:
        return
    fields: dict[str, Any] = {}
    if conversation.persona_id != persona.pk:
        fields["persona"] = persona
    category = category_of(choice.agent)
    if conversation.category != category and agents_may_file(conversation):
        fields["category"] = category
    if not fields:
        return
    if Conversation.objects.filter(pk=conversation.pk, agent_is_pinned=False).update(**fields):
        for name, value in fields.items():
            setattr(conversation, name, value)


def pin(conversation: Conversation, persona: Persona) -> None:
    """Staff choose who answers in this talk; the rules leave it alone from now on."""
    if conversation.agent_is_pinned and conversation.persona_id == persona.pk:
        return
    fields: dict[str, Any] = {"persona": persona, "agent_is_pinned": True}
    if agents_may_file(conversation):
        fields["category"] = category_of(persona.slug)
    Conversation.objects.filter(pk=conversation.pk).update(**fields)
    for name, value in fields.items():
        setattr(conversation, name, value)


def unpin(conversation: Conversation) -> None:
    Conversation.objects.filter(pk=conversation.pk).update(agent_is_pinned=False)
    conversation.agent_is_pinned = False
