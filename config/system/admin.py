"""The installation in the admin: staff accounts, and the processes that are alive."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django_celery_beat import models as beat
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from config.system import admin_lists, heartbeats
from config.system.models import Heartbeat, ProviderProbe, RequestFigure

admin_lists.set_defaults()
admin.site.unregister(User)
admin.site.unregister(Group)
# The schedule is written by settings.CELERY_BEAT_SCHEDULE; editing it here would be undone at the next start.
for model in (
    beat.ClockedSchedule,
    beat.CrontabSchedule,
    beat.IntervalSchedule,
    beat.PeriodicTask,
    beat.SolarSchedule,
):
    admin.site.unregister(model)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    show_full_result_count = False


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    show_full_result_count = False


class ReadOnlyAdmin(ModelAdmin):
    """Rows that processes write: to look at, not to change."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ["part", "instance", "state", "started_at", "at"]
    list_filter = ["part"]

    @display(description=_("State"), label={"alive": "success", "silent": "danger"})  # type: ignore[untyped-decorator]
    def state(self, heartbeat: Heartbeat) -> tuple[str, Any]:
        if heartbeats.is_fresh(heartbeat):
            return "alive", _("alive")
        return "silent", _("silent")


@admin.register(RequestFigure)
class RequestFigureAdmin(ReadOnlyAdmin):
    list_display = ["minute", "requests", "errors", "mean_milliseconds"]
    date_hierarchy = None

    @display(description=_("Mean time (ms)"))  # type: ignore[untyped-decorator]
    def mean_milliseconds(self, figure: RequestFigure) -> int:
        return round(figure.total_milliseconds / figure.requests) if figure.requests else 0


@admin.register(ProviderProbe)
class ProviderProbeAdmin(ReadOnlyAdmin):
    list_display = ["provider", "state", "milliseconds", "detail", "at"]

    @display(description=_("State"), label={"up": "success", "down": "danger"})  # type: ignore[untyped-decorator]
    def state(self, probe: ProviderProbe) -> tuple[str, Any]:
        return ("up", _("answers")) if probe.is_reachable else ("down", _("does not answer"))
