"""What the recipient's pages show, read from rows: for a first load, as JSON, and without JavaScript."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from crm import frames
from crm.models import Message
from crm.phone_talks import OFF_PHONE, ON_PHONE, phone_talks
from crm.wording import begins_with_thanks
from interviews.freezing import consent_mark
from interviews.models import Interview
from interviews.progress import brief_of, progress_of, told_by
from personas import speaking

State = Interview.State
PAGE = 50  # messages
NEWEST = 2**31 - 1  # above every seq
JUST_ENDED = timedelta(hours=1)
THEMES = ("light", "dark")
THEME_COOKIE = "rapport_theme"


def theme_of(request: HttpRequest) -> str:
    """What the switch was set to; empty follows the device."""
    chosen = request.COOKIES.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else ""


def frame_of_page(request: HttpRequest, interview: Interview) -> dict[str, Any]:
    """What every page of an interview needs."""
    persona = interview.conversation.persona
    return {
        "interview": interview,
        "conversation_id": str(interview.conversation_id),
        "guide": interview.guide,
        "consent_text": interview.frozen_guide.get("consent_text") or interview.guide.consent_text,
        "consent_mark": consent_mark(interview.guide),
        "organisation": interview.account.name,
        "privacy_contact": interview.account.privacy_contact,
        "accent": interview.account.accent.removeprefix("#").lower(),
        "interviewer": persona.name if persona else _("The interviewer"),
        "offline": not speaking.has_model(persona),
        "theme": theme_of(request),
        "day_format": pgettext("a day, as Django's date filter writes it", "j F Y"),
        "note": note_for(request.GET.get("note", "")),
    }


def note_for(code: str) -> str:
    """One line after a form came back; only our own words, whatever the address says."""
    notes = {
        "empty": _("Write something first."),
        "long": _("That is more than fits in one message. Please shorten it."),
        "busy": _("The last message is still being answered. Please wait a moment, then send again."),
        "waits": _("The last message is still being answered. Please wait a moment, then try again."),
        "ended": _("This interview has ended."),
        "fast": _("That was very fast. Please wait a few seconds and send again."),
        "failed": _("The answer could not be written. Your message is kept; please try again."),
        "refused": _("This is not possible any more."),
        "changed": _("What you agree to has changed since you opened this page. Please read it again."),
        **_phone_notes(),
    }
    return notes.get(code, "")


def _phone_notes() -> dict[str, str]:
    return {
        "calling": _("Your phone rings in a moment. You can go on here at any time."),
        "call-agree": _("Please tick that you agree to be called."),
        "call-number": _("This is no phone number that can be called. Write it with its country code: +49 …"),
        "call-blocked": _("This number must not be called."),
        "call-often": _("You were called often enough this week. Please go on here."),
        "call-hours": _("We call in the daytime only. Please go on here, or try again then."),
        "call-running": _("We are calling you already. Please try again after that call."),
        "call-failed": _("We could not call you. Please go on here, or try again later."),
    }


def talk_values(interview: Interview) -> dict[str, Any]:
    rows = frames.messages_before(interview.conversation_id, NEWEST, limit=PAGE)
    shown = [message for message in rows if message.state != Message.State.STREAMING]
    # That a part of the talk was spoken changes nothing about what is being asked.
    last = next((one for one in reversed(shown) if one.act not in (ON_PHONE, OFF_PHONE)), None)
    waits = last is not None and last.author == Message.Author.PERSON and not _is_taken_over(interview)
    return {
        "messages": shown,
        "has_earlier": bool(rows) and rows[0].seq > 1,
        "last_seq": _settled_seq(shown),
        "choices": _choices(last),
        "asks_date": _asks_date(interview, last),
        "is_written": len(shown) < len(rows) or waits,
        "progress": progress_of(interview),
        "words": words_for_script(interview),
        "fresh_id": str(uuid4()),
        **_phone_values(interview),
    }


def _phone_values(interview: Interview) -> dict[str, Any]:
    """What the page of the chat says of the phone. One query, none where nobody can be called."""
    talks = phone_talks()
    is_offered = talks.is_offered(interview.guide.language)
    is_on_phone = is_offered and talks.is_under_way(interview.conversation_id)
    return {"may_be_called": is_offered and not is_on_phone, "is_on_phone": is_on_phone}


def _is_taken_over(interview: Interview) -> bool:
    """Staff speak, and the interviewer answers nothing."""
    return interview.conversation.taken_over_by_id is not None


def _settled_seq(shown: list[Message]) -> int:
    """The script asks for what came after; a failed reply is told again, so that it can be retried."""
    settled = [message.seq for message in shown if message.state == Message.State.COMPLETE]
    return settled[-1] if settled else 0


def _choices(last: Message | None) -> list[str]:
    if last is None or last.author != Message.Author.PERSONA or last.state != Message.State.COMPLETE:
        return []
    return [str(choice) for choice in (last.plan or {}).get("choices", [])]


def _asks_date(interview: Interview, last: Message | None) -> bool:
    if last is None or last.author != Message.Author.PERSONA or not interview.has_begun:
        return False
    question = brief_of(interview).question(last.question_key)
    return question is not None and question.kind == "date"


def date_questions(interview: Interview) -> list[str]:
    return [question.key for question in brief_of(interview).questions if question.kind == "date"]


def earlier_messages(interview: Interview, before: int) -> dict[str, Any]:
    rows = frames.messages_before(interview.conversation_id, before, limit=PAGE)
    return {
        "messages": [frames.message_frame(row) for row in rows if row.state != Message.State.STREAMING],
        "has_earlier": bool(rows) and rows[0].seq > 1,
    }


def answers_values(interview: Interview) -> dict[str, Any]:
    ended_at = interview.completed_at or interview.conversation.closed_at
    expires_at = interview.expires_at
    ended_early = interview.conversation.close_reason != "completed"
    closing = "" if ended_early else brief_of(interview).closing
    return {
        "told": told_by(interview),
        "closing": closing,
        "ended_early": ended_early,
        "closing_thanks": begins_with_thanks(closing),
        "is_fresh": ended_at is None or timezone.now() - ended_at < JUST_ENDED,
        "may_correct": expires_at is None or expires_at > timezone.now(),
        "pdf": pdf_values(interview),
        "words": {"ready": _("The transcript is ready."), "late": pdf_words("late")},
    }


def answers_so_far(interview: Interview) -> dict[str, Any]:
    """While the talk goes on: of what was asked already. The guide's other questions are not told ahead."""
    return {"told": [one for one in told_by(interview) if one.kind], "may_correct": True}


