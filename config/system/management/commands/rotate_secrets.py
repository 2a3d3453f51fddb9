"""Encrypt every stored secret again, with the newest of RAPPORT_ENCRYPTION_KEYS."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.db.models import Model

from config.api.encryption import EncryptedTextField

BATCH = 200


class Command(BaseCommand):
    help = "Encrypt every stored secret again, with the newest key. Then the older keys may go."

    def handle(self, *args: Any, **options: Any) -> None:
        for model, names in encrypted_models():
            try:
                number = rotate_rows(model, names)
            except ValueError as error:
                raise CommandError(f"{model._meta.label}: {error}") from None
            self.stdout.write(f"{model._meta.verbose_name_plural}: {number} encrypted with the newest key.")


def encrypted_models() -> Iterator[tuple[type[Model], list[str]]]:
    for model in apps.get_models():
        names = [field.attname for field in model._meta.local_fields if isinstance(field, EncryptedTextField)]
        if names:
            yield model, names


def rotate_rows(model: type[Model], names: list[str]) -> int:
    """How many rows were written. Short transactions, by primary key: it may be stopped and run again."""
    number, after = 0, None
    while keys := rotate_batch(model, names, after=after):
        number, after = number + len(keys), keys[-1]
    return number


@transaction.atomic
def rotate_batch(model: type[Model], names: list[str], *, after: Any) -> list[Any]:
    """Reading decrypts and writing encrypts; the lock keeps a change made meanwhile from being undone."""
    rows = model._default_manager.order_by("pk").only("pk", *names).select_for_update()
    if after is not None:
        rows = rows.filter(pk__gt=after)
    batch = list(rows[:BATCH])
    model._default_manager.bulk_update(batch, names)
    return [row.pk for row in batch]
