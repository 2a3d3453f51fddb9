"""The test console: a made-up call, typed instead of spoken. The turns themselves go to voice/console.py."""

from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import available_timezones

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from config.api.audit import record
from config.api.models import Account
from voice import booking, practice
from voice.admin import call_page
from voice.admin.pages import must, page
from voice.models import PhoneCall
from voice.phrases import languages

if TYPE_CHECKING:
    from voice.admin.calls import PhoneCallAdmin

KEYS = (
    ("1", _l("1: yes, or the first")),
    ("2", _l("2: the second")),
    ("3", _l("3: the third")),
    ("0", _l("0: none of these")),
    ("9", _l("9: stop calling")),
    ("*", _l("*: repeat")),
)


class SceneForm(forms.Form):
    account = forms.ModelChoiceField(Account.objects.order_by("slug"), label=_l("Account"), empty_label=None)
    candidate = forms.CharField(label=_l("Name of the person"), max_length=200, required=False, initial="Ada")
    company = forms.CharField(label=_l("Company"), max_length=200, required=False)
    position = forms.CharField(label=_l("Position"), max_length=200, required=False)
    zone = forms.CharField(label=_l("Time zone of the person"), max_length=64, initial="UTC")
    language = forms.ChoiceField(label=_l("Language"), choices=[(code, code) for code in sorted(languages())])

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        for field in self.fields.values():
            field.widget.attrs["class"] = "rc-input"

    def clean_zone(self) -> str:
        zone: str = self.cleaned_data["zone"]
        if zone not in available_timezones():
            raise forms.ValidationError(_("Write it like Europe/Berlin."))
        return zone

    @property
    def scene(self) -> practice.Scene:
        given = self.cleaned_data
        names = ("candidate", "company", "position", "zone", "language")
        words = {name: given[name] for name in names}
        return practice.Scene(**{**words, "company": words["company"] or given["account"].name})


def urls(owner: "PhoneCallAdmin") -> list[URLPattern]:
    pages, wrap = _Pages(owner), owner.admin_site.admin_view
    return [
        path("console/", wrap(pages.begin), name="voice_phonecall_console_begin"),
        path("console/<uuid:call_id>/", wrap(pages.talk), name="voice_phonecall_console"),
    ]


class _Pages:
    def __init__(self, owner: "PhoneCallAdmin") -> None:
        self._owner = owner

    def begin(self, request: HttpRequest) -> HttpResponse:
        must(self._may(request))
        form = SceneForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            account, who = form.cleaned_data["account"], request.user.get_username()
            machine = request.POST.get("answered_by") == "machine"
            call = practice.begin(account, form.scene, by=who, machine=machine)
            record(account, "staff", who, "began test call", target=call)
            return redirect("admin:voice_phonecall_console", call.pk)
        context = {"title": _("Test console"), "form": form}
        return page(request, "admin/voice/console_begin.html", context, about=PhoneCall)

    def talk(self, request: HttpRequest, call_id: UUID) -> HttpResponse:
        must(self._may(request))
        call = practice.call_of(call_id)
        if call is None:
            raise Http404
        context = {
            "title": _("Test console"),
            "keys": KEYS,
            "is_on": call.status == PhoneCall.Status.ACTIVE and not call.has_ended,
            "free": len(booking.slots_of(call.account)),
            **call_page.facts(call),
        }
        return page(request, "admin/voice/console.html", context, about=PhoneCall)

    def _may(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("voice.change_phonecall"))  # type: ignore[union-attr]
