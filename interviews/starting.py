"""How an interview begins, and its moves up to the end: opened, begun, declined, expired, renewed."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from config.api.models import digest
from config.api.prepared import PreparedInsert
from crm import briefs, consent, talk, timeline
from crm.models import AccessLink, Contact, Conversation
from crm.models.consent import Purpose
from crm.models.contacts import Channel
from interviews.freezing import consent_mark, frozen_guide
from interviews.models import Guide, Interview, ProcessingStep

State = Interview.State
BEFORE_BEGIN = (State.INVITED, State.OPENED)
FINISHED = (State.COMPLETED, State.PROCESSED, State.FAILED)
QUIET_FOR = timedelta(days=7)  # then an interview counts as abandoned
PLANNER = "crm.briefs.plan"
NOT_BEGUN = "not begun"
_insert_talk = PreparedInsert(Conversation)
_insert_interview = PreparedInsert(Interview)
_insert_link = PreparedInsert(AccessLink)


class MoveRefused(Exception):  # noqa: N818
    """The interview is not in a state that allows this; the text is for people."""


class ConsentChanged(MoveRefused):
    """What the person read is not what they would agree to now."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """A new or renewed way in. The token is readable here and nowhere else."""

    interview: Interview
    token: str
    url: str


def url_of(token: str) -> str:
    return f"{settings.PUBLIC_BASE_URL}/i/{token}"


def invite(guide: Guide, contact: Contact, *, days: int | None = None) -> Invitation:
    return invite_many(guide, [contact], days=days)[0]


@transaction.atomic
def invite_many(
    guide: Guide, contacts: Sequence[Contact], *, days: int | None = None, now: datetime | None = None
) -> list[Invitation]:
    """One invitation per contact, in the same order, in three INSERTs for each 500 of them."""
    at = now or timezone.now()
    expires_at = at + timedelta(days=days or guide.link_days)
    talks = [_conversation(guide, contact, at=at) for contact in contacts]
    interviews = [
        Interview(
            account_id=guide.account_id,
            guide=guide,
            conversation=conversation,
            contact=conversation.contact,
            invited_at=at,
            expires_at=expires_at,
        )
        for conversation in talks
    ]
    links, tokens = [], []
    for conversation in talks:
        link, token = _link(conversation, expires_at=expires_at)
        links.append(link)
        tokens.append(token)
    _insert_talk.many(talks)
    _insert_interview.many(interviews)
    _insert_link.many(links)
    return [
        Invitation(interview, token, url_of(token))
        for interview, token in zip(interviews, tokens, strict=True)
    ]


def ways_in(interviews: Sequence[Interview]) -> list[Invitation]:
    """One more link to each of these interviews, as long-lived as theirs, in the same order.

    Links they have stay in force: a person may still open an earlier email. Read with their conversations.
    """
    links, tokens = [], []
    for interview in interviews:
        link, token = _link(interview.conversation, expires_at=interview.expires_at)
        links.append(link)
        tokens.append(token)
    _insert_link.many(links)
    return [
        Invitation(interview, token, url_of(token))
        for interview, token in zip(interviews, tokens, strict=True)
    ]


def _conversation(guide: Guide, contact: Contact, *, at: datetime) -> Conversation:
    if contact.account_id != guide.account_id:
        raise ValueError("A guide and its contacts belong to one account.")
    return Conversation(
        account_id=guide.account_id,
        contact=contact,
        persona_id=guide.persona_id,
        planner=PLANNER,
        title=guide.name[:200],
        channel=Channel.WEB,
        # Closed until Begin: whoever holds the link cannot talk before they agreed.
        state=Conversation.State.CLOSED,
        close_reason=NOT_BEGUN,
        last_activity_at=at,
    )


def _link(conversation: Conversation, *, expires_at: datetime | None) -> tuple[AccessLink, str]:
    token = secrets.token_urlsafe(32)
    link = AccessLink(
        account_id=conversation.account_id,
        purpose=AccessLink.Purpose.CONVERSATION,
        contact_id=conversation.contact_id,
        conversation=conversation,
        digest=digest(token),
        expires_at=expires_at,
    )
    return link, token


def mark_opened(interview_id: UUID) -> bool:
    """A hint that the link was opened; mail scanners do that too, so nothing follows from it."""
    return Interview.objects.filter(pk=interview_id).move(State.OPENED, since=[State.INVITED])


def begin(
    interview_id: UUID,
    *,
    consent_evidence: dict[str, Any],
    source: str = "landing page",
    agreed_to: str = "",
    with_greeting: bool = True,
    now: datetime | None = None,
) -> Interview:
    """The person agreed: freeze the guide, keep the consent, greet. Posted twice, it began once.

    Without a greeting, the reply to the person's first message greets. `agreed_to` is the mark of the consent
    that the person read; without one nothing is compared.
    Raises MoveRefused when the invitation ran out or the interview is over, ConsentChanged when they read
    another text, Interview.DoesNotExist.
    """
    at = now or timezone.now()
    with transaction.atomic():
        interview = _read(interview_id)
        if interview.has_begun and interview.state == State.STARTED:
            return interview
        _refuse_late(interview, at=at)
        if agreed_to and agreed_to != consent_mark(interview.guide):
            raise ConsentChanged(_("What you agree to has changed. Please read it again."))
        frozen = frozen_guide(interview.guide, seed=str(interview.pk), at=at)
        won = Interview.objects.filter(pk=interview.pk, frozen_guide={}).move(
            State.STARTED,
            since=[*BEFORE_BEGIN, State.DECLINED],
            at=at,
            frozen_guide=frozen,
            guide_version=interview.guide.version,
            consent_version=interview.guide.consent_version,
        )
        if won:
            _open_talk(interview, frozen, at=at)
            _keep_consent(interview, source=source, evidence=consent_evidence, at=at)
            if with_greeting:
                _greet(interview, frozen, at=at)
    interview.refresh_from_db()
    if interview.state != State.STARTED:
        raise MoveRefused(_("This interview cannot begin any more."))
    return interview


def _refuse_late(interview: Interview, *, at: datetime) -> None:
    if interview.state == State.EXPIRED or (interview.expires_at and interview.expires_at <= at):
        raise MoveRefused(_("This invitation has run out. Ask for a fresh link."))
    if interview.has_begun:
        raise MoveRefused(_("This interview has already been held."))


def _open_talk(interview: Interview, frozen: dict[str, Any], *, at: datetime) -> None:
    conversation = interview.conversation
    talk.reopen(conversation)
    Conversation.objects.filter(pk=conversation.pk).update(brief=frozen["brief"], last_activity_at=at)
    conversation.brief = frozen["brief"]
    _note(interview, "interview_started", f"Began the interview “{interview.guide.name}”", at=at)


def _keep_consent(interview: Interview, *, source: str, evidence: dict[str, Any], at: datetime) -> None:
    consent.record(
        interview.contact,
        Channel.WEB,
        Purpose.INTERVIEW,
        given=True,
        source=source,
        text_version=interview.guide.consent_version,
        evidence=evidence,
        at=at,
    )


def _greet(interview: Interview, frozen: dict[str, Any], *, at: datetime) -> None:
    with translation.override(interview.guide.language):
        plan = briefs.plan(briefs.Brief.from_json(frozen["brief"]), (), now=at)
    talk.say(interview.conversation, plan.say, plan=plan)


def decline(interview_id: UUID, *, now: datetime | None = None) -> Interview:
    """The person would rather not. Twice is once; they may change their mind while the link lives."""
    at = now or timezone.now()
    with transaction.atomic():
        interview = _read(interview_id)
        if Interview.objects.filter(pk=interview.pk).move(State.DECLINED, since=BEFORE_BEGIN, at=at):
            _note(interview, "interview_declined", f"Declined the interview “{interview.guide.name}”", at=at)
    interview.refresh_from_db()
    if interview.state != State.DECLINED:
        raise MoveRefused(_("This interview cannot be declined any more."))
    return interview


def call_off(interview_id: UUID, *, now: datetime | None = None) -> bool:
    """The account asks no more for an interview that has not begun. True for the caller that ended it."""
    at = now or timezone.now()
    with transaction.atomic():
        interview = _read(interview_id)
        if not Interview.objects.filter(pk=interview.pk).move(State.DECLINED, since=BEFORE_BEGIN, at=at):
            return False
        title = f"Called off the interview “{interview.guide.name}”"
        timeline.write(interview.contact, "interview_called_off", title, ref=interview.ref, at=at)
    return True


def another_invitation(interview: Interview) -> Invitation:
    """One more way in to an interview. One that ran out lives again."""
    if has_run_out(interview):
        return renew(interview.pk)
    return ways_in([interview])[0]


def reopen_for_correction(interview_id: UUID, *, now: datetime | None = None) -> Interview:
    """Open the talk again so that the person can correct an answer; what came of it is made anew at the end.

    Raises MoveRefused unless it is finished, and when the link has run out.
    """
    at = now or timezone.now()
    with transaction.atomic():
        interview = _read(interview_id)
        if interview.state == State.STARTED and interview.conversation.is_open:
            return interview
        if interview.expires_at and interview.expires_at <= at:
            raise MoveRefused(_("The time to correct answers has passed."))
        started_at = interview.started_at
        if not Interview.objects.filter(pk=interview.pk).move(
            State.STARTED, since=[*FINISHED, State.ABANDONED], at=started_at
        ):
            raise MoveRefused(_("There are no answers to correct."))
        talk.reopen(interview.conversation)
        ProcessingStep.objects.filter(interview=interview).update(
            state=ProcessingStep.State.WAITING, attempts=0, lease_until=None, error=""
        )
        _note(
            interview,
            "interview_reopened",
            f"Reopened the interview “{interview.guide.name}” to correct an answer",
        )
    interview.refresh_from_db()
    return interview


def renew(interview_id: UUID, *, days: int | None = None, now: datetime | None = None) -> Invitation:
    """A fresh link for the same interview; the earlier ones end. An expired invitation lives again."""
    at = now or timezone.now()
    with transaction.atomic():
        interview = _read(interview_id)
        expires_at = at + timedelta(days=days or interview.guide.link_days)
        AccessLink.objects.filter(
            conversation=interview.conversation, purpose=AccessLink.Purpose.CONVERSATION, revoked_at=None
        ).update(revoked_at=at)
        link, token = _link(interview.conversation, expires_at=expires_at)
        link.save(force_insert=True)
        Interview.objects.filter(pk=interview.pk).update(expires_at=expires_at)
        Interview.objects.filter(pk=interview.pk).move(
            State.INVITED, since=[State.EXPIRED], at=interview.invited_at
        )
    interview.refresh_from_db()
    return Invitation(interview, token, url_of(token))


def has_run_out(interview: Interview) -> bool:
    expires_at = interview.expires_at
    return interview.state == State.EXPIRED or (expires_at is not None and expires_at <= timezone.now())


def expire_due(*, now: datetime | None = None, limit: int = 500) -> int:
    """Close invitations whose time has passed. Returns how many."""
    at = now or timezone.now()
    return _each(Interview.objects.expired(at=at), limit, lambda interview: _expire(interview, at=at))


def abandon_quiet(*, now: datetime | None = None, limit: int = 500) -> int:
    at = now or timezone.now()
    quiet = Interview.objects.quiet(since=at - QUIET_FOR)
    return _each(quiet, limit, lambda interview: _abandon(interview, at=at))


def take_up_again(conversation_id: UUID | None = None, *, limit: int = 500) -> int:
    """Abandoned interviews whose person came back are under way again."""
    back = Interview.objects.back()
    if conversation_id is not None:
        back = back.filter(conversation_id=conversation_id)
    return _each(back, limit, _take_up)


def _each(rows: Iterable[Any], limit: int, move: Callable[[Interview], bool]) -> int:
    chosen = rows.select_related("guide", "contact", "conversation")[:limit]  # type: ignore[attr-defined, index]
    return sum(move(interview) for interview in chosen)


@transaction.atomic
def _expire(interview: Interview, *, at: datetime) -> bool:
    if not Interview.objects.filter(pk=interview.pk, expires_at__lte=at).move(
        State.EXPIRED, since=BEFORE_BEGIN, at=at
    ):
        return False
    _note(interview, "interview_expired", f"The invitation to “{interview.guide.name}” ran out", at=at)
    return True


@transaction.atomic
def _abandon(interview: Interview, *, at: datetime) -> bool:
    if not Interview.objects.filter(pk=interview.pk).move(State.ABANDONED, since=[State.STARTED], at=at):
        return False
    _note(interview, "interview_abandoned", f"Left the interview “{interview.guide.name}” unfinished", at=at)
    return True


def _take_up(interview: Interview) -> bool:
    # It began when it began: only the state goes back.
    moved = Interview.objects.filter(pk=interview.pk)
    return moved.move(State.STARTED, since=[State.ABANDONED], at=interview.started_at)


def _read(interview_id: UUID) -> Interview:
    found: Interview = Interview.objects.select_related("guide__account", "contact", "conversation").get(
        pk=interview_id
    )
    return found


def _note(interview: Interview, kind: str, title: str, *, at: datetime | None = None) -> None:
    timeline.write(
        interview.contact,
        kind,
        title,
        direction="in",
        channel=Channel.WEB,
        ref=interview.ref,
        at=at,
    )
