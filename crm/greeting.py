"""How a chat with an influencer begins: with another greeting, as long as nothing else was said."""

from django.db import transaction
from django.db.models import QuerySet

from crm import filling
from crm.models import Contact, Conversation, Message
from personas.models import Persona


@transaction.atomic
def begin_otherwise(conversation: Conversation, persona: Persona, contact: Contact, *, number: int) -> bool:
    """The greeting that is there becomes the one of this number. False where the talk has gone on."""
    # A message that comes at this moment takes its number after this, or has it before.
    locked = Conversation.objects.select_for_update().get(pk=conversation.pk)
    greeting = filling.greeting_for(persona, contact, number=number)
    if locked.last_seq != 1 or not greeting:
        return False
    return bool(_greeting_of(conversation).update(text=greeting))


def next_number(persona: Persona, contact: Contact | None, conversation: Conversation | None) -> int | None:
    """Of the greeting after the one that is shown; None where there is no other, or the talk has gone on."""
    greetings = filling.greetings_for(persona, contact)
    if len(greetings) < 2:
        return None
    if conversation is None:
        return 1
    if conversation.last_seq != 1:
        return None
    shown = _greeting_of(conversation).values_list("text", flat=True).first()
    if shown is None:
        return None
    return (greetings.index(shown) + 1) % len(greetings) if shown in greetings else 0


def _greeting_of(conversation: Conversation) -> "QuerySet[Message]":
    return Message.objects.filter(
        conversation_id=conversation.pk, seq=1, author=Message.Author.PERSONA, reply_to=None
    )
