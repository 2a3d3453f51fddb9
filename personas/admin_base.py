"""What the admin's pages of personas share."""

from typing import Any

from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from config.api.audit import record
from config.api.models import Account, AuditEntry
from personas.models import Persona


def noted(request: HttpRequest, account: Account, done: str, *, target: Model, **detail: Any) -> None:
    """What staff did, in the audit trail."""
    staff = AuditEntry.ActorKind.STAFF
    record(account, staff, request.user.get_username(), done, target=target, detail=detail, request=request)


class WrittenByTheProgram(ModelAdmin):
    """Rows to read: nobody adds, changes or deletes them here."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class PersonaPages(ModelAdmin):
    """A page of one persona beside its form: an action of the admin that answers with the page."""

    def asked_persona(self, request: HttpRequest, object_id: object) -> Persona | None:
        """None for an address that names nobody; `nowhere` is then the answer."""
        found = self.get_object(request, str(object_id))
        return found if isinstance(found, Persona) else None

    def nowhere(self, request: HttpRequest) -> HttpResponse:
        messages.warning(request, _("This persona is not there any more."))
        return HttpResponseRedirect(reverse("admin:personas_persona_changelist"))

    def page_of(self, request: HttpRequest, persona: Persona | None, title: str) -> dict[str, Any]:
        values = {**self.admin_site.each_context(request), "opts": self.opts, "title": title}
        return {**values, "persona": persona}


def went_to(request: HttpRequest, address: str) -> HttpResponse:
    """A redirect; for the dialog, whose request htmx sends, one that does not show the page inside it."""
    if "HX-Request" in request.headers:
        return HttpResponse(headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)


def page_of_persona(persona: Persona) -> str:
    return reverse("admin:personas_persona_change", args=[persona.pk])
