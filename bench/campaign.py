"""A campaign of 10,000 personalised emails (text and HTML) through one SMTP server, 100 connections.

    python -m bench.campaign [sqlite] [postgres] [workers] [--emails 10000]

sqlite, postgres: the emails wait in rows; measured is from the first claim to the last row written, by one
sender, to a server that answers each command after 20 ms, and to one that answers at once. Baseline in the
same run: a loop that opens a connection for each email (smtplib, email.message), on fewer emails.

workers: PostgreSQL and Redis, a worker that invites and two that send, one of which is killed at random.
"""

import argparse
import random
import signal
import sys
import time

from bench.report import heading, ratio, settings, table
from bench.sending_house import LEASE, ended, house
from bench.smtp_sink import sink

CONNECTIONS = 100
DELAY = 0.02  # seconds before each reply
WANTED_PER_SECOND, WANTED_RATIO = 600, 50
LOOPED = {DELAY: 40, 0.0: 300}  # emails of the baseline


def measured(place, *, delay, emails, pipelining=False):
    with sink(delay, pipelining=pipelining) as server:
        looped = place.part("loop", server.port, LOOPED[delay])
        alone = LOOPED[delay] / looped["seconds"]
        made = place.part("prepare", emails, server.port, CONNECTIONS)
        invited = place.part("invite", made["campaign"])
        used = server.processor_seconds()
        sent = place.part("send", made["server"])
        used = server.processor_seconds() - used
        figures, taken = place.part("figures", made["campaign"]), server.report()
    check(figures, taken, emails=emails, looped=LOOPED[delay])
    return {
        "emails": sent["sent"],
        "emails/s": sent["sent"] / sent["seconds"],
        "loop": alone,
        "invited/s": emails / invited["seconds"],
        "sender": 1000 * sent["processor"] / emails,
        "sink": 1000 * used / emails,
        "size": taken["bytes"] / taken["taken"],
    }


def check(figures, taken, *, emails, looped=0):
    """The figures count only when everything was sent, once, and written down."""
    # A sender that ends its minute gives back what it claimed and did not begin: claimed again later.
    events = [min(figures["events"].get(kind, 0), emails) for kind in ("claimed",)]
    events += [figures["events"].get(kind, 0) for kind in ("queued", "in_data", "sent")]
    wanted = {
        "rows": (figures["emails"], {"sent": emails}),
        "events": (events, [emails] * 4),
        "timeline": (figures["timeline"] >= emails, True),
        "arrived": (taken["taken"], emails + looped),
        "state": (figures["state"], "finished"),
    }
    wrong = {what: pair for what, pair in wanted.items() if pair[0] != pair[1]}
    if wrong:
        sys.exit(f"Not everything was sent once and written down: {wrong}")


def by_one_sender(lane, emails):
    with house(lane) as place:
        rows = {
            "20 ms": measured(place, delay=DELAY, emails=emails),
            "20 ms, PIPELINING": measured(place, delay=DELAY, emails=emails // 4, pipelining=True),
            "at once": measured(place, delay=0.0, emails=emails // 4),
        }
    columns = [
        "server answers",
        "emails",
        "emails/s",
        "loop/s",
        "ratio",
        "sender ms CPU",
        "sink ms CPU",
        "invited/s",
    ]
    shown = [
        [
            name,
            row["emails"],
            row["emails/s"],
            row["loop"],
            row["emails/s"] / row["loop"],
            row["sender"],
            row["sink"],
            row["invited/s"],
        ]
        for name, row in rows.items()
    ]
    table(
        f"{lane}: emails of {rows['20 ms']['size']:,.0f} bytes, {CONNECTIONS} connections",
        columns,
        shown,
    )
    slow = rows["20 ms"]
    fast_enough = ratio(
        "emails a second, 20 ms", slow["emails/s"], 1, of="one email/s", target=WANTED_PER_SECOND
    )
    better = ratio("20 ms", slow["emails/s"], slow["loop"], of="the loop", target=WANTED_RATIO)
    ratio("at once", rows["at once"]["emails/s"], rows["at once"]["loop"], of="the loop")
    return fast_enough and better


def by_workers(emails):
    """From people who wait to a finished campaign, with one of the two sending workers killed on the way."""
    with house("postgres", redis=True, **LEASE) as place, sink(DELAY) as server:
        made = place.part("prepare", emails, server.port, CONNECTIONS)
        names = ["-n", "one@bench"], ["-n", "two@bench"], ["-n", "three@bench"]
        mail = [place.celery("worker", "-Q", "mail", "--pool=threads", "-c4", *name) for name in names[:2]]
        others = [
            place.celery("worker", "-Q", "default", "-c2", *names[2]),
            place.celery("beat", "--pidfile="),
        ]
        try:
            began = first_arrival(server)
            arrived_at_kill, victim = kill_one(mail, server, emails)
            figures = watched(place, server, made, emails)
            seconds = time.monotonic() - began
        finally:
            for process in (*mail, *others):
                if process.poll() is None:
                    ended(process)
        taken = server.report(whole=True)
        missing = set(place.part("addresses", made["campaign"])) - set(taken["recipients"])
    return outcome(figures, taken, emails, seconds, (arrived_at_kill, victim)) and not missing


def first_arrival(server):
    deadline = time.monotonic() + 120
    while not server.report()["taken"]:
        if time.monotonic() > deadline:
            sys.exit("No email arrived within two minutes.")
        time.sleep(0.05)
    return time.monotonic()


def kill_one(mail, server, emails):
    at, victim = random.randint(emails // 5, emails * 3 // 5), random.randrange(2)
    while server.report()["taken"] < at:
        time.sleep(0.05)
    ended(mail[victim], signal.SIGKILL)
    return at, victim


def watched(place, server, made, emails):
    """The rows once the campaign is finished."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        if server.report()["taken"] >= emails - CONNECTIONS:
            figures = place.part("figures", made["campaign"])
            if figures["state"] == "finished":
                return figures
        time.sleep(1)
    sys.exit(f"The campaign was not finished in time: {place.part('figures', made['campaign'])['emails']}")


def outcome(figures, taken, emails, seconds, kill):
    sent, unknown = figures["emails"].get("sent", 0), figures["emails"].get("unknown", 0)
    lost = emails - sent - unknown
    table(
        f"PostgreSQL, Redis, two sending workers; number {kill[1] + 1} killed after {kill[0]:,} arrivals",
        ["from the first arrival to finished", "seconds", "emails/s", "lost", "twice", "unknown"],
        [["", seconds, emails / seconds, lost, taken["twice"], unknown]],
    )
    return not (lost or taken["twice"] or unknown > CONNECTIONS)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=["sqlite", "postgres", "workers", []])
    parser.add_argument("--emails", type=int, default=10_000)
    asked = parser.parse_args()
    heading("Sending a campaign")
    settings({"emails": asked.emails, "connections": CONNECTIONS, "seconds before each reply": DELAY})
    reached = True
    for part in asked.parts or ["sqlite", "postgres", "workers"]:
        reached &= by_workers(asked.emails) if part == "workers" else by_one_sender(part, asked.emails)
    sys.exit(not reached)


if __name__ == "__main__":
    main()
