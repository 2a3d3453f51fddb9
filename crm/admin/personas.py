"""What crm adds to the admin's pages of a persona: talking with its draft, and what it reads."""

from typing import Any, cast
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action

from crm import filling, talk, trying_out
from crm.failure_words import words_for
from crm.models import Message
from crm.try_out_page import page_address
from knowledge.models import Collection
from personas import drafts, speaking
from personas.admin_base import noted, page_of_persona
from personas.admin_personas import PersonaAdmin
from personas.models import Persona

MOST_COLLECTIONS = 200


class ReadingForm(forms.Form):
    """The collections of the persona's account; those it reads are ticked."""

    collections = forms.ModelMultipleChoiceField(
        Collection.objects.none(),
        label=gettext_lazy("Collections"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, persona: Persona, data: Any = None) -> None:
        super().__init__(data, initial={"collections": Collection.objects.filter(personas=persona)})
        own = Collection.objects.for_account(persona.account).order_by("name", "pk")
        keys = own.values("pk")[:MOST_COLLECTIONS]
        self.shown = own.filter(pk__in=list(keys.values_list("pk", flat=True)))
        cast(forms.ModelMultipleChoiceField, self.fields["collections"]).queryset = self.shown


class TalkedWithPersonaAdmin(PersonaAdmin):
    actions_detail = (
        "write_draft",
        "try_out",
        "publish_draft",
        "choose_reading",
        "card_as_json",
        "card_as_png",
    )

    @action(description=gettext_lazy("Try it out"), url_path="try-out", permissions=["change"])  # type: ignore[untyped-decorator]
    def try_out(self, request: HttpRequest, object_id: object) -> HttpResponse:
        persona = self.asked_persona(request, object_id)
        if persona is None:
            return self.nowhere(request)
        if request.method == "POST":  # begin again
            trying_out.forget(request.user, persona)
            return HttpResponseRedirect(page_address(persona))
        page = self.page_of(request, persona, _("Try out %(name)s") % {"name": persona.name})
        response = TemplateResponse(request, "admin/crm/try_out.html", {**page, **_talk(request, persona)})
        response.headers["Cache-Control"] = "no-store"
        return response

    @action(description=gettext_lazy("What it reads"), url_path="reading", permissions=["change"])  # type: ignore[untyped-decorator]
    def choose_reading(self, request: HttpRequest, object_id: object) -> HttpResponse:
        persona = self.asked_persona(request, object_id)
        if persona is None:
            return self.nowhere(request)
        form = ReadingForm(persona, request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            chosen = form.cleaned_data["collections"]
            # Those that the page could not show are left as they are.
            persona.collections.remove(*form.shown.exclude(pk__in=chosen))
            persona.collections.add(*chosen)
            noted(request, persona.account, "choose reading of persona", target=persona, count=len(chosen))
            messages.success(request, _("It reads these from its next answer on."))
            return HttpResponseRedirect(page_of_persona(persona))
        page = self.page_of(request, persona, _("What %(name)s reads") % {"name": persona.name})
        values = {"form": form, "is_public": persona.kind == Persona.Kind.INFLUENCER}
        values["new_collection"] = reverse("admin:knowledge_collection_add")
        return TemplateResponse(request, "admin/crm/reading.html", {**page, **values})


def _talk(request: HttpRequest, persona: Persona) -> dict[str, Any]:
    conversation = trying_out.talk_of(request.user, persona)
    spoken = trying_out.latest(conversation)
    content = drafts.content_to_be(persona)
    tried = drafts.with_content(persona, content)
    last = spoken[-1] if spoken else None
    failed = last is not None and last.state == Message.State.FAILED
    return {
        "spoken": spoken,
        "greeting": filling.greeting_for(tried, None) if conversation is None else "",
        "has_draft": drafts.draft_of(persona) is not None,
        "is_written": last is not None and last.state == Message.State.STREAMING,
        "failed": words_for(last.error_code) if failed and last is not None else "",
        "retry": last.reply_to if failed and last is not None else None,
        "offline": not speaking.has_model(tried),
        "fresh_id": uuid4().hex,
        "longest": talk.LONGEST_TEXT,
    }


admin.site.unregister(Persona)
admin.site.register(Persona, TalkedWithPersonaAdmin)
