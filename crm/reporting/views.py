"""The SQL of the reporting views: chats with influencers as dashboards read them (docs/dashboards.md).

Names and columns are those that the persona API's original gives to its dashboards, with `account` before
them, the slug. Where that one adds up a talk's time once for each of its messages, these add it up once.
Messages count when they are whole. Days are UTC days.
"""

from dataclasses import dataclass

SCHEMA = "reporting"  # on PostgreSQL: who may read it sees nothing else


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the two databases say differently; each is text to be filled in."""

    prefix: str
    uuid: str  # the id as itself: on PostgreSQL a condition on it finds its index
    uuid_text: str
    day: str
    seconds: str
    recently: str
    keys: str


_DASHED = " || '-' || ".join(
    f"substr({{0}}, {start}, {length})" for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
)
SQLITE = Dialect(
    prefix="",
    uuid=_DASHED,
    uuid_text=_DASHED,
    day="date({0})",
    seconds="(julianday({1}) - julianday({0})) * 86400.0",
    recently="datetime('now', '-30 days')",
    keys="json_group_array({0})",
)
POSTGRESQL = Dialect(
    prefix=f"{SCHEMA}.",
    uuid="{0}",
    uuid_text="{0}::text",
    day="({0} AT TIME ZONE 'UTC')::date",
    seconds="extract(epoch FROM {1} - {0})",
    recently="now() - interval '30 days'",
    keys="json_agg({0})::text",
)
DIALECTS = {"sqlite": SQLITE, "postgresql": POSTGRESQL}

# Later ones may read earlier ones: they are made in this order and dropped in the other.
NAMES = (
    "v_user_conversation_summary",
    "v_conversation_threads",
    "v_bot_performance",
    "v_user_engagement",
    "v_daily_activity",
    "v_recent_activity",
)

# The user's id is what their tokens call them. A contact that has none is called by its own id.
CHATS = """
    SELECT t.id, a.slug AS account, t.contact_id, t.persona_id, t.created_at, t.last_activity_at,
        COALESCE(
            (SELECT x.value FROM crm_contactaddress x
             WHERE x.contact_id = t.contact_id AND x.kind = 'external_id'
             ORDER BY x.is_primary DESC, x.id LIMIT 1),
            {contact_as_text}
        ) AS user_id
    FROM crm_conversation t JOIN api_account a ON a.id = t.account_id
    WHERE t.pair_key IS NOT NULL
"""
# Of each chat, once: what is added up over chats later is not multiplied by their messages.
SPOKEN = """
    SELECT m.conversation_id, MIN(m.created_at) AS first_at, MAX(m.created_at) AS last_at,
        COUNT(*) AS messages, COUNT(DISTINCT {day}) AS days,
        SUM(CASE WHEN m.author = 'person' THEN 1 ELSE 0 END) AS of_user
    FROM crm_message m JOIN crm_conversation t ON t.id = m.conversation_id
    WHERE t.pair_key IS NOT NULL AND m.state = 'complete' {only}
    GROUP BY m.conversation_id
"""
SUMMARY = """
SELECT c.account, c.user_id, {influencer} AS influencer_id, p.name AS bot_name, p.slug AS bot_slug,
    p.category AS bot_category, {chat} AS conversation_id, c.created_at AS conversation_started_at,
    s.first_at AS first_message_at, s.last_at AS last_message_at, c.last_activity_at AS last_seen,
    ROUND(COALESCE({seconds}, 0) / 60, 2) AS time_spent_minutes,
    ROUND(COALESCE({seconds}, 0) / 3600, 2) AS time_spent_hours,
    ROUND(COALESCE({seconds}, 0), 0) AS time_spent_seconds,
    COALESCE(s.messages, 0) AS message_count, COALESCE(s.days, 0) AS active_days,
    COALESCE(s.of_user, 0) AS user_message_count,
    COALESCE(s.messages - s.of_user, 0) AS assistant_message_count
FROM ({chats}) c JOIN personas_persona p ON p.id = c.persona_id
LEFT JOIN ({spoken}) s ON s.conversation_id = c.id
"""
THREADS = """
SELECT c.account, c.user_id, {influencer} AS influencer_id, p.name AS bot_name, p.slug AS bot_slug,
    {chat} AS conversation_id, m.id AS message_id,
    CASE WHEN m.author = 'person' THEN 'user' ELSE 'assistant' END AS role,
    m.text AS content, m.type AS message_type, {pictures} AS media_urls, {recording} AS audio_url,
    {recorded_seconds} AS audio_duration_seconds, m.completion_tokens AS token_count,
    m.created_at AS message_timestamp, c.created_at AS conversation_started_at,
    c.last_activity_at AS conversation_last_seen, m.seq AS message_sequence
FROM ({chats}) c JOIN personas_persona p ON p.id = c.persona_id
JOIN crm_message m ON m.conversation_id = c.id AND m.state = 'complete'
"""
BOTS = """
SELECT a.slug AS account, {influencer} AS influencer_id, p.name AS bot_name, p.slug AS bot_slug,
    p.category AS bot_category, p.status AS is_active, COUNT(c.id) AS total_conversations,
    COUNT(DISTINCT c.contact_id) AS unique_users, COALESCE(SUM(s.messages), 0) AS total_messages,
    ROUND(COALESCE(AVG(CASE WHEN c.id IS NOT NULL THEN COALESCE({seconds}, 0) END), 0) / 60, 2)
        AS avg_time_spent_minutes,
    ROUND(COALESCE(SUM({seconds}), 0) / 60, 2) AS total_time_spent_minutes,
    ROUND(COALESCE(AVG(CASE WHEN c.id IS NOT NULL THEN COALESCE(s.messages, 0) END), 0), 2)
        AS avg_messages_per_conversation,
    MAX(c.created_at) AS most_recent_conversation, MIN(c.created_at) AS first_conversation
