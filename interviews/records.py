"""What is kept of an interview, read from its rows: a transcript for the PDF, sections for the knowledge."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.briefs import Brief, GivenAnswer, Said, answers
from crm.contacts import email_of
from crm.models import ContactAddress, Message
from crm.standing import said_to_staff, words_of_answer
from interviews.models import Answer, Interview
from interviews.progress import brief_of, talk_of
from interviews.redacting import NAME, Redactor
from interviews.transcripts import Answered, Spoken, Transcript, moment
from knowledge.ingestion import Section

READ = ("author", "text", "act", "question_key", "created_at")


def transcript_of(interview: Interview) -> Transcript:
    """`spoken` reads the messages as they are drawn, so a long talk is never in memory."""
    brief = brief_of(interview)
    with translation.override(brief.language):
        return Transcript(
            title=brief.guide_name or interview.guide.name,
            organisation=brief.organisation or interview.account.name,
            facts=tuple(_facts(interview, brief)),
            spoken=_spoken(interview, brief),
            answers=tuple(_answers(interview, brief)),
            language=brief.language,
            time_zone=interview.account.time_zone,
            page_size=interview.account.page_size,
            accent=interview.account.accent,
            reference=str(interview.pk),
            made_at=interview.completed_at or interview.invited_at,
        )


def person_of(interview: Interview) -> str:
    return interview.contact.name or _("Participant")


def _facts(interview: Interview, brief: Brief) -> Iterator[tuple[str, str]]:
    zone = interview.account.time_zone
    email = email_of(interview.contact)
    persona = interview.conversation.persona
    yield _("Person"), f"{person_of(interview)} · {email}" if email else person_of(interview)
    yield (
        _("Guide"),
        _("%(name)s, version %(version)s")
        % {"name": brief.guide_name or interview.guide.name, "version": interview.guide_version},
    )
    used = _models_used(interview)
    if persona is not None:
        words = _("%(name)s, an AI interviewer") if used else _("%(name)s, an automatic interviewer")
        yield _("Interviewer"), words % {"name": persona.name}
    yield _("Model"), used or _("No AI model was in use: the interviewer said the guide's own words.")
    if interview.started_at:
        yield _("Begun"), moment(interview.started_at, zone)
    if interview.started_at and interview.completed_at:
        yield _("Ended"), moment(interview.completed_at, zone)
        yield _("Duration"), _duration(interview.completed_at - interview.started_at)
    yield _("Consent"), _("Version %(version)s") % {"version": interview.consent_version}


def _models_used(interview: Interview) -> str:
    """Empty when no reply was worded by a model."""
    rows = Message.objects.filter(conversation_id=interview.conversation_id, author=Message.Author.PERSONA)
    used = sorted(set(rows.exclude(provider__in=["", "offline"]).values_list("provider", "model").order_by()))
    return ", ".join(f"{model} ({provider})" if model else provider for provider, model in used)


def _duration(length: timedelta) -> str:
    minutes = round(length.total_seconds() / 60)
    if not minutes:
        return _("Less than a minute")
    return ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}


def _spoken(interview: Interview, brief: Brief) -> Iterator[Spoken]:
    rows = Message.objects.filter(conversation_id=interview.conversation_id, state=Message.State.COMPLETE)
    person = person_of(interview)
    persona = interview.conversation.persona.name if interview.conversation.persona else _("Interviewer")
    speakers = {"person": person, "persona": persona, "staff": _("Team"), "system": _("Note")}
    opened: set[str] = set()
    for author, text, act, key, at in rows.order_by("seq").values_list(*READ).iterator(chunk_size=500):
        by_person = author == Message.Author.PERSON
        heading = ""
        if key and not by_person and key not in opened and (question := brief.question(key)):
            opened.add(key)
            heading = question.name
        note = _note(act, _name_of(brief, key)) if by_person else ""
        yield Spoken(speakers.get(author, author), at, text, by_person, note, heading)


def _name_of(brief: Brief, key: str) -> str:
    question = brief.question(key)
    return question.name if question else ""


def _note(act: str, topic: str) -> str:
    if act == "correct" and topic:
        return _("Corrects the answer to “%(topic)s”") % {"topic": topic}
    notes = {
        "skip": _("Skips this question"),
        "refuse": _("Would rather not answer"),
        "correct": _("Wants to correct an answer"),
        "back": _("Goes back to an earlier question"),
        "stop": _("Asks to stop"),
        "withheld": _("Withheld by the person"),
    }
    return notes.get(act, "")


def _answers(interview: Interview, brief: Brief) -> Iterator[Answered]:
    given = {answer.question_key: answer for answer in interview.answers.all()}
    for question in brief.questions:
        answer = given.get(question.key)
        if answer is None:
            yield Answered(question.text, "", _("Not reached"))
        else:
            yield Answered(question.text, answer.value, _answer_note(answer))


def _answer_note(answer: Answer) -> str:
    if answer.kind == Answer.Kind.SKIPPED:
        return _("Skipped")
    if answer.kind == Answer.Kind.REFUSED:
        return _("Would rather not say")
    if answer.kind == Answer.Kind.WITHHELD:
        return _("Withheld by the person")
    return _("Corrected") if answer.is_corrected else ""


def redactor_of(interview: Interview) -> Redactor | None:
    """None where the guide, as it was at Begin, does not ask for redaction before indexing."""
    if not interview.frozen_guide.get("redacts_personal_data"):
        return None
    addresses = interview.contact.addresses.all()
    emails = [address for address in addresses if address.kind == ContactAddress.Kind.EMAIL]
    return Redactor(
        names=[interview.contact.name],
        emails=[written for email in emails for written in (email.value, email.as_given)],
        phones=[address.value for address in addresses if address.kind == ContactAddress.Kind.PHONE],
        language=brief_of(interview).language,
    )


def indexed_name_of(interview: Interview) -> str:
    """The person as the knowledge names them."""
    redacts = interview.frozen_guide.get("redacts_personal_data")
    return NAME if redacts and interview.contact.name else person_of(interview)


def sections_of(interview: Interview) -> list[Section]:
    """One section per message that tells something, so that a citation opens that very message.

    Redacted where the guide asks for it: what becomes of them (passages, quotes, vectors, what models are
    sent) is made from these texts alone.
    """
    sections, redactor = _sections(interview), redactor_of(interview)
    if redactor is None:
        return sections
    return [replace(section, text=redactor.redact(section.text)) for section in sections]


def _sections(interview: Interview) -> list[Section]:
    brief, talk = brief_of(interview), talk_of(interview.conversation_id)
    asked = _asked_before(talk)
    by_seq = {said.seq: said for said in talk}
    with translation.override(brief.language):
        person = indexed_name_of(interview)
        sections = [
            _section(brief, given, by_seq[seq], asked=asked.get(seq, "") if number else "", person=person)
            for given in answers(brief, talk)
            if given.text
            for number, seq in enumerate(given.seqs)
        ]
        sections += [
            _to_staff(said, asked=asked.get(said.seq, ""), person=person) for said in said_to_staff(talk)
        ]
        nothing = _("%(name)s answered no question of “%(guide)s”.") % {
            "name": person,
            "guide": brief.guide_name,
        }
    return sections or [Section(text=nothing, locator={"messages": [1]})]


def _asked_before(talk: Sequence[Said]) -> dict[int, str]:
    """Seq of each message of the person → what was last said to them."""
    asked, latest = {}, ""
    for said in talk:
        if said.author == Message.Author.PERSON:
            asked[said.seq] = latest
        elif said.author != Message.Author.SYSTEM:
            latest = said.text
    return asked


def _to_staff(said: Said, *, asked: str, person: str) -> Section:
    """What was answered to staff who had taken the interview over."""
    answered = _("%(name)s answered: %(text)s") % {"name": person, "text": said.text}
    return Section(text=f"{asked}\n{answered}".strip(), locator={"messages": [said.seq]})


def _section(brief: Brief, given: GivenAnswer, said: Said, *, asked: str, person: str) -> Section:
    """`asked` is the follow-up that the message answers; empty for the guide's own question."""
    question = brief.question(given.question_key)
    words = asked or (question.text if question else given.question_key)
    heading = f"{question.topic}: {words}" if question and question.topic else words
    answered = _("%(name)s answered: %(text)s") % {"name": person, "text": words_of_answer(said)}
    return Section(text=f"{heading}\n{answered}", locator={"messages": [said.seq]})
