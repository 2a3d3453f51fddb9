"""Character cards in the admin: a file becomes a draft, a persona becomes a file."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget

from config.api.models import Account
from personas.admin_base import PersonaPages, noted, page_of_persona
from personas.card_png import MOST_FILE_BYTES
from personas.cards import CardRefused
from personas.cards_api import card_response
from personas.importing import Imported, import_card


class CardForm(forms.Form):
    account = forms.ModelChoiceField(
        Account.objects.order_by("slug"), label=gettext_lazy("Account"), widget=UnfoldAdminSelectWidget
    )
    file = forms.FileField(
        label=gettext_lazy("Card"),
        allow_empty_file=True,
        widget=UnfoldAdminFileFieldWidget,
        help_text=gettext_lazy("A character card (chara_card_v2), as JSON or as a PNG picture."),
    )

    def imported(self, author: str) -> Imported | None:
        """None, with an error on the form, when the file was refused."""
        content = self.cleaned_data["file"].read(MOST_FILE_BYTES + 1)
        try:
            return import_card(self.cleaned_data["account"], content, author=author)
        except CardRefused as refusal:
            self.add_error("file", refusal.message)
            return None


class CardPages(PersonaPages):
    """Import for the list, export for each persona."""

    @action(description=gettext_lazy("Import a card"), url_path="import-card", permissions=["add"])  # type: ignore[untyped-decorator]
    def import_a_card(self, request: HttpRequest) -> HttpResponse:
        form = CardForm(request.POST or None, request.FILES or None, initial=_only_account())
        if request.method == "POST" and form.is_valid():
            made = form.imported(request.user.get_username())
            if made is not None:
                return self._told(request, made)
        page = {**self.page_of(request, None, _("Import a character card")), "form": form}
        return TemplateResponse(request, "admin/personas/import.html", page)

    def _told(self, request: HttpRequest, made: Imported) -> HttpResponse:
        persona = made.persona
        noted(request, persona.account, "import persona", target=persona)
        words = _("%(name)s is here as a draft: read it, try it out, then publish it.") % {
            "name": persona.name
        }
        messages.success(request, words)
        for note in made.notes:
            messages.info(request, note)
        return HttpResponseRedirect(page_of_persona(persona))

    @action(description=gettext_lazy("Card as JSON"), url_path="card-json", permissions=["view"])  # type: ignore[untyped-decorator]
    def card_as_json(self, request: HttpRequest, object_id: object) -> HttpResponse:
        return self._exported(request, object_id, "json")

    @action(description=gettext_lazy("Card as PNG"), url_path="card-png", permissions=["view"])  # type: ignore[untyped-decorator]
    def card_as_png(self, request: HttpRequest, object_id: object) -> HttpResponse:
        return self._exported(request, object_id, "png")

    def _exported(self, request: HttpRequest, object_id: object, form: str) -> HttpResponse:
        persona = self.asked_persona(request, object_id)
        if persona is None:
            return self.nowhere(request)
        noted(request, persona.account, "export persona", target=persona)
        return card_response(persona, form)


def _only_account() -> dict[str, Any]:
    """The account, when there is no choice."""
    first = Account.objects.order_by("slug")[:2]
    return {"account": first[0]} if len(first) == 1 else {}
