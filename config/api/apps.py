from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "config.api"
    label = "api"
    verbose_name = "Accounts and keys"
    default_auto_field = "django.db.models.BigAutoField"
