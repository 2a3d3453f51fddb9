from django.apps import AppConfig


class PersonasConfig(AppConfig):
    name = "personas"
    label = "personas"
    verbose_name = "Personas"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from personas import checks  # noqa: F401