def pdf_values(interview: Interview) -> dict[str, Any]:
    """`state`: ready, failed, or working."""
    if interview.pdf.name:
        return {"state": "ready", "pages": interview.pdf_pages}
    return {"state": "failed" if interview.state == State.FAILED else "working", "pages": None}


def pdf_words(state: str) -> str:
    return {
        "late": _("It takes longer than usual. You can come back later with the same link."),
    }.get(state, "")


def status_values(interview: Interview) -> dict[str, Any]:
    progress = progress_of(interview)
    return {
        "state": interview.state,
        "conversation": interview.conversation.state,
        "progress": asdict(progress),
        "pdf": pdf_values(interview),
    }


def act_words() -> dict[str, str]:
    """What a button says in the person's name."""
    return {
        "skip": _("Please skip this question."),
        "refuse": _("I'd rather not say."),
        "repeat": _("Please ask me again."),
        "back": _("Please go back."),
        "stop": _("I'd like to stop here."),
    }


def words_for_script(interview: Interview) -> dict[str, Any]:
    """All that the page's script says or needs to know."""
    persona = interview.conversation.persona
    return {
        "conversation": str(interview.conversation_id),
        "interviewer": persona.name if persona else _("The interviewer"),
        "language": interview.guide.language,
        "dates": date_questions(interview),
        "takenOver": _is_taken_over(interview),
        "acts": act_words(),
        "you": pgettext("the person's own messages", "You"),
        "staff": _("Team"),
        "system": _("Note"),
        "sending": _("Sending"),
        "notSent": _("Not sent."),
        "tryAgain": _("Try again"),
        "writing": _("%(name)s is writing") % {"name": persona.name if persona else _("The interviewer")},
        "stillWriting": _("The reply is still being written. You can send when it is done."),
        "connecting": _("Connecting. Your words wait here."),
        "offline": _("You are offline. Your words wait here."),
        "back": _("Connected again."),
        "linkEnded": _("This link has run out. Reload the page to ask for a fresh one."),
        "withheld": _("You withheld this answer."),
        "noReply": _("There is no answer yet."),
        "progress": _("{answered} of {total}"),
        "counter": _("{left} characters left"),
        "tooMany": _("{over} characters too many"),
        "choices": _("Answers to choose from"),
        "date": _("Choose a date"),
        "useDate": _("Use this date"),
        "ended": _("The interview has ended. Thank you."),
        "longest": 4_000,
    }
