"""The drill: a sender is killed ten times in a campaign of 10,000 emails, then told to stop, and ends it.

    python -m bench.sender_kills [--emails 10000] [--kills 10] [--lane sqlite|postgres]

Passes when nothing is lost, nothing arrives twice, at most one email per open connection is unknown at each
kill, and the campaign's state and counts are right. The server answers each command after 20 ms.
"""

import argparse
import random
import signal
import subprocess
import sys
import time

from bench.report import heading, settings, table
from bench.sending_house import LEASE, ended, house
from bench.smtp_sink import sink

CONNECTIONS = 50
DELAY = 0.02


def sender(place, server):
    child = place.start(
        "-m", "bench.sending_parts", "sender", str(server), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout.readline() == "ready\n"
    return child


def drilled(lane, *, emails, kills):
    with sink(DELAY) as server, house(lane, **LEASE) as place:
        made = place.part("prepare", emails, server.port, CONNECTIONS)
        place.part("invite", made["campaign"])
        waiting, unknown = [sender(place, made["server"])], []
        for number in range(1, kills + 1):
            # The next one loads while this one works.
            child = waiting.pop()
            go(child)
            waiting.append(sender(place, made["server"]))
            until = emails * number // (kills + 2)
            wait_for(server, until)
            time.sleep(random.uniform(0, 0.2))
            ended(child, signal.SIGKILL)
            unknown.append(place.part("figures", made["campaign"])["emails"].get("in_data", 0))
        told = finish(place, server, made, waiting.pop())
        said = place.part("addresses", made["campaign"])
        return told | {"at_kills": unknown, "sink": server.report(whole=True), "said": said}


def finish(place, server, made, child):
    """The last sender works till nothing is left; one SIGTERM in its midst must leave nothing unknown."""
    go(child)
    before = place.part("figures", made["campaign"])["emails"].get("unknown", 0)
    wait_for(server, server.report()["taken"] + 200, seconds=20)
    ended(child, signal.SIGTERM)
    after = place.part("figures", made["campaign"])["emails"]
    place.part("send", made["server"])
    stopped_clean = after.get("in_data", 0) + after.get("claimed", 0)
    return {
        "figures": place.part("figures", made["campaign"]),
        "left_by_sigterm": stopped_clean,
        "before": before,
    }


def go(child):
    child.stdin.write("go\n")
    child.stdin.flush()


def wait_for(server, count, *, seconds=60):
    deadline = time.monotonic() + seconds
    while server.report()["taken"] < count and time.monotonic() < deadline:
        time.sleep(0.05)


def judged(found, emails):
    """What must hold, each with what was seen."""
    rows, taken = found["figures"], found["sink"]
    sent, unknown = set(found["said"]), rows["emails"].get("unknown", 0)
    arrived = set(taken["recipients"])
    lost = emails - rows["emails"].get("sent", 0) - unknown
    return [
        ("lost", lost, lost == 0),
        ("said to be sent and not arrived", len(sent - arrived), not sent - arrived),
        ("arrived twice", taken["twice"], not taken["twice"]),
        ("unknown at each kill (connections)", found["at_kills"], max(found["at_kills"]) <= CONNECTIONS),
        ("unknown in the end", unknown, unknown == sum(found["at_kills"])),
        ("left in hand by SIGTERM", found["left_by_sigterm"], found["left_by_sigterm"] == 0),
        ("most connections at once", taken["most_at_once"], taken["most_at_once"] <= CONNECTIONS),
        ("the campaign is", rows["state"], rows["state"] == "finished"),
        ("counted as sent", rows["counted"], rows["counted"] == rows["emails"].get("sent", 0)),
        ("lines on timelines", rows["timeline"], rows["timeline"] == rows["emails"].get("sent", 0)),
    ]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--emails", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--lane", choices=["sqlite", "postgres"], default="sqlite")
    asked = parser.parse_args()
    heading(f"A sender killed {asked.kills} times in a campaign of {asked.emails:,} ({asked.lane})")
    settings(
        {"emails": asked.emails, "connections": CONNECTIONS, "seconds before each reply": DELAY, **LEASE}
    )
    results = judged(drilled(asked.lane, emails=asked.emails, kills=asked.kills), asked.emails)
    shown = [(what, str(seen), "passed" if is_right else "FAILED") for what, seen, is_right in results]
    table("Kills of the sender", ["what", "seen", ""], shown)
    sys.exit(not all(is_right for _what, _seen, is_right in results))


if __name__ == "__main__":
    main()
