"""Relations and migrations obey the layers, also where they are written as strings."""

import pytest
from django.apps import apps
from django.db.migrations.loader import MigrationLoader

# From the bottom up (docs/architecture.md). Apps of one tuple do not know each other.
LAYERS = (
    ("api",),
    ("personas",),
    ("knowledge",),
    ("crm",),
    ("interviews", "voice"),
    ("campaigns",),
    ("system",),
)
HEIGHT = {label: height for height, labels in enumerate(LAYERS) for label in labels}


def may_know(app, other):
    if app == other or other not in HEIGHT:
        return True  # Django and libraries know nothing of ours
    return HEIGHT[other] < HEIGHT[app]


@pytest.mark.parametrize(
    ("app", "other", "may"),
    [
        ("crm", "knowledge", True),
        ("knowledge", "crm", False),
        ("voice", "interviews", False),
        ("crm", "auth", True),
    ],
)
def test_the_rule_tells_up_from_down(app, other, may):
    assert may_know(app, other) is may


def test_every_app_of_ours_has_its_layer():
    assert {config.label for config in apps.get_app_configs() if is_ours(config)} == set(HEIGHT)


def is_ours(config):
    return "site-packages" not in config.path


def test_relations_go_down_only():
    wrong = [
        f"{model._meta.label}.{field.name} -> {field.related_model._meta.label}"
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label in HEIGHT
        for field in model._meta.get_fields()
        if field.is_relation and not field.auto_created and field.related_model is not None
        if not may_know(model._meta.app_label, field.related_model._meta.app_label)
    ]
    assert not wrong


def test_libraries_have_no_relation_to_our_models():
    wrong = [
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label not in HEIGHT
        for field in model._meta.get_fields()
        if field.is_relation and not field.auto_created and field.related_model is not None
        if field.related_model._meta.app_label in HEIGHT
    ]
    assert not wrong


def test_migrations_depend_on_lower_apps_only():
    wrong = [
        f"{label}.{name} -> {other}"
        for (label, name), migration in MigrationLoader(None).disk_migrations.items()
        if label in HEIGHT
        for other, _ in (*migration.dependencies, *migration.run_before)
        if not may_know(label, other)
    ]
    assert not wrong
