"""A backup, taken while everything goes on: database first, then the files that its rows name.

A row is written after its file. So every file that a row of the copy names is there when the files are read,
unless it was deleted since; those that came since belong to no row, and harm nothing.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from django.utils import timezone

from config.system.backups.archives import FILES, Manifest, Writer, hash_of, pieces
from config.system.backups.keys import fingerprints
from config.system.backups.places import BackupError, Contents, Place

SPOOLED = 8 * 1024 * 1024  # bytes of a file that are held in memory
READINGS = 3  # of a file that changes while it is read


@dataclass(frozen=True, slots=True)
class Saved:
    archive: Path
    sha256: str
    size: int
    manifest: Manifest


def back_up(place: Place, target: Path, *, release: str) -> Saved:
    """One new archive, for its owner alone: whole under its name, or not there. Raises BackupError."""
    archive = named(target)
    try:
        work = Path(tempfile.mkdtemp(prefix=".rapport-backup-", dir=archive.parent))
    except OSError as error:
        raise BackupError(f"{archive.parent} cannot be written: {error.strerror}.") from None
    try:
        manifest = _written(place, work, release)
        _keep(work / "archive", archive)
    except OSError as error:
        raise BackupError(f"The backup could not be written: {error.strerror or error}.") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return Saved(archive, hash_of(archive), archive.stat().st_size, manifest)


def named(target: Path) -> Path:
    """A folder gets a file named by the time. Raises BackupError when the file is there."""
    if target.is_dir():
        target = target / f"rapport-{timezone.now():%Y%m%d-%H%M%S}.tar.gz"
    if target.exists():
        raise BackupError(f"{target} is there already. Name another file, or a folder.")
    return target


def _written(place: Place, work: Path, release: str) -> Manifest:
    """The archive as `work/archive`."""
    made_at = timezone.now().isoformat()
    copy = work / place.database.member
    contents = place.database.save(copy)
    left_out: list[str] = []
    handle = os.open(work / "archive", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        writer = Writer(stream)
        with copy.open("rb") as source:
            writer.add(place.database.member, source, copy.stat().st_size, copy.stat().st_mtime)
        copy.unlink()
        for path in () if place.bucket else files_in(place.files_folder):
            name = path.relative_to(place.files_folder).as_posix()
            if not _added(writer, path, name):
                left_out.append(name)
        manifest = _manifest(place, contents, writer, release=release, made_at=made_at, left_out=left_out)
        writer.finish(manifest)
        stream.flush()
        os.fsync(stream.fileno())
    return manifest


def _manifest(
    place: Place, contents: Contents, writer: Writer, *, release: str, made_at: str, left_out: list[str]
) -> Manifest:
    return Manifest(
        release=release,
        made_at=made_at,
        database=place.database.kind,
        tables=contents.tables,
        migrations=contents.migrations,
        keys=fingerprints(place.secret_key, place.encryption_keys),
        bucket=place.bucket,
        left_out=left_out,
        sha256=writer.sha256,
    )


def files_in(folder: Path) -> Iterator[Path]:
    """Plain files; links are followed nowhere."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent) / name
            if path.is_file() and not path.is_symlink():
                yield path


def _added(writer: Writer, path: Path, name: str) -> bool:
    """False when it is gone, or never the same twice."""
    for _reading in range(READINGS):
        with tempfile.SpooledTemporaryFile(max_size=SPOOLED) as copy:
            try:
                before = path.stat()
                with path.open("rb") as source:
                    size = _copied(source, copy)
                after = path.stat()
            except FileNotFoundError:
                return False
            if (before.st_mtime_ns, size) == (after.st_mtime_ns, after.st_size):
                copy.seek(0)
                writer.add(f"{FILES}/{name}", copy, size, after.st_mtime)  # type: ignore[arg-type]
                return True
    return False


def _copied(source: IO[bytes], target: "tempfile.SpooledTemporaryFile[bytes]") -> int:
    return sum(target.write(piece) for piece in pieces(source))


def _keep(written: Path, archive: Path) -> None:
    """Under its name at once. A link does not replace a file that came meanwhile, as a rename would."""
    try:
        os.link(written, archive)
    except FileExistsError:
        raise BackupError(f"{archive} is there already. Name another file, or a folder.") from None
    except OSError:  # a file system without links
        os.rename(written, archive)
    handle = os.open(archive.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
