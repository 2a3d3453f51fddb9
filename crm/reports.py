"""A reply that a person reports: into the queue of staff, who keep it or remove it."""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.models import Contact, Conversation, Message, MessageReport

LONGEST_COMMENT = 500
State = MessageReport.State


class NotReportable(Exception):  # noqa: N818
    """There is no such reply in this chat; its text is for people."""


def report(
    conversation: Conversation, contact: Contact, seq: int, *, reason: str, comment: str = ""
) -> tuple[MessageReport, bool]:
    """The report, and whether it is new: the same reply reported again is the first report.

    Raises NotReportable.
    """
    rows = Message.objects.filter(conversation_id=conversation.pk, seq=seq, state=Message.State.COMPLETE)
    message = rows.exclude(author=Message.Author.PERSON).first()
    if message is None:
        raise NotReportable(_("Only a reply can be reported."))
    return MessageReport.objects.get_or_create(
        message=message,
        contact=contact,
        defaults={
            "account_id": conversation.account_id,
            "reason": reason,
            "comment": comment.replace("\x00", "").strip()[:LONGEST_COMMENT],
            "text": message.text,
        },
    )


def keep(row: MessageReport, *, by: str) -> bool:
    """The reply is fine, and is put back where it was removed. False when that was decided before."""
    return _decided(row, State.KEPT, by=by)


def remove(row: MessageReport, *, by: str) -> bool:
    """The reply is gone from the chat, and no model reads it again."""
    return _decided(row, State.REMOVED, by=by)


@transaction.atomic
def _decided(row: MessageReport, state: str, *, by: str) -> bool:
    others = MessageReport.objects.filter(pk=row.pk).exclude(state=state)
    if not others.update(state=state, decided_by=by[:150], decided_at=timezone.now()):
        return False
    is_removed = state == State.REMOVED
    if is_removed or row.state == State.REMOVED:
        text = _("[This message was removed.]") if is_removed else row.text
        Message.objects.filter(pk=row.message_id).update(text=text)
    return True
