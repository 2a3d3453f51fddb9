"""Whom the secrets of the environment speak for: the one account that RAPPORT_WEBHOOK_ACCOUNT names."""

from django.conf import settings

from config.api.models import DEFAULT_ACCOUNT, Account


def webhook_account() -> Account:
    """Made when it is missing, so that a webhook set up before anything else loses nothing."""
    slug = settings.WEBHOOK_ACCOUNT
    name = "Default" if slug == DEFAULT_ACCOUNT else slug
    return Account.objects.get_or_create(slug=slug, defaults={"name": name})[0]
