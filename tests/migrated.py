"""A data folder with nothing but its keys and a migrated database, made once for all tests that copy it.

Migrating takes longer than most test files. It is kept in the temporary folder under a name that changes
with any migration, of ours or of a library, so it is never out of date.
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

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = Path(tempfile.gettempdir()) / f"rapport-migrated-{os.getuid()}"
KEPT_SECONDS = 24 * 3600
DATABASE = "rapport.sqlite3"
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
    environment = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    environment |= {"RAPPORT_ENV": "demo", "RAPPORT_DATA": str(half)}
    words = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(half)
        raise RuntimeError(f"The test database could not be migrated:\n{done.stderr}")
    half.rename(folder)


def forget_old() -> None:
    for old in FOLDERS.iterdir():
        if old.is_dir() and old.stat().st_mtime < time.time() - KEPT_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
