from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class CrmConfig(AppConfig):
    name = "crm"
    label = "crm"
    verbose_name = "People and talk"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from crm.reporting import making

        pre_migrate.connect(making.before_migrations, sender=self)
        post_migrate.connect(making.after_migrations, sender=self)
