"""A database that the migrations from before the squashed ones made, all or some of them, can go on."""

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

OURS = {"api", "system", "personas", "crm", "knowledge", "voice", "interviews", "campaigns"}


@pytest.fixture(scope="module")
def on_disk():
    return MigrationLoader(None).disk_migrations


def old_ones(on_disk):
    return {
        name for migration in on_disk.values() if migration.app_label in OURS for name in migration.replaces
    }


def still_to_do(monkeypatch, applied):
    """The migrations of ours that `migrate` would run on a database that has had these."""
    had = {name: None for name in applied}
    monkeypatch.setattr(MigrationRecorder, "applied_migrations", lambda recorder: had)
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [(step.app_label, step.name) for step, _backwards in plan if step.app_label in OURS]


def test_each_app_has_one_that_makes_an_empty_database(monkeypatch, on_disk):
    fresh = still_to_do(monkeypatch, applied=())
    assert {app for app, _name in fresh} == OURS
    assert not old_ones(on_disk).intersection(fresh)
    assert old_ones(on_disk) < set(on_disk), "One that is replaced is no longer there."


def test_a_database_with_all_the_old_ones_needs_only_later_ones(monkeypatch, on_disk):
    later = still_to_do(monkeypatch, old_ones(on_disk))
    assert not [name for name in later if on_disk[name].replaces]


@pytest.mark.parametrize("app", sorted(OURS))
def test_a_database_with_some_of_the_old_ones_goes_on_with_the_rest(monkeypatch, on_disk, app):
    old = old_ones(on_disk)
    first = sorted(name for name in old if name[0] == app)[0]
    needed = MigrationLoader(None, replace_migrations=False).graph.forwards_plan(first)
    had = {name for name in needed if name in old}

    plan = still_to_do(monkeypatch, had)
    rest = [name for name in plan if name in old and name[0] == app]
    assert rest == sorted(name for name in old if name[0] == app)[1:]
    assert not had.intersection(plan)
