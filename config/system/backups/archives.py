"""A backup as one file: a gzipped tar of the database, the files and, last, the manifest with their hashes.

    database.sqlite3 | database.dump
    files/…
    manifest.json

An archive is read as if a stranger had made it: only plain files under these names, each once, each with the
hash that the manifest says.
"""

import hashlib
import json
import os
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, Any

from config.system.backups.places import BackupError, Contents

FORMAT = 1
MANIFEST = "manifest.json"
FILES = "files"
MEMBERS = ("database.sqlite3", "database.dump")
MOST_MANIFEST_BYTES = 512 * 1024 * 1024  # a line a file
PIECE = 1024 * 1024
NOT_WHOLE = "The archive is damaged or not whole"
UNREADABLE = (tarfile.TarError, OSError, EOFError, zlib.error)
TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class Manifest:
    release: str
    made_at: str
    database: str
    tables: dict[str, int]
    migrations: list[str]
    keys: dict[str, Any]
    bucket: str  # where the files were, when they were not in the folder
    left_out: list[str] = field(default_factory=list)  # files that went while they were read
    sha256: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def contents(self) -> Contents:
        return Contents(self.tables, self.migrations)

    @property
    def file_count(self) -> int:
        return sum(name.startswith(f"{FILES}/") for name in self.sha256)


class Writer:
    """Members are added one after another; `finish` writes the manifest."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._tar = tarfile.open(fileobj=stream, mode="w:gz", compresslevel=5, format=tarfile.PAX_FORMAT)  # noqa: SIM115 (closed by finish)
        self.sha256: dict[str, str] = {}

    def add(self, name: str, source: IO[bytes], size: int, modified: float) -> None:
        hashing = _Hashing(source)
        self._add(name, hashing, size, modified)
        self.sha256[name] = hashing.digest.hexdigest()

    def _add(self, name: str, source: Any, size: int, modified: float) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = size, 0o600, int(modified)
        self._tar.addfile(member, source)

    def finish(self, manifest: Manifest) -> None:
        text = json.dumps(asdict(manifest), indent=1).encode()
        self._add(MANIFEST, BytesIO(text), len(text), 0)
        self._tar.close()


class _Hashing:
    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        piece = self._source.read(size)
        self.digest.update(piece)
        return piece


def unpack(archive: Path, folder: Path) -> Manifest:
    """Every member into the folder, which is empty; then their hashes are compared. Raises BackupError."""
    try:
        found, text = _unpacked(archive, folder)
    except UNREADABLE as error:
        raise BackupError(f"{NOT_WHOLE}: {error}.") from None
    manifest = read_manifest(text)
    wrong = sorted(
        name for name in {*found, *manifest.sha256} if found.get(name) != manifest.sha256.get(name)
    )
    if wrong:
        raise BackupError(f"{NOT_WHOLE}: {wrong[0]} is not as it was written ({len(wrong)} such).")
    return manifest


def _unpacked(archive: Path, folder: Path) -> tuple[dict[str, str], bytes]:
    """Hashes by name, and the manifest's text."""
    found: dict[str, str] = {}
    text = b""
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            name = checked_name(member)
            source = tar.extractfile(member)
            if name in found or source is None or text:
                raise BackupError(f"{NOT_WHOLE}: {name} is there twice or in the wrong place.")
            if name == MANIFEST:
                text = source.read(MOST_MANIFEST_BYTES)
            else:
                found[name] = _written(source, folder / name)
        for _rest in pieces(tar.fileobj):  # type: ignore[arg-type]
            pass  # gzip's own sum is at the end
    if not text:
        raise BackupError(f"{NOT_WHOLE}: it has no {MANIFEST}.")
    return found, text


def checked_name(member: tarfile.TarInfo) -> str:
    """Raises BackupError for what is no plain file in one of our places: a link, a device, a `..`."""
    parts = PurePosixPath(member.name).parts
    plain = member.isreg() and "/".join(parts) == member.name and "\0" not in member.name
    inside = len(parts) > 1 and parts[0] == FILES and ".." not in parts
    if not plain or not (inside or member.name in (*MEMBERS, MANIFEST)):
        raise BackupError(f"The archive holds {member.name[:100]!r}, which does not belong there.")
    return member.name


def _written(source: IO[bytes], path: Path) -> str:
    """Its hash. The file is new, and for its owner alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    digest = hashlib.sha256()
    with os.fdopen(handle, "wb") as target:
        for piece in pieces(source):
            digest.update(piece)
            target.write(piece)
    return digest.hexdigest()


def pieces(source: IO[bytes]) -> Iterator[bytes]:
    while piece := source.read(PIECE):
        yield piece


def hash_of(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def read_manifest(text: bytes) -> Manifest:
    """Raises BackupError."""
    try:
        given = json.loads(text)
        if given.get("format") != FORMAT:
            raise BackupError(
                f"The archive has form {given.get('format')!r}; this release reads form {FORMAT}."
            )
        manifest = Manifest(**given)
        fine = all(TABLE.match(name) and type(rows) is int for name, rows in manifest.tables.items())
        fine = fine and all(isinstance(name, str) for name in manifest.migrations)
        fine = fine and {"secret_key", "encryption_keys"} <= set(manifest.keys)
        bytes.fromhex(manifest.keys["salt"])
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        fine = False
    if not fine:
        raise BackupError(f"{NOT_WHOLE}: its {MANIFEST} cannot be read.")
    return manifest
