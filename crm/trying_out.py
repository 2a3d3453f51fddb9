"""Staff talk with a persona's draft, by the same reply as everybody's: one talk for each of them and persona.

Such a talk is in no list and no figure; what its model costs is counted, because it is paid.
"""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from crm import contacts, filling, talk, turns
from crm.assistant_values import external_id_of, own_contact
from crm.models import Conversation, Message
from crm.turns import Turn
from personas import drafts
from personas.models import Persona

SPEAKS_FOR_ITSELF = "crm.persona_plan.plan"
PLANNERS = {Persona.Kind.ASSISTANT: "crm.agents_plan.plan"}
MAY = "personas.change_persona"
SHOWN = 100  # messages


def may_try_out(user: Any) -> bool:
    return bool(user.is_active and user.is_staff and user.has_perm(MAY))


def persona_for(user: Any, persona_id: UUID) -> Persona | None:
    """None for whoever may not, and for a persona that is not there."""
    if not may_try_out(user):
        return None
    found: Persona | None = Persona.objects.select_related("account").filter(pk=persona_id).first()
    return found


def talk_of(user: Any, persona: Persona) -> Conversation | None:
    rows: QuerySet[Conversation] = Conversation.objects.filter(persona=persona, tried_out_by=user)
    return rows.select_related("contact", "account").first()


def latest(conversation: Conversation | None) -> list[Message]:
    if conversation is None:
        return []
    rows = Message.objects.filter(conversation=conversation).select_related("reply_to").order_by("-seq")
    return list(rows[:SHOWN])[::-1]


def receive(
    user: Any, persona: Persona, text: str, client_message_id: str | None
) -> tuple[Message, Turn | None]:
    """One piece of database work: what was said, stored, and its turn. Raises what turns.take raises."""
    content = drafts.content_to_be(persona)
    conversation = talk_of(user, persona) or _begun(user, persona, content)
    # What is tried out is the draft as it is now, also when it was changed in the middle of the talk.
    conversation.brief = {**conversation.brief, "language": content["language"], "draft": content}
    Conversation.objects.filter(pk=conversation.pk).update(brief=conversation.brief)
    conversation.persona = persona
    return turns.take(conversation, text, client_message_id)


@transaction.atomic
def _begun(user: Any, persona: Persona, content: dict[str, Any]) -> Conversation:
    # Two clicks at once take turns, so that there is one talk.
    Persona.objects.select_for_update().get(pk=persona.pk)
    found = talk_of(user, persona)
    if found is not None:
        return found
    contact = own_contact(persona.account, user)
    if contact is None:
        name = user.get_full_name() or user.get_username()
        reference = external_id_of(user)
        contact, _made = contacts.resolve(persona.account, external_id=reference, name=name, source="try-out")
    made = Conversation.objects.create(
        account=persona.account,
        contact=contact,
        persona=persona,
        planner=PLANNERS.get(Persona.Kind(persona.kind), SPEAKS_FOR_ITSELF),
        title=persona.name[:200],
        tried_out_by=user,
    )
    if greeting := filling.greeting_for(drafts.with_content(persona, content), contact):
        talk.say(made, greeting)
    return made


def forget(user: Any, persona: Persona) -> bool:
    """The next message begins a new talk."""
    return Conversation.objects.filter(persona=persona, tried_out_by=user).delete()[0] > 0
