"""A persona's draft in the admin: written, compared, published after a second look, or thrown away."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action

from personas import drafts
from personas.admin_base import PersonaPages, noted, page_of_persona
from personas.models import Persona


class DraftPages(PersonaPages):
    """Two pages of a persona: its draft, and publishing it."""

    @action(description=gettext_lazy("Draft"), url_path="draft", permissions=["change"])  # type: ignore[untyped-decorator]
    def write_draft(self, request: HttpRequest, object_id: object) -> HttpResponse:
        persona = self.asked_persona(request, object_id)
        if persona is None:
            return self.nowhere(request)
        if request.method == "POST" and "discard" in request.POST:
            return self._discarded(request, persona)
        form = self._draft_form(request, persona)
        if request.method == "POST" and form.is_valid():
            content = {name: getattr(form.instance, name) for name in drafts.DRAFTED}
            drafts.keep_draft(persona, content, author=request.user.get_username())
            noted(
                request, persona.account, "write draft of persona", target=persona, fields=form.changed_data
            )
            messages.success(request, _("The draft is kept. People still meet what is published."))
            return HttpResponseRedirect(_address("write_draft", persona))
        values = {"form": form, "draft": drafts.draft_of(persona), "changes": drafts.changes(persona)}
        page = {**self.page_of(request, persona, _("Draft of %(name)s") % {"name": persona.name}), **values}
        return TemplateResponse(request, "admin/personas/draft.html", page)

    def _draft_form(self, request: HttpRequest, persona: Persona) -> Any:
        to_be = drafts.with_content(persona, drafts.content_to_be(persona))
        form_class = self.get_form(request, to_be, change=True, fields=list(drafts.DRAFTED))
        return form_class(request.POST if request.method == "POST" else None, instance=to_be)

    def _discarded(self, request: HttpRequest, persona: Persona) -> HttpResponse:
        if drafts.discard(persona):
            noted(request, persona.account, "discard draft of persona", target=persona)
            messages.success(request, _("The draft is gone. Nothing was changed."))
        return HttpResponseRedirect(page_of_persona(persona))

    @action(description=gettext_lazy("Publish"), url_path="publish", permissions=["change"])  # type: ignore[untyped-decorator]
    def publish_draft(self, request: HttpRequest, object_id: object) -> HttpResponse:
        persona = self.asked_persona(request, object_id)
        if persona is None:
            return self.nowhere(request)
        if request.method == "POST" and self._published(request, persona):
            return HttpResponseRedirect(page_of_persona(persona))
        values = {
            "changes": drafts.changes(persona),
            "draft": drafts.draft_of(persona),
            "is_unpublished": drafts.is_unpublished(persona),
            "seen": drafts.stamp(persona),
        }
        page = self.page_of(request, persona, _("Publish %(name)s?") % {"name": persona.name})
        return TemplateResponse(request, "admin/personas/publish.html", {**page, **values})

    def _published(self, request: HttpRequest, persona: Persona) -> bool:
        """False, with the reason told, when it is still as it was."""
        try:
            seen = request.POST.get("seen", "")
            published = drafts.publish(persona, author=request.user.get_username(), seen=seen)
        except drafts.DraftMoved as refusal:
            messages.warning(request, str(refusal))
            return False
        except ValidationError as error:
            messages.error(request, _("Not published: %(why)s") % {"why": " ".join(error.messages)})
            return False
        noted(request, published.account, "publish persona", target=published, version=published.version)
        words = _("%(persona)s is published, as version %(number)d.")
        messages.success(request, words % {"persona": published.name, "number": published.version})
        return True


def _address(page: str, persona: Persona) -> str:
    return reverse(f"admin:personas_persona_{page}", args=[persona.pk])
