from django.apps import AppConfig


class VoiceConfig(AppConfig):
    name = "voice"
    label = "voice"
    verbose_name = "Voice"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from voice import checks  # noqa: F401  registers the checks
