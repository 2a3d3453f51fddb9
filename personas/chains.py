"""Which providers a persona speaks through, in the order they are tried."""

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from personas.models import Persona


def chain_of(persona: "Persona | None") -> list[str]:
    own: list[str] = list(persona.provider_chain) if persona else []
    return own or list(settings.DEFAULT_PROVIDER_CHAIN)


def check_chain(value: Any) -> None:
    """Raises ValidationError unless it is a list of providers that are set up, each once."""
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValidationError(_('Give a list of names, like ["openai", "offline"].'), code="chain")
    if len(set(value)) != len(value):
        raise ValidationError(_("Name each provider once."), code="chain")
    for name in value:
        check_known(name)


def check_known(name: str) -> None:
    """Raises ValidationError unless settings.PROVIDERS has that name."""
    if name not in settings.PROVIDERS:
        known = ", ".join(sorted(settings.PROVIDERS))
        message = _("No provider is called “%(name)s”. Set up are: %(known)s.") % {
            "name": name,
            "known": known,
        }
        raise ValidationError(message, code="provider")