FROM personas_persona p JOIN api_account a ON a.id = p.account_id
LEFT JOIN crm_conversation c ON c.persona_id = p.id AND c.pair_key IS NOT NULL
LEFT JOIN ({spoken}) s ON s.conversation_id = c.id
WHERE p.kind = 'influencer'
GROUP BY a.slug, p.id, p.public_id, p.name, p.slug, p.category, p.status
"""
USERS = """
SELECT u.account, u.user_id, u.total_conversations, u.bots_interacted_with, u.total_messages,
    u.first_conversation, u.last_activity, u.total_time_spent_minutes,
    u.avg_time_spent_per_conversation_minutes, u.avg_messages_per_conversation,
    COALESCE(d.days, 0) AS active_days
FROM (
    SELECT c.account, c.user_id, c.contact_id, COUNT(*) AS total_conversations,
        COUNT(DISTINCT c.persona_id) AS bots_interacted_with,
        COALESCE(SUM(s.messages), 0) AS total_messages, MIN(c.created_at) AS first_conversation,
        MAX(c.last_activity_at) AS last_activity,
        ROUND(COALESCE(SUM({seconds}), 0) / 60, 2) AS total_time_spent_minutes,
        ROUND(AVG(COALESCE({seconds}, 0)) / 60, 2) AS avg_time_spent_per_conversation_minutes,
        ROUND(AVG(COALESCE(s.messages, 0)), 2) AS avg_messages_per_conversation
    FROM ({chats}) c LEFT JOIN ({spoken}) s ON s.conversation_id = c.id
    GROUP BY c.account, c.user_id, c.contact_id
) u
LEFT JOIN (
    SELECT t.contact_id, COUNT(DISTINCT {day}) AS days
    FROM crm_message m JOIN crm_conversation t ON t.id = m.conversation_id
    WHERE t.pair_key IS NOT NULL AND m.state = 'complete'
    GROUP BY t.contact_id
) d ON d.contact_id = u.contact_id
"""
DAYS = """
SELECT a.slug AS account, {day} AS activity_date, COUNT(DISTINCT t.contact_id) AS unique_users,
    COUNT(DISTINCT t.id) AS active_conversations, COUNT(*) AS total_messages,
    COUNT(DISTINCT t.persona_id) AS active_bots,
    SUM(CASE WHEN m.author = 'person' THEN 1 ELSE 0 END) AS user_messages,
    SUM(CASE WHEN m.author = 'person' THEN 0 ELSE 1 END) AS assistant_messages
FROM crm_message m JOIN crm_conversation t ON t.id = m.conversation_id
JOIN api_account a ON a.id = t.account_id
WHERE t.pair_key IS NOT NULL AND m.state = 'complete'
GROUP BY a.slug, {day}
"""
RECENT = """
SELECT c.account, c.user_id, p.name AS bot_name, {chat} AS conversation_id, s.last_at AS last_message_at,
    c.last_activity_at AS last_seen, s.messages AS messages_in_period,
    ROUND({seconds} / 60, 2) AS time_spent_minutes
FROM ({chats}) c JOIN personas_persona p ON p.id = c.persona_id
JOIN ({recently_spoken}) s ON s.conversation_id = c.id
"""
TEXTS = dict(zip(NAMES, (SUMMARY, THREADS, BOTS, USERS, DAYS, RECENT), strict=True))


def _files(expression: str, kind: str) -> str:
    """Of a message's files of one kind; their names in the storage open nothing."""
    return (
        f"(SELECT {expression} FROM crm_message_media l JOIN crm_mediafile f ON f.id = l.mediafile_id"  # noqa: S608 (our own words)
        f" WHERE l.message_id = m.id AND f.kind = '{kind}')"
    )


def _parts(dialect: Dialect) -> dict[str, str]:
    day = dialect.day.format("m.created_at")
    of_chat = {"day": day, "contact_as_text": dialect.uuid_text.format("t.contact_id")}
    return {
        "day": day,
        "seconds": dialect.seconds.format("s.first_at", "s.last_at"),
        "chat": dialect.uuid.format("c.id"),
        "influencer": f"COALESCE(p.public_id, {dialect.uuid_text.format('p.id')})",
        "pictures": _files(dialect.keys.format("f.file"), "image"),
        "recording": _files("MAX(f.file)", "audio"),
        "recorded_seconds": _files("MAX(f.duration_seconds)", "audio"),
        "chats": CHATS.format(**of_chat),
        "spoken": SPOKEN.format(only="", **of_chat),
        "recently_spoken": SPOKEN.format(only=f"AND m.created_at >= {dialect.recently}", **of_chat),
    }


def view_name(vendor: str, name: str) -> str:
    return DIALECTS[vendor].prefix + name


def statements(vendor: str) -> dict[str, str]:
    """CREATE VIEW of each, by name, in the order in which they are made."""
    parts = _parts(DIALECTS[vendor])
    return {
        name: f"CREATE VIEW {view_name(vendor, name)} AS {TEXTS[name].format(**parts).strip()}"
        for name in NAMES
    }
