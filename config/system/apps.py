from django.apps import AppConfig


class SystemConfig(AppConfig):
    name = "config.system"
    label = "system"
    verbose_name = "System"
    default_auto_field = "django.db.models.BigAutoField"
