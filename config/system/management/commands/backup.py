"""Write a backup: the database and the files, without the keys. Rapport may run meanwhile."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.system.backups import places
from config.system.backups.places import BackupError
from config.system.backups.saving import Saved, back_up


class Command(BaseCommand):
    help = "Write a backup of the database and the files into one archive. Rapport may run meanwhile."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("target", type=Path, help="A folder, or a file that is not there yet.")

    def handle(self, *args: Any, target: Path, **options: Any) -> None:
        try:
            saved = back_up(places.here(), target.expanduser().absolute(), release=settings.VERSION)
        except BackupError as reason:
            raise CommandError(str(reason)) from None
        for line in told(saved):
            self.stdout.write(line)


def told(saved: Saved) -> list[str]:
    manifest = saved.manifest
    lines = [
        f"{saved.archive}: {saved.size:,} bytes, sha256 {saved.sha256}",
        f"{manifest.contents.rows:,} rows in {len(manifest.tables)} tables ({manifest.database}),"
        f" {manifest.file_count:,} files.",
        "The keys are not in it: keep SECRET_KEY and RAPPORT_ENCRYPTION_KEYS (or secret_key and"
        " encryption_key of the data folder) elsewhere.",
    ]
    if manifest.bucket:
        lines.append(f"The files are in the bucket {manifest.bucket}: copy or version them there.")
    if manifest.left_out:
        lines.append(
            f"{len(manifest.left_out)} files went while they were read, like {manifest.left_out[0]}."
        )
    return lines
