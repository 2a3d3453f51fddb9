"""The one table of words: our states, and what the documented marketing API calls them.

Words are compared by clients, so there are no others: 8 of an email, 5 of an interview, 4 of a chat session.
Keys are the values of the models' states, as text: this module stands below all of them. A test beside
each model holds the table to every state there is.
"""

PENDING, SENT, DELIVERED, OPENED, CLICKED = "pending", "sent", "delivered", "opened", "clicked"
BOUNCED, FAILED, EXHAUSTED = "bounced", "failed", "exhausted"
EMAIL_WORDS = (PENDING, SENT, DELIVERED, OPENED, CLICKED, BOUNCED, FAILED, EXHAUSTED)

NOT_STARTED, STARTED, COMPLETED, PROCESSED = "not started", "started", "completed", "processed"
INTERVIEW_WORDS = (NOT_STARTED, PENDING, STARTED, COMPLETED, PROCESSED)

ACTIVE = "active"
SESSION_WORDS = (ACTIVE, COMPLETED, PROCESSED, FAILED)
ENDED_SESSION = (COMPLETED,)

ROLES = ("user", "assistant")
TRANSCRIPT_TYPES = ("interview", "chat_session")
DIRECTIONS = ("out", "in")

MASK = "********"  # shown in place of a secret; sent back, it means the one that is stored

# What the OpenAPI document calls these sets.
SCHEMA_NAMES = {
    "EmailDirectionEnum": DIRECTIONS,
    "EmailWordEnum": EMAIL_WORDS,
    "InterviewWordEnum": INTERVIEW_WORDS,
    "EndedSessionEnum": ENDED_SESSION,
    "SpeakerEnum": ROLES,
    "TranscriptTypeEnum": TRANSCRIPT_TYPES,
}

# A recipient's place in the campaign. An invited one's word is that of the latest email.
RECIPIENT = {"waiting": PENDING, "invited": PENDING, "skipped": FAILED}

# One email. `unknown` may have arrived: it is held until a person, or a retry by the API, sends it again.
DELIVERY = {
    "queued": PENDING,
    "claimed": PENDING,
    "in_data": PENDING,
    "deferred": PENDING,
    "sent": SENT,
    "failed": FAILED,
    "unknown": FAILED,
    "cancelled": FAILED,
}

# What the person did with an email that was sent. Scanners open links too; only people press Begin.
AFTER_SENDING = {
    "invited": SENT,
    "opened": OPENED,
    "started": CLICKED,
    "completed": CLICKED,
    "processed": CLICKED,
    "declined": CLICKED,
    "abandoned": CLICKED,
    "expired": SENT,
    "failed": CLICKED,
}

# `failed` of ours is the processing: the talk was held to its end. Nothing more is asked of who declined.
INTERVIEW = {
    "invited": PENDING,
    "opened": PENDING,
    "started": STARTED,
    "abandoned": STARTED,
    "completed": COMPLETED,
    "failed": COMPLETED,
    "declined": COMPLETED,
    "processed": PROCESSED,
    "expired": NOT_STARTED,
}

SESSION = {
    "invited": ACTIVE,
    "opened": ACTIVE,
    "started": ACTIVE,
    "abandoned": ACTIVE,
    "completed": COMPLETED,
    "declined": COMPLETED,
    "expired": COMPLETED,
    "processed": PROCESSED,
    "failed": FAILED,
}

# A talk with an agent, which no interview belongs to.
AGENT_SESSION = {"open": ACTIVE, "closed": COMPLETED}

# Why a recipient gets no more emails. Empty: the word of their latest email stays.
STOPPED = {
    "replied": "",
    "completed": "",
    "declined": "",
    "expired": "",
    "unsubscribed": "",
    "bounced": BOUNCED,
    "complained": BOUNCED,
    "failed": FAILED,
    "suppressed": "",
    "taken_over": "",
    "staff": "",
    "max_emails": EXHAUSTED,
    "cancelled": "",
}

BOUNCES = frozenset({"hard_bounce", "complaint"})


def interview_word(state: str | None, *, is_requested: bool = False) -> str:
    """None is no interview. Requested: the account asked for it to start, the person has not begun."""
    if state is None:
        return NOT_STARTED
    word = INTERVIEW[state]
    return STARTED if word == PENDING and is_requested else word


def email_word(
    *,
    recipient: str,
    skip_reason: str = "",
    stop_reason: str = "",
    delivery: str | None = None,
    interview: str | None = None,
) -> str:
    """`delivery` is the state of the latest email, `interview` that of the interview it invites to."""
    if recipient == "skipped":
        return BOUNCED if skip_reason in BOUNCES else RECIPIENT[recipient]
    if stop_reason and STOPPED[stop_reason]:
        return STOPPED[stop_reason]
    # Who waits to be tried again has emails from before.
    if delivery is None or recipient == "waiting":
        return RECIPIENT[recipient]
    word = DELIVERY[delivery]
    return AFTER_SENDING[interview] if word == SENT and interview is not None else word
