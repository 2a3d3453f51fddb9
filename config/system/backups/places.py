"""What a backup is taken of and what it is restored into: a database, a folder of files, and their keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.db import connection


class BackupError(Exception):
    """Why a backup or its restoring cannot be; its text is for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database holds: rows of each table, and the migrations that made it, as `app.name`."""

    tables: dict[str, int]
    migrations: list[str]

    @property
    def rows(self) -> int:
        return sum(self.tables.values())


class Database(Protocol):
    kind: str
    member: str  # its name in an archive

    def save(self, copy: Path) -> Contents:
        """Its state at one moment, in a file. It may be written to meanwhile. Raises BackupError."""

    def is_empty(self) -> bool: ...

    def refuse_if_used(self) -> None:
        """Raises BackupError while another process has it open."""

    def check(self, copy: Path, contents: Contents) -> None:
        """Raises BackupError when the copy is not what the archive says."""

    def put(self, copy: Path, contents: Contents, aside: Path) -> None:
        """The copy takes the place of all there is; what can be put aside is. Raises BackupError."""


@dataclass(frozen=True, slots=True)
class Place:
    """One installation. `bucket` is where its files are, when they are not in the folder."""

    data_folder: Path
    files_folder: Path
    bucket: str
    database: Database
    secret_key: str = field(repr=False)
    encryption_keys: Sequence[str] = field(repr=False)


def database_of(values: Mapping[str, Any]) -> Database:
    """Of Django's settings of one database."""
    from config.system.backups.postgres import PostgresDatabase
    from config.system.backups.sqlite import SqliteDatabase

    if values["ENGINE"].endswith("sqlite3"):
        return SqliteDatabase(Path(values["NAME"]))
    return PostgresDatabase(values)


def here() -> Place:
    """The installation of these settings."""
    return Place(
        data_folder=Path(settings.DATA_DIR),
        files_folder=Path(settings.MEDIA_ROOT),
        bucket=settings.AWS_STORAGE_BUCKET_NAME,
        database=database_of(connection.settings_dict),
        secret_key=settings.SECRET_KEY,
        encryption_keys=settings.ENCRYPTION_KEYS,
    )
