"""A migrated database, made once for all tests that copy it: a data folder with nothing but its keys and
SQLite's file, and on PostgreSQL a template.

Migrating takes longer than most test files. The folder is kept in the temporary folder, the template on its
server, under a name that changes with any migration, of ours or of a library, so neither is out of date.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = Path(tempfile.gettempdir()) / f"rapport-migrated-{os.getuid()}"
KEPT_SECONDS = 24 * 3600
DATABASE = "rapport.sqlite3"
TEMPLATES = "rapport_migrated_"
LOCK = 7_264_021  # of PostgreSQL's advisory locks: one process makes the template, the others wait
# What the suite's own conftest sets, and an installation must find out by itself.
NOT_INHERITED = (
    "REDIS_URL",
    "SECRET_KEY",
    "PUBLIC_BASE_URL",
    "DJANGO_SETTINGS_MODULE",
    "DATABASE_URL",
    "HOST",
)


def fingerprint() -> str:
    """Of the text of our migrations, the versions of the libraries, and how the database is opened."""
    migrations = [*ROOT.glob("*/migrations/*.py"), *ROOT.glob("config/*/migrations/*.py")]
    others = ("requirements.txt", "constraints.txt", "config/databases.py", "crm/reporting/views.py")
    fixed = [ROOT / name for name in others]
    found = hashlib.sha256()
    for file in sorted([*migrations, *fixed]):
        found.update(f"{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    return found.hexdigest()[:32]


@cache
def migrated_folder() -> Path:
    FOLDERS.mkdir(mode=0o700, exist_ok=True)
    if FOLDERS.is_symlink() or FOLDERS.stat().st_uid != os.getuid():
        raise RuntimeError(f"The folder {FOLDERS} belongs to somebody else.")
    folder = FOLDERS / fingerprint()
    with (FOLDERS / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            forget_old()
            make(folder)
    return folder


def make(folder: Path) -> None:
    half = Path(tempfile.mkdtemp(dir=FOLDERS))
    try:
        migrate(half)
    except RuntimeError:
        shutil.rmtree(half)
        raise
    half.rename(folder)


def migrate(data: Path, **settings: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    environment |= {"RAPPORT_ENV": "demo", "RAPPORT_DATA": str(data), **settings}
    words = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"The test database could not be migrated:\n{done.stderr}")


def forget_old() -> None:
    for old in FOLDERS.iterdir():
        if old.is_dir() and old.stat().st_mtime < time.time() - KEPT_SECONDS:
            shutil.rmtree(old, ignore_errors=True)


def migrated_template(url: str) -> str:
    """The name of a migrated database, which nobody opens, on the PostgreSQL server of this address."""
    name = TEMPLATES + fingerprint()
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        found = server.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [TEMPLATES]
        ).fetchall()
        if (name,) not in found:
            for (old,) in found:
                server.execute(f'DROP DATABASE "{old}"')
            make_template(server, url, name)
    return name


def make_template(server: psycopg.Connection, url: str, name: str) -> None:
    half = f"{TEMPLATES}half"
    server.execute(f'CREATE DATABASE "{half}"')
    with tempfile.TemporaryDirectory() as data:
        migrate(Path(data), DATABASE_URL=urlsplit(url)._replace(path=f"/{half}").geturl())
    server.execute(f'ALTER DATABASE "{half}" RENAME TO "{name}"')
