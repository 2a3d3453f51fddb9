"""A backup is put back: all of it is read and checked first, then it takes the place of what is there."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from django.utils import timezone

from config.system.backups import archives, keys
from config.system.backups.archives import FILES, Manifest
from config.system.backups.places import BackupError, Place
from config.system.preparing import StartRefusedError, lock_folder

KEYS_ARE_ELSEWHERE = (
    "The backup was made with another {which}. Keys are not in a backup: set SECRET_KEY and"
    " RAPPORT_ENCRYPTION_KEYS as they were, or copy secret_key and encryption_key into {folder}."
    " With --accept-other-keys it goes on without: what was encrypted stays unreadable, and people sign in"
    " anew."
)


@dataclass(frozen=True, slots=True)
class Restored:
    manifest: Manifest
    aside: Path | None  # where what was there before is now
    pending: list[str]  # migrations that this release has and the backup had not


@dataclass(frozen=True, slots=True)
class Migrations:
    """Those of this release, as `app.name`, and those that it has made one of."""

    present: set[str]
    replaced: set[str]


@dataclass(frozen=True, slots=True)
class Choices:
    force: bool = False
    accept_other_keys: bool = False


def restore(place: Place, archive: Path, choices: Choices, *, release: Migrations) -> Restored:
    """Nothing is touched before all is known to be good.

    Raises BackupError.
    """
    if not archive.is_file():
        raise BackupError(f"There is no file {archive}.")
    place.data_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = _locked(place)
    try:
        refuse_unless_free(place, force=choices.force)
        work = Path(tempfile.mkdtemp(prefix=".restore-", dir=place.data_folder))
        try:
            manifest = archives.unpack(archive, work)
            refuse_what_does_not_fit(place, manifest, choices, release)
            place.database.check(work / place.database.member, manifest.contents)
            aside = _put(place, work, manifest)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    finally:
        os.close(lock)
    return Restored(manifest, aside, sorted(release.present - set(manifest.migrations)))


def _locked(place: Place) -> int:
    try:
        return lock_folder(place.data_folder)
    except StartRefusedError as reason:
        raise BackupError(f"{reason} Stop it first.") from None


def refuse_unless_free(place: Place, *, force: bool) -> None:
    """Raises BackupError."""
    place.database.refuse_if_used()
    has_files = not place.bucket and any(_entries(place.files_folder))
    if not force and (has_files or not place.database.is_empty()):
        raise BackupError("There is an installation here already. With --force the backup takes its place.")


def _entries(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.is_dir() else []


def refuse_what_does_not_fit(place: Place, manifest: Manifest, choices: Choices, release: Migrations) -> None:
    """Raises BackupError."""
    if manifest.database != place.database.kind:
        raise BackupError(
            f"The backup is of a {manifest.database} database, and this installation uses"
            f" {place.database.kind}: set DATABASE_URL accordingly."
        )
    newer = sorted(set(manifest.migrations) - release.present - release.replaced)
    if newer:
        raise BackupError(
            f"The backup is of a newer release ({manifest.release}): this one does not know {newer[0]}"
            f" ({len(newer)} such). Install that release first."
        )
    lacking = keys.missing(manifest.keys, place.secret_key, place.encryption_keys)
    if lacking and not choices.accept_other_keys:
        words = KEYS_ARE_ELSEWHERE.format(which=" and another ".join(lacking), folder=place.data_folder)
        raise BackupError(words)
    if place.bucket and manifest.file_count:
        raise BackupError(
            f"The backup holds {manifest.file_count} files of a folder, and this installation keeps files in"
            " AWS_S3_BUCKET. Unset it, restore, and copy the files from there."
        )


def _put(place: Place, work: Path, manifest: Manifest) -> Path | None:
    """Where the old is now, if there was any."""
    aside = place.data_folder / f"before-restore-{timezone.now():%Y%m%d-%H%M%S-%f}"
    try:
        # PostgreSQL may still refuse the dump: the files are not touched before that.
        place.database.put(work / place.database.member, manifest.contents, aside)
        if not place.bucket:
            _put_files(place.files_folder, work / FILES, aside)
        # `serve` looks anew which migrations there are.
        (place.data_folder / "migrated").unlink(missing_ok=True)
    except OSError as error:
        where = f" What was there before is in {aside}." if aside.exists() else ""
        raise BackupError(f"It broke off while files were moved: {error}.{where}") from None
    return aside if aside.exists() else None


def _put_files(folder: Path, files: Path, aside: Path) -> None:
    if folder.exists():
        if _entries(folder):
            aside.mkdir(mode=0o700, exist_ok=True)
            shutil.move(folder, aside / FILES)
        else:
            folder.rmdir()
    files.mkdir(mode=0o700, exist_ok=True)
    os.chmod(files, 0o700)
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.move(files, folder)
