from django.apps import AppConfig
from django.db.backends.signals import connection_created


class ApiConfig(AppConfig):
    name = "config.api"
    label = "api"
    verbose_name = "Accounts and keys"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Imported for what they register: system checks, and drf-spectacular's extensions.
        from config.api import checks, metadata, openapi  # noqa: F401

        connection_created.connect(metadata.count_queries_of, dispatch_uid="count queries")
