"""Personas in the admin: who speaks, what they were before, vendors' keys, and what speaking cost."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import F, Model, OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminPasswordWidget

from config.api.audit import record
from config.api.models import Account, AuditEntry
from personas.avatar_form import AvatarForm
from personas.budget import MICRO, Cap, Spent, seconds_to_midnight, today
from personas.chains import chain_of
from personas.models import Budget, LyzrLink, Persona, PersonaVersion, ProviderCredential, Usage
from personas.prices import price_of
from personas.speaking import has_model
from personas.versions import restore, save_persona


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


@admin.register(Persona)
class PersonaAdmin(ModelAdmin):
    form = AvatarForm
    list_display = ("name", "account", "shown_kind", "shown_status", "speaks_through", "model", "updated_at")
    list_filter = ("account", "kind", "status")
    list_select_related = ("account",)
    search_fields = ("name", "slug", "tagline")
    ordering = ("-updated_at",)
    prepopulated_fields = {"slug": ("name",)}
    readonly_fields = ("speaks_through", "versions", "created_at", "updated_at")
    show_full_result_count = False
    warn_unsaved_form = True
    fieldsets = (
        (None, {"fields": ("account", "name", "slug", "kind", "status", "tagline", "category")}),
        (
            gettext_lazy("How it speaks"),
            {"fields": ("instructions", "greeting", "language", "voice", "traits", "examples")},
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
        (gettext_lazy("History"), {"fields": ("versions", "created_at", "updated_at")}),
    )

    @display(description=gettext_lazy("Kind"), ordering="kind", label=True)  # type: ignore[untyped-decorator]
    def shown_kind(self, persona: Persona) -> str:
        return str(persona.get_kind_display())

    @display(  # type: ignore[untyped-decorator]
        description=gettext_lazy("Status"),
        ordering="status",
        label={"active": "success", "coming_soon": "info", "discontinued": "danger"},
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
    list_display = ("persona", "number", "author", "created_at")
    list_filter = ("persona__account",)
    list_select_related = ("persona",)
    search_fields = ("persona__name", "persona__slug", "author")
    ordering = ("-created_at", "-id")
    fields = ("persona", "number", "author", "created_at", "content")
    actions_detail = ("restore_version",)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == "persona__id__exact" or super().lookup_allowed(lookup, value, request)

    def has_restore_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        return request.user.has_perm("personas.change_persona")

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
        return went_to(request, reverse("admin:personas_persona_change", args=[persona.pk]))


def went_to(request: HttpRequest, address: str) -> HttpResponse:
    """A redirect; for the dialog, whose request htmx sends, one that does not show the page inside it."""
    if "HX-Request" in request.headers:
        return HttpResponse(headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)


class CredentialForm(forms.ModelForm):
    """The key is written and never read: it is not in the page, and an empty field keeps it."""

    key = forms.CharField(
        label=gettext_lazy("Key"),
        required=False,
        strip=True,
        max_length=1_000,
        widget=UnfoldAdminPasswordWidget(render_value=False, attrs={"autocomplete": "new-password"}),
    )

    class Meta:
        model = ProviderCredential
        # Not the key: a form reads what it holds, and one whose encryption key is lost cannot be read.
        fields = ("account", "provider", "base_url")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["key"].help_text = _("A key is stored. Leave this empty to keep it.")

    def clean_key(self) -> str:
        given: str = self.cleaned_data["key"]
        if not given and not self.instance.pk:
            raise ValidationError(_("Give the key."), code="required")
        return given

    def save(self, commit: bool = True) -> Any:
        if given := self.cleaned_data["key"]:
            self.instance.secret = given
        return super().save(commit)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        # Whoever does not know the key must not be able to have it sent elsewhere.
        moved = {"account", "provider", "base_url"}.intersection(self.changed_data)
        if self.instance.pk and moved and not self.data.get(self.add_prefix("key")):
            self.add_error("key", _("Give the key again when it goes to another place."))
        return cleaned


@admin.register(ProviderCredential)
class ProviderCredentialAdmin(ModelAdmin):
    form = CredentialForm
    list_display = ("provider", "account", "base_url", "created_at")
    list_filter = ("account", "provider")
    list_select_related = ("account",)
    search_fields = ("provider", "account__slug", "account__name")
    ordering = ("-created_at", "-id")
    show_full_result_count = False
    fields = ("account", "provider", "key", "base_url")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProviderCredential]:
        # Nothing here reads the key, so that one which cannot be decrypted any more can be replaced.
        return super().get_queryset(request).defer("secret")

    def save_model(self, request: HttpRequest, obj: ProviderCredential, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        done = "change vendor key" if change else "store vendor key"
        noted(request, obj.account, done, target=obj, provider=obj.provider, fields=form.changed_data)

    def delete_model(self, request: HttpRequest, obj: ProviderCredential) -> None:
        noted(request, obj.account, "delete vendor key", target=obj, provider=obj.provider)
        super().delete_model(request, obj)


@admin.register(Usage)
class UsageAdmin(WrittenByTheProgram):
    list_display = ("day", "account", "persona", "provider", "model", "calls", "tokens", "cost")
    list_filter = ("account", "provider", "day")
    list_select_related = ("account", "persona")
    search_fields = ("provider", "model", "persona__name", "account__name")
    ordering = ("-day", "-id")

    @display(description=gettext_lazy("Tokens in + out"))  # type: ignore[untyped-decorator]
    def tokens(self, usage: Usage) -> str:
        shown = f"{usage.prompt_tokens:,} + {usage.completion_tokens:,}"
        if not usage.estimated_tokens:
            return shown
        return _("%(tokens)s (%(estimated)s estimated)") % {
            "tokens": shown,
            "estimated": f"{usage.estimated_tokens:,}",
        }

    @display(description=gettext_lazy("Cost (US$)"), ordering="cost_micro_usd")  # type: ignore[untyped-decorator]
    def cost(self, usage: Usage) -> str:
        if not usage.cost_micro_usd and usage.model and price_of(usage.provider, usage.model) is None:
            return _("no price known")
        return dollars(usage.cost_micro_usd)


def dollars(micro_usd: int) -> str:
    return f"{micro_usd / MICRO:,.4f}"


class BudgetForm(forms.ModelForm):
    """People think in dollars; the row holds millionths of one, so that sums are exact."""

    daily_usd = forms.DecimalField(
        label=gettext_lazy("Dollars a day (US$)"),
        required=False,
        min_value=0,
        max_value=1_000_000,
        decimal_places=6,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text=gettext_lazy("Empty: no limit. Models without a known price do not count here."),
    )

    class Meta:
        model = Budget
        fields = ("account", "daily_tokens")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = self.instance.daily_micro_usd
        self.initial["daily_usd"] = None if stored is None else Decimal(stored) / MICRO

    def save(self, commit: bool = True) -> Any:
        given = self.cleaned_data["daily_usd"]
        self.instance.daily_micro_usd = None if given is None else int(given * MICRO)
        return super().save(commit)


def used_today(what: Any) -> Subquery:
    """A sum over today's usage rows of the budget's account."""
    rows = Usage.objects.filter(account=OuterRef("account"), day=today()).order_by()
    return Subquery(rows.values("account").annotate(used=Sum(what)).values("used"))


@admin.register(Budget)
class BudgetAdmin(ModelAdmin):
    """What an account may use of AI models in one UTC day."""

    form = BudgetForm
    list_display = ("account", "state", "tokens_today", "dollars_today", "updated_at")
    list_filter = ("account",)
    list_select_related = ("account",)
    search_fields = ("account__slug", "account__name")
    ordering = ("account__slug",)
    show_full_result_count = False
    fields = ("account", "daily_tokens", "daily_usd")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Budget]:
        tokens = used_today(F("prompt_tokens") + F("completion_tokens"))
        used = {"used_tokens": tokens, "used_micro_usd": used_today("cost_micro_usd")}
        return super().get_queryset(request).annotate(**used)

    def get_fields(self, request: HttpRequest, obj: Budget | None = None) -> Any:
        return (*self.fields, "tokens_today", "dollars_today") if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Budget | None = None) -> Any:
        return ("account", "tokens_today", "dollars_today") if obj else ()

    @display(  # type: ignore[untyped-decorator]
        description=gettext_lazy("Today"), label={"open": "success", "near": "warning", "used up": "danger"}
    )
    def state(self, budget: Budget) -> tuple[str, str]:
        cap, spent = _cap(budget), _spent(budget)
        if spent.reaches(cap):
            hours = -(-seconds_to_midnight() // 3600)
            return "used up", _("Used up; anew within %(hours)d h") % {"hours": hours}
        if Spent(spent.tokens * 10 // 8, spent.micro_usd * 10 // 8).reaches(cap):
            return "near", _("Over 80 %")
        return "open", _("No limit") if cap.is_none else _("Within it")

    @display(description=gettext_lazy("Tokens used today / cap"))  # type: ignore[untyped-decorator]
    def tokens_today(self, budget: Budget) -> str:
        cap = budget.daily_tokens
        return f"{_spent(budget).tokens:,} / {'–' if cap is None else f'{cap:,}'}"

    @display(description=gettext_lazy("US$ used today / cap"))  # type: ignore[untyped-decorator]
    def dollars_today(self, budget: Budget) -> str:
        cap = budget.daily_micro_usd
        return f"{dollars(_spent(budget).micro_usd)} / {'–' if cap is None else dollars(cap)}"

    def save_model(self, request: HttpRequest, obj: Budget, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        limits = {"daily_tokens": obj.daily_tokens, "daily_micro_usd": obj.daily_micro_usd}
        noted(request, obj.account, "change daily budget", target=obj, **limits)

    def delete_model(self, request: HttpRequest, obj: Budget) -> None:
        noted(request, obj.account, "delete daily budget", target=obj)
        super().delete_model(request, obj)


def _cap(budget: Budget) -> Cap:
    return Cap(budget.daily_tokens, budget.daily_micro_usd)


def _spent(budget: Any) -> Spent:
    return Spent(budget.used_tokens or 0, budget.used_micro_usd or 0)


@admin.register(LyzrLink)
class LyzrLinkAdmin(ModelAdmin):
    list_display = ("account", "agent_id", "chat_agent_id", "rag_id", "updated_at")
    list_select_related = ("account",)
    search_fields = ("account__slug", "account__name", "agent_id", "chat_agent_id", "rag_id")
    ordering = ("-updated_at",)
    show_full_result_count = False
    fields = ("account", "agent_id", "chat_agent_id", "rag_id", "agent_prompt", "created_at", "updated_at")
    readonly_fields = ("created_at", "updated_at")

    def get_readonly_fields(self, request: HttpRequest, obj: LyzrLink | None = None) -> Any:
        # The ids belong to that account's key.
        return (*self.readonly_fields, "account") if obj else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: LyzrLink, form: Any, change: bool) -> None:
        if "rag_id" in form.changed_data:
            obj.rag_name = ""  # of the one before
        super().save_model(request, obj, form, change)
        noted(request, obj.account, "change Lyzr link", target=obj, fields=form.changed_data)
