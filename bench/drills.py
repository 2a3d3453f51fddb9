"""The drills: what must survive, tried for real, and one table of what came of it.

    python -m bench.drills [email|backup …]     (`make drill-email`, `make drill-backup`; `make drill`: all)

Faults of a server and of its network are tests against a server that speaks SMTP; here they are run and
shown by fault. Kills of a sender are a campaign of 10,000 emails (bench/sender_kills.py).
"""

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from bench.report import table

ROOT = Path(__file__).resolve().parent.parent
TESTS = "campaigns/tests"
# Fault → file and the beginnings of the names of the tests that show it.
EMAIL = {
    "drop after the dot, before DATA, at RCPT; 450, 451, 550, 552; silence": (
        "test_sending.py",
        ["test_a_fault_leaves_the_email_in_the_right_state"],
    ),
    "450 then 250 (greylisting)": ("test_sending.py", ["test_a_deferred_email_waits"]),
    "421, also after 50 emails": ("test_sending.py", ["test_a_421_recycles", "test_after_fifty"]),
    "535: the server rests, not its recipients": ("test_sending.py", ["test_a_refused_login"]),
    "a greeting that never comes, a byte a while": (
        "test_sending.py",
        ["test_replies_that_drip_in", "test_a_silent_greeting"],
    ),
    "… and other accounts meanwhile": ("test_killed_senders.py", ["test_others_are_not_held_up"]),
    "broken off in mid-email": (
        "test_smtp_connection.py",
        ["test_an_email_that_never_left_whole", "test_a_server_that_answers_in_mid_email"],
    ),
    "a certificate that does not hold": ("test_real_smtp.py", ["test_a_certificate", "test_an_authority"]),
    "too many errors in a row": ("test_sending.py", ["test_too_many_errors"]),
    "SIGTERM of the sender": ("test_killed_senders.py", ["test_a_sender_told_to_stop"]),
    "two senders on one campaign": ("test_killed_senders.py", ["test_two_senders_at_once"]),
    "pause and resume, 100 times": ("test_killed_senders.py", ["test_pausing_and_resuming"]),
    "kill -9 of the sender": ("test_killed_senders.py", ["test_a_sender_killed_again"]),
    "limits, from several senders at once": ("test_pacing.py", ["test_"]),
    "kill -9 of a mailbox's reader": ("test_killed_mailbox_readers.py", ["test_a_reader_killed"]),
    "a mailbox's server without STARTTLS, or with a certificate that does not hold": (
        "test_mailboxes.py",
        ["test_starttls", "test_a_server_without_starttls", "test_a_certificate"],
    ),
    "an email that no key opens": ("test_sending.py", ["test_an_email_that_no_key_opens"]),
}


def email():
    """Whether all of it passed."""
    files = sorted({f"{TESTS}/{file}" for file, _names in EMAIL.values()})
    outcomes = tried(files)
    rows = [(fault, *judged(outcomes, file, names)) for fault, (file, names) in EMAIL.items()]
    table("Email", ["fault", "tests", ""], rows)
    kills = [
        subprocess.run([sys.executable, "-m", "bench.sender_kills", "--lane", lane], cwd=ROOT)
        for lane in ("sqlite", "postgres")
    ]
    return all(row[-1] == "passed" for row in rows) and not any(done.returncode for done in kills)


def tried(files):
    """Name of each test → whether it passed, by file."""
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        words = ["-m", "pytest", "-q", "-n", "2", f"--junitxml={report.name}", *files]
        subprocess.run([sys.executable, *words], cwd=ROOT, stdout=subprocess.DEVNULL)
        cases = ElementTree.parse(report.name).iter("testcase")
        return [(case.get("classname"), case.get("name"), not len(case)) for case in cases]


def judged(outcomes, file, names):
    module = f"{TESTS}/{file}".removesuffix(".py").replace("/", ".")
    found = [passed for where, name, passed in outcomes if where == module and name.startswith(tuple(names))]
    return len(found), "passed" if found and all(found) else "FAILED"


def backup():
    """Whether both databases came back whole (bench/backups.py)."""
    lanes = [
        subprocess.run([sys.executable, "-m", "bench.backups", "--lane", lane], cwd=ROOT)
        for lane in ("sqlite", "postgres")
    ]
    return not any(done.returncode for done in lanes)


DRILLS = {"email": email, "backup": backup}


def main(wanted):
    results = [DRILLS[name]() for name in wanted or DRILLS]
    sys.exit(not all(results))


if __name__ == "__main__":
    main(sys.argv[1:])
