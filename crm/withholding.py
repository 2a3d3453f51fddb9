"""One answer of a talk is taken out: its words go, its messages stay and say that the person withheld it."""

from collections.abc import Sequence

from django.db import transaction

from crm import talk
from crm.briefs import Brief, stand
from crm.frames import said_in
from crm.models import Conversation, Message, MessageVersion
from crm.standing import WITHHELD
from crm.wording import one, words_of

RULES_SPEAK = ("", "offline")  # providers of replies that no model worded


@transaction.atomic
def withhold(conversation: Conversation, question_key: str) -> bool:
    """Also of an answer that was corrected before. False when nothing of it is left: repeating is harmless.

    Raises TurnTaken while a reply is being written, which may be about these very words.
    """
    # A new message takes this row first: none comes in between.
    Conversation.objects.select_for_update().get(pk=conversation.pk)
    brief = Brief.from_json(conversation.brief)
    told = stand(brief, said_in(conversation)).told.get(question_key, [])
    seqs = [said.seq for said in told if said.act != WITHHELD]
    if not seqs:
        return False
    talk.refuse_while_answered(conversation)
    rows = Message.objects.filter(conversation_id=conversation.pk, seq__in=seqs)
    ids = list(rows.values_list("pk", flat=True))
    rows.update(text="", act=WITHHELD, question_key=question_key)
    MessageVersion.objects.filter(message__in=ids).delete()
    _say_plainly(brief, ids)
    return True


def _say_plainly(brief: Brief, ids: Sequence[int]) -> None:
    """What a model answered may repeat what it was told: the guide's own words take its place."""
    replies = Message.objects.filter(reply_to__in=ids).exclude(provider__in=RULES_SPEAK)
    for pk, key in replies.values_list("pk", "question_key"):
        question = brief.question(key)
        closing = brief.closing or one(words_of(brief.language), "closing")
        Message.objects.filter(pk=pk).update(text=question.text if question else closing)
