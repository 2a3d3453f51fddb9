"""By switch, what was said elsewhere is remembered: each conversation a document whose passages are turns."""

from django.conf import settings

from config.api.models import Account
from knowledge import ingestion
from knowledge.models import Collection, Document
from voice.models import ReceivedConversation
from voice.received_values import ReceivedTalk

ORIGIN = "received_conversation"
ORIGIN_LINK = "admin:voice_receivedconversation_change"
SLUG = "voice-conversations"


def remember(row: ReceivedConversation, talk: ReceivedTalk) -> None:
    """Gives the transcript to the knowledge when that is switched on. The same content is one document."""
    if not settings.VOICE_KNOWLEDGE or not talk.lines:
        return
    names = {"user": "Person", "agent": "Agent"}
    said = [f"{names[line.speaker]}: {line.text}" for line in talk.lines]
    sections = [
        ingestion.Section(text=text, locator={"messages": [number]})
        for number, text in enumerate(said, start=1)
    ]
    # The id is part of the content: two people may say the same words, and each is a document.
    content = "\n\n".join((f"Conversation {row.conversation_id}", *said))
    document = ingestion.add_document(
        collection_of(row.account),
        title=talk.title or f"Conversation {row.conversation_id}",
        filename=f"conversation-{row.pk}.txt",
        content=content.encode(),
        sections=sections,
        origin=ingestion.Origin(ORIGIN, str(row.pk), ORIGIN_LINK),
    )
    for earlier in documents_of(row):
        if earlier.pk != document.pk:
            ingestion.remove_document(earlier)


def documents_of(row: ReceivedConversation) -> list[Document]:
    rows = Document.objects.filter(collection__account=row.account_id, origin_kind=ORIGIN)
    return list(rows.filter(origin_id=str(row.pk)))


def collection_of(account: Account) -> Collection:
    collection, _made = Collection.objects.get_or_create(
        account=account,
        slug=SLUG,
        defaults={
            "name": "Voice conversations",
            "description": "What people said to voice agents, as their systems told us.",
            "embedding_provider": settings.EMBEDDING_PROVIDER,
        },
    )
    return collection
