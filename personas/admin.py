"""Personas in the admin: vendors' keys and what speaking cost; who speaks is in admin_personas.py."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import F, OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminPasswordWidget

from personas.admin_base import WrittenByTheProgram, noted
from personas.admin_personas import PersonaAdmin, PersonaVersionAdmin
from personas.budget import MICRO, Cap, Spent, seconds_to_midnight, today
from personas.models import Budget, LyzrLink, ProviderCredential, Usage
from personas.prices import price_of

__all__ = [
    "BudgetAdmin",
    "LyzrLinkAdmin",
    "PersonaAdmin",
    "PersonaVersionAdmin",
    "ProviderCredentialAdmin",
    "UsageAdmin",
]


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
