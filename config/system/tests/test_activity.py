"""Sessions, time and replies from rows of messages: pure arithmetic."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from config.system.activity import Row, of_accounts, of_contacts

ADA, BOB = UUID(int=1), UUID(int=2)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def said(minutes, *, contact=ADA, author="person", account=1, seconds=None, **fields):
    """A message so many minutes after noon; with `seconds` a reply that took as long."""
    at = NOON + minutes * MINUTE
    reply = {"reply_to": 1, "author": "persona"} if seconds is not None else {"author": author}
    values = {"reply_to": None, "attempts": 1, "provider": "", "agent": ""} | reply | fields
    ended = at + timedelta(seconds=seconds) if seconds is not None else None
    return Row(account=account, contact=contact, at=at, completed_at=ended, **values)


@pytest.mark.parametrize(
    ("minutes", "sessions", "seconds"),
    [
        ([0], 1, 0),
        ([0, 10, 20], 1, 20 * 60),
        ([0, 29.99], 1, 29.99 * 60),
        ([0, 30], 2, 0),
        ([0, 5, 100, 101, 300], 3, 6 * 60),
        ([0, 20, 40, 60], 1, 60 * 60),
    ],
)
def test_a_session_ends_with_a_gap_of_half_an_hour(minutes, sessions, seconds):
    found = of_contacts([said(minute) for minute in minutes], since=NOON)[ADA]
    assert (found.messages, found.sessions, found.session_milliseconds) == (
        len(minutes),
        sessions,
        round(seconds * 1000),
    )


def test_a_session_that_began_before_is_not_counted_again_and_its_gap_is_time_of_this_span():
    found = of_contacts([said(-10), said(5)], since=NOON)[ADA]
    assert (found.messages, found.sessions, found.session_milliseconds) == (1, 0, 15 * 60_000)


def test_spans_add_up_wherever_they_are_cut():
    rows = [said(minute) for minute in (0, 7, 8, 50, 61, 200, 229)]
    whole = of_contacts(rows, since=NOON)[ADA]
    for cut in range(1, 230):
        at = NOON + cut * MINUTE
        first = of_contacts([row for row in rows if row.at < at], since=NOON)[ADA]
        late = [row for row in rows if row.at >= at - timedelta(minutes=30)]
        first.add(of_contacts(late, since=at).get(ADA, type(first)()))
        assert first == whole


def test_people_do_not_share_sessions():
    found = of_contacts([said(0), said(1), said(0, contact=BOB), said(2, contact=BOB)], since=NOON)
    assert [(one.sessions, one.session_milliseconds) for one in found.values()] == [(1, 60_000), (1, 120_000)]


def test_the_time_of_a_repeated_reply_is_not_known():
    rows = [said(0, seconds=2, agent="a"), said(1, seconds=600, attempts=2, agent="a")]
    found = of_contacts(rows, since=NOON)[ADA]
    assert (found.replies, found.reply_milliseconds, found.agents["a"]) == (1, 2000, 2)


def test_only_a_model_counts_as_a_model():
    providers = ["", "offline", "openai", "gemini"]
    rows = [said(minute, seconds=1, provider=name) for minute, name in enumerate(providers)]
    found = of_contacts(rows, since=NOON)[ADA]
    assert (found.replies, found.model_replies, found.model_milliseconds) == (4, 2, 2000)


def test_a_greeting_is_no_reply():
    found = of_contacts([said(0, author="persona", agent="a")], since=NOON)[ADA]
    assert (found.messages, found.written, found.replies, found.agents.total()) == (1, 0, 0, 0)


def test_accounts_are_the_sums_of_their_people():
    rows = [said(0), said(1), said(0, contact=BOB, account=2)]
    found = of_accounts(of_contacts(rows, since=NOON).values())
    assert {account: one.messages for account, one in found.items()} == {1: 2, 2: 1}
