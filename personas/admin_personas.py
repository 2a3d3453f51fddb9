"""Personas in the admin, and what they were before."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm

from personas import drafts
from personas.admin_base import WrittenByTheProgram, noted, page_of_persona, went_to
from personas.admin_cards import CardPages
from personas.admin_drafts import DraftPages
from personas.avatar_form import AvatarForm
from personas.chains import chain_of
from personas.differences import differences, in_words
from personas.models import Persona, PersonaVersion
from personas.speaking import has_model
from personas.versions import content_of, restore, save_persona


@admin.register(Persona)
class PersonaAdmin(DraftPages, CardPages):
    """crm adds the page on which staff talk with a draft (crm/admin/personas.py)."""

    form = AvatarForm
    list_display = ("name", "account", "shown_kind", "shown_status", "speaks_through", "model", "updated_at")
    list_filter = ("account", "kind", "status")
    list_select_related = ("account",)
    search_fields = ("name", "slug", "tagline")
    ordering = ("-updated_at",)
    prepopulated_fields = {"slug": ("name",)}
    readonly_fields = ("speaks_through", "versions", "shown_draft", "created_at", "updated_at")
    show_full_result_count = False
    warn_unsaved_form = True
    actions_list = ("import_a_card",)
    actions_detail: tuple[str, ...] = ("write_draft", "publish_draft", "card_as_json", "card_as_png")
    fieldsets = (
        (
            None,
            {"fields": ("account", "name", "slug", "kind", "status", "adults_only", "tagline", "category")},
        ),
        (
            gettext_lazy("How it speaks"),
            {
                "fields": (
                    "instructions",
                    "greeting",
                    "alternate_greetings",
                    "language",
                    "voice",
                    "traits",
                    "examples",
                    "character_book",
                    "variables",
                )
            },
        ),
        (
            gettext_lazy("To everybody, when it is an influencer"),
            {
                "fields": (
                    "description",
                    "picture",
                    "without_picture",
                    "avatar_url",
                    "suggested_messages",
                    "public_id",
                )
            },
        ),
        (
            gettext_lazy("Who words it"),
            {"fields": ("provider_chain", "speaks_through", "model", "temperature", "max_tokens")},
        ),
        (gettext_lazy("History"), {"fields": ("versions", "shown_draft", "created_at", "updated_at")}),
    )

    @display(description=gettext_lazy("Kind"), ordering="kind", label=True)  # type: ignore[untyped-decorator]
    def shown_kind(self, persona: Persona) -> str:
        return str(persona.get_kind_display())

    @display(  # type: ignore[untyped-decorator]
        description=gettext_lazy("Status"),
        ordering="status",
        label={"active": "success", "coming_soon": "info", "discontinued": "danger", "draft": "warning"},
    )
    def shown_status(self, persona: Persona) -> tuple[str, str]:
        return persona.status, str(persona.get_status_display())

    @display(description=gettext_lazy("Speaks through"))  # type: ignore[untyped-decorator]
    def speaks_through(self, persona: Persona) -> str:
        chain = " → ".join(chain_of(persona))
        return chain if has_model(persona) else _("%(chain)s (no AI model)") % {"chain": chain}

    @display(description=gettext_lazy("Versions"))  # type: ignore[untyped-decorator]
    def versions(self, persona: Persona) -> str:
        if persona._state.adding:
            return "–"
        address = reverse("admin:personas_personaversion_changelist")
        count = PersonaVersion.objects.filter(persona=persona).count()
        return format_html('<a href="{}?persona__id__exact={}">{}</a>', address, persona.pk, count)

    @display(description=gettext_lazy("Draft"))  # type: ignore[untyped-decorator]
    def shown_draft(self, persona: Persona) -> str:
        draft = None if persona._state.adding else drafts.draft_of(persona)
        if draft is None:
            return "–"
        address = reverse("admin:personas_persona_write_draft", args=[persona.pk])
        changed = in_words([one.name for one in drafts.changes(persona)]) or _("as published")
        return format_html('<a href="{}">{}</a> ({})', address, changed, draft.author)

    def get_readonly_fields(self, request: HttpRequest, obj: Persona | None = None) -> Any:
        # A persona stays where it was made: its conversations and guides belong to that account.
        return (*self.readonly_fields, "account") if obj else self.readonly_fields

    def get_prepopulated_fields(self, request: HttpRequest, obj: Persona | None = None) -> Any:
        return {} if obj else self.prepopulated_fields

    def save_model(self, request: HttpRequest, obj: Persona, form: Any, change: bool) -> None:
        save_persona(obj, author=request.user.get_username())
        form.keep_avatar()
        done = "change persona" if change else "create persona"
        noted(request, obj.account, done, target=obj, fields=form.changed_data)


@admin.register(PersonaVersion)
class PersonaVersionAdmin(WrittenByTheProgram):
    list_display = ("persona", "number", "what_changed", "author", "created_at")
    list_filter = ("persona__account",)
    list_select_related = ("persona",)
    search_fields = ("persona__name", "persona__slug", "author")
    ordering = ("-created_at", "-id")
    fields = ("persona", "number", "author", "created_at", "against_before", "against_now", "content")
    readonly_fields = ("against_before", "against_now")
    actions_detail = ("restore_version",)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == "persona__id__exact" or super().lookup_allowed(lookup, value, request)

    def has_restore_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return request.user.has_perm("personas.change_persona")

    @display(description=gettext_lazy("What changed"))  # type: ignore[untyped-decorator]
    def what_changed(self, version: PersonaVersion) -> str:
        return in_words(version.changed) or "–"

    @display(description=gettext_lazy("Against the version before"))  # type: ignore[untyped-decorator]
    def against_before(self, version: PersonaVersion) -> str:
        rows = PersonaVersion.objects.filter(persona=version.persona_id, number__lt=version.number)
        before = rows.order_by("-number").first()
        if before is None:
            return _("It is the first.")
        return shown_differences(before.content, version.content)

    @display(description=gettext_lazy("What has changed since, up to now"))  # type: ignore[untyped-decorator]
    def against_now(self, version: PersonaVersion) -> str:
        return shown_differences(version.content, content_of(version.persona))

    @action(  # type: ignore[untyped-decorator]
        description=gettext_lazy("Restore this version"),
        url_path="restore",
        permissions=["restore"],
        dialog={
            "title": gettext_lazy("Restore this version?"),
            "description": gettext_lazy(
                "The persona becomes what it was then, in all its conversations. "
                "What it is now stays a version."
            ),
            "form_class": BaseDialogForm,
            "form_submit_text": gettext_lazy("Restore"),
        },
    )
    def restore_version(self, request: HttpRequest, form: forms.Form, object_id: int) -> HttpResponse:
        version = self.get_object(request, str(object_id))
        if version is None:
            return went_to(request, reverse("admin:personas_personaversion_changelist"))
        try:
            persona = restore(version, author=request.user.get_username())
        except ValidationError as error:
            messages.error(request, _("Not restored: %(why)s") % {"why": " ".join(error.messages)})
            return went_to(request, reverse("admin:personas_personaversion_change", args=[version.pk]))
        noted(request, persona.account, "restore persona", target=persona, version=version.number)
        messages.success(
            request,
            _("%(persona)s is again as in version %(number)d.")
            % {"persona": persona.name, "number": version.number},
        )
        return went_to(request, page_of_persona(persona))


def shown_differences(old: dict[str, Any], new: dict[str, Any]) -> str:
    return render_to_string("admin/personas/_difference.html", {"changes": differences(old, new)})
