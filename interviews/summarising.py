"""A title, a line and a heading for a transcript, by which the documented lists of transcripts show it."""

from asgiref.sync import async_to_sync
from django.utils.text import Truncator

from crm import briefs
from interviews.models import Interview
from interviews.progress import brief_of, talk_of
from interviews.records import redactor_of
from personas import speaking

GENERAL = "General Discussion"
CATEGORIES = ("Case Studies", "Technical Documentation", "Thought Leadership", GENERAL)
NO_ANSWER = "No question was answered."
INSTRUCTION = "Under which heading does this interview belong?"
READ_CHARACTERS = 6_000  # of the answers; a heading needs no more


def summarise(interview: Interview) -> None:
    """Kept in the interview's row. Without a model, or when it is unsure, the heading is the general one."""
    brief = brief_of(interview)
    given = [
        answer.text for answer in briefs.answers(brief, talk_of(interview.conversation_id)) if answer.text
    ]
    Interview.objects.filter(pk=interview.pk).update(
        title=brief.guide_name[:200],
        subheading=_first_line(given),
        category=_category(interview, _for_a_model(interview, "\n\n".join(given))[:READ_CHARACTERS]),
    )


def _first_line(given: list[str]) -> str:
    """The person's own words: the longest of their answers says most."""
    return Truncator(max(given, key=len)).chars(200) if given else NO_ANSWER


def _for_a_model(interview: Interview, text: str) -> str:
    redactor = redactor_of(interview)
    return redactor.redact(text) if redactor else text


def _category(interview: Interview, text: str) -> str:
    persona = interview.conversation.persona
    if not text or not speaking.has_model(persona):
        return GENERAL
    found = async_to_sync(speaking.classify)(
        persona, INSTRUCTION, text, CATEGORIES, account=interview.account
    )
    return found or GENERAL
