from django.apps import AppConfig


class CrmConfig(AppConfig):
    name = "crm"
    label = "crm"
    verbose_name = "People and talk"
    default_auto_field = "django.db.models.BigAutoField"
