"""A reply that is spoken and interrupted: what was not heard was not said."""

import re

from django.db import transaction

from crm.models import Message

# Of a reply; when less was heard, its question was not asked: what follows goes to the one before.
ASKED = 0.5
CUT = "…"  # ends what was cut, wherever the talk is shown
MOST_WORDS = 1_000


def heard_length(spoken: str, heard: str) -> int | None:
    """How many characters of `spoken` were heard, by the words of whoever played it.

    These may be spaced and pointed in another way, and may leave out what was played some sentences ago.
    None when they stand nowhere in it.
    """
    words = re.findall(r"\w+", heard)[:MOST_WORDS]
    if not words:
        return 0
    pattern = re.compile(r"\W*" + r"\W+".join(map(re.escape, words)), re.IGNORECASE)
    found = pattern.match(spoken) or max(pattern.finditer(spoken), key=lambda each: each.end(), default=None)
    return found.end() if found else None


def cut(text: str, characters: int) -> str:
    """What was heard of a text, marked as cut; the text itself when all of it was."""
    return text if characters >= len(text.rstrip(" .!?…")) else text[:characters].rstrip() + CUT


def cut_reply(message_id: int, *, characters: int, is_whole: bool) -> int | None:
    """Keeps of the reply to a message what was heard, and marks it. Gives its seq, None when nothing changed.

    `is_whole`: it was worded to its end before it was interrupted. Where too little was heard, the reply
    asks nothing, so that the person's next words belong to the question that they did hear.
    """
    with transaction.atomic():
        rows = Message.objects.filter(reply_to_id=message_id, state=Message.State.COMPLETE)
        reply = rows.select_for_update().first()
        heard = cut(reply.text, characters) if reply is not None else ""
        if reply is None or (is_whole and heard == reply.text):
            return None
        if not is_whole and not heard.endswith(CUT):
            heard += CUT
        plan, left = {**reply.plan, "interrupted": True}, {}
        if not plan.get("ends") and not (is_whole and characters >= ASKED * len(reply.text)):
            plan["choices"], left = [], {"act": "", "question_key": ""}
        rows.update(text=heard, plan=plan, **left)
        return int(reply.seq)
