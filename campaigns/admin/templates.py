"""Email templates in the admin: checked on save, with what could be better."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.decorators import display

from campaigns import placeholders, wording
from campaigns.admin.looks import moment
from campaigns.models import EmailTemplate

HELP = "Known placeholders: " + ", ".join(f"{{{{ {name} }}}}" for name in placeholders.KNOWN)


class TemplateForm(forms.ModelForm):
    class Meta:
        model = EmailTemplate
        fields = ("account", "name", "subject", "preheader", "text", "html")
        help_texts = {"text": HELP + ". With a fallback: {{ first_name|there }}."}

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        account = given.get("account")
        columns = wording.columns_of(account) if account else set[str]()
        words = wording.Words(*(given.get(name) or "" for name in ("subject", "preheader", "text", "html")))
        if not self.errors:
            try:
                self.advice = wording.check_words(words, columns=columns)
            except wording.TemplateError as error:
                self.add_error(error.field, str(error))
        return given


@admin.register(EmailTemplate)
class EmailTemplateAdmin(ModelAdmin):
    form = TemplateForm
    list_display = ("name", "account", "subject", "changed")
    list_filter = ("account",)
    list_select_related = ("account",)
    search_fields = ("name", "subject")
    show_full_result_count = False

    @display(description="Changed", ordering="updated_at")  # type: ignore[untyped-decorator]
    def changed(self, template: EmailTemplate) -> str:
        return moment(template.updated_at)

    def save_model(self, request: HttpRequest, obj: EmailTemplate, form: TemplateForm, change: Any) -> None:
        super().save_model(request, obj, form, change)
        for words in getattr(form, "advice", []):
            messages.warning(request, words)
