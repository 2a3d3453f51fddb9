"""The wiring: settings, paths, servers. It knows every app; no app imports it except `config.api`."""

# Loaded with the package, so that every process that enqueues a task knows this application's broker.
from config.celery import app as celery_app

__all__ = ["celery_app"]
