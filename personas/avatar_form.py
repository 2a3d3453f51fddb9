"""The persona's picture in the admin: chosen there, checked as uploads are, shown, taken away."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from personas import avatars
from personas.models import PersonaAvatar


class AvatarForm(forms.ModelForm):
    """A persona's form with a picture beside its fields; call `keep_avatar` once the persona is saved."""

    picture = forms.FileField(
        label=_("Picture"),
        required=False,
        help_text=_("JPEG, PNG, GIF or WebP. It is drawn anew, at most 512 pixels a side."),
    )
    without_picture = forms.BooleanField(label=_("Take the picture away"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.checked: PersonaAvatar | None = None
        if "picture" in self.fields and (path := avatars.path_of(self.instance)):
            shown = '{}<br><img src="{}" alt="" width="96" height="96">'
            self.fields["picture"].help_text = format_html(shown, self.fields["picture"].help_text, path)

    def clean_picture(self) -> Any:
        file = self.cleaned_data["picture"]
        if file:
            try:
                self.checked = avatars.checked(file.read())
            except avatars.AvatarRefused as refusal:
                raise ValidationError(str(refusal)) from None
        return file

    def keep_avatar(self) -> None:
        if self.checked is not None:
            avatars.put(self.instance, self.checked)
        elif self.cleaned_data.get("without_picture"):
            avatars.remove(self.instance)
