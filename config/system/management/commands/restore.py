"""Put a backup in the place of an installation that is stopped: its database and its files."""

from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.migrations.loader import MigrationLoader

from config.system.backups import places
from config.system.backups.places import BackupError
from config.system.backups.restoring import Choices, Migrations, Restored, restore


class Command(BaseCommand):
    help = (
        "Restore a backup into an installation that is stopped. All of it is checked before anything changes."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("archive", type=Path, help="What `manage.py backup` wrote.")
        parser.add_argument(
            "--force", action="store_true", help="Also where there is an installation: it is replaced."
        )
        parser.add_argument(
            "--accept-other-keys", action="store_true", help="Also without the keys of the backup."
        )

    def handle(self, *args: Any, archive: Path, **options: Any) -> None:
        choices = Choices(force=options["force"], accept_other_keys=options["accept_other_keys"])
        try:
            done = restore(
                places.here(), archive.expanduser().absolute(), choices, release=known_migrations()
            )
        except BackupError as reason:
            raise CommandError(str(reason)) from None
        for line in told(done):
            self.stdout.write(line)


def known_migrations() -> Migrations:
    loader = MigrationLoader(None)
    replaced = {key for migration in loader.disk_migrations.values() for key in migration.replaces}
    return Migrations(_named(loader.disk_migrations), _named(replaced))


def _named(keys: Iterable[tuple[str, str]]) -> set[str]:
    return {f"{app}.{name}" for app, name in keys}


def told(done: Restored) -> list[str]:
    manifest = done.manifest
    lines = [
        f"Restored: {manifest.contents.rows:,} rows in {len(manifest.tables)} tables, {manifest.file_count:,}"
        f" files, as they were on {manifest.made_at} (release {manifest.release})."
    ]
    if done.aside:
        lines.append(f"What was there before is in {done.aside}; delete it when all is well.")
    if manifest.bucket:
        lines.append(f"The files are in the bucket {manifest.bucket}: set AWS_S3_BUCKET.")
    if done.pending:
        lines.append(
            f"{len(done.pending)} migrations are newer than the backup: `manage.py serve` applies them."
        )
    return lines
