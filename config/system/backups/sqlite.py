"""The SQLite file, copied by SQLite's own online backup and put back by a rename."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from config.system.backups.places import BackupError, Contents

PATIENCE = 20.0  # seconds that a writer may hold us up
BESIDE = ("-wal", "-shm")  # SQLite would play a left one into another database
# Tables of our own: those behind a virtual table (the index of words) follow it.
TABLES = (
    "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
    " AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name"
)
USED = "Another process has {file} open. Stop Rapport and whatever else reads the file, then try again."


def _opened(file: Path, mode: str, *, patience: float = PATIENCE) -> "closing[sqlite3.Connection]":
    address = f"{file.absolute().as_uri()}?mode={mode}"
    return closing(sqlite3.connect(address, uri=True, timeout=patience, isolation_level=None))


class SqliteDatabase:
    kind = "sqlite"
    member = "database.sqlite3"

    def __init__(self, file: Path) -> None:
        self.file = file

    def save(self, copy: Path) -> Contents:
        if not self.file.exists():
            raise BackupError(f"There is no database yet: {self.file}.")
        try:
            with _opened(self.file, "rw") as source, _opened(copy, "rwc") as target:
                # All pages in one step, which readers and writers go on beside: in several steps
                # every write from elsewhere would make the copy begin again.
                source.backup(target, pages=-1)
                target.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it
                return _contents(target)
        except sqlite3.Error as error:
            raise BackupError(f"{self.file} could not be copied: {error}.") from None

    def is_empty(self) -> bool:
        if not self.file.exists():
            return True
        try:
            with _opened(self.file, "ro") as found:
                return not found.execute(TABLES).fetchall()
        except sqlite3.Error:
            return False  # something is there, whatever it is

    def refuse_if_used(self) -> None:
        if not self.file.exists():
            return
        try:
            with _opened(self.file, "rw", patience=0.2) as found:
                # In WAL mode every process that has the file open holds a shared lock on it.
                found.execute("PRAGMA locking_mode=EXCLUSIVE")
                found.execute("BEGIN EXCLUSIVE")
                found.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise BackupError(USED.format(file=self.file)) from None
        except sqlite3.DatabaseError:
            return  # no database: nobody works with it

    def check(self, copy: Path, contents: Contents) -> None:
        try:
            with _opened(copy, "ro") as found:
                complaint = found.execute("PRAGMA quick_check(1)").fetchone()[0]
                if complaint != "ok":
                    raise BackupError(f"The database in the archive is damaged: {complaint}.")
                if _contents(found) != contents:
                    raise BackupError("The database in the archive does not hold the rows that it should.")
        except sqlite3.Error as error:
            raise BackupError(f"The database in the archive cannot be read: {error}.") from None

    def put(self, copy: Path, contents: Contents, aside: Path) -> None:
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for ending in (*BESIDE, ""):
            old = self.file.with_name(self.file.name + ending)
            if old.exists():
                aside.mkdir(mode=0o700, exist_ok=True)
                old.rename(aside / old.name)
        os.chmod(copy, 0o600)
        os.replace(copy, self.file)


def _contents(connection: sqlite3.Connection) -> Contents:
    names = [name for (name,) in connection.execute(TABLES)]
    tables = {name: _count(connection, name) for name in names}
    applied = connection.execute("SELECT app, name FROM django_migrations ORDER BY app, name")
    return Contents(tables, [f"{app}.{name}" for app, name in applied])


def _count(connection: sqlite3.Connection, table: str) -> int:
    quoted = table.replace('"', '""')
    return int(connection.execute(f'SELECT COUNT(*) FROM "{quoted}"').fetchone()[0])  # noqa: S608 (quoted)
