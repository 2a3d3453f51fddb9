"""When each person of a campaign would get which email, were it started now: by the rules, before any row.

A forecast for those who answer nothing: who replies, finishes or unsubscribes gets no more. What the
sender's own limits delay is not in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from campaigns import reasons, scheduling
from campaigns.models import Campaign, Recipient, Step
from campaigns.scheduling import Plan
from crm.contacts import email_of

MOST_EMAILS = 12  # forecast for one person; a repeated last step could go on for a thousand


@dataclass(frozen=True, slots=True)
class Forecast:
    """What one person will get and when, in `zone`; or why nothing. `times` begins with the invitation."""

    recipient: Recipient
    address: str
    zone: str
    times: list[tuple[Step | None, datetime]]
    reason: str = ""


def forecasts(
    campaign: Campaign, people: Sequence[Recipient], *, at: datetime, ahead: int = 0
) -> list[Forecast]:
    """For people in their order; `ahead` of the first of them so many others are invited before.

    Contacts and their addresses should be prefetched.
    """
    plan = scheduling.plan_of(campaign)
    against = reasons.against_inviting(campaign, [person.contact for person in people])
    found = []
    for person in people:
        reason = against.get(person.contact_id, "") or person.skip_reason
        begin = at + _days_later(plan, ahead)
        found.append(_of(person, plan, begin=begin, reason=reason))
        ahead += not reason
    return found


def _days_later(plan: Plan, ahead: int) -> timedelta:
    most = plan.rules.max_invitations_a_day
    return timedelta(days=ahead // most) if most else timedelta(0)


def _of(person: Recipient, plan: Plan, *, begin: datetime, reason: str) -> Forecast:
    contact = person.contact
    zone = plan.rules.zone_of(contact.time_zone)
    times = [] if reason else _times(person, plan, begin=begin)
    return Forecast(
        person, email_of(contact), zone.key, [(step, at.astimezone(zone)) for step, at in times], reason
    )


def _times(person: Recipient, plan: Plan, *, begin: datetime) -> list[tuple[Step | None, datetime]]:
    rules, time_zone = plan.rules, person.contact.time_zone
    at = scheduling.invitation_at(rules, added_at=person.created_at, now=begin, time_zone=time_zone)
    found: list[tuple[Step | None, datetime]] = [(None, at)]
    number = 1
    while len(found) < min(rules.max_emails or MOST_EMAILS, MOST_EMAILS):
        following = plan.following(number)
        if following is None:
            break
        at = scheduling.next_open(rules, at + plan.wait_before(following), rules.zone_of(time_zone))
        found.append((following.step, at))
        number = following.number + 1
    return found
