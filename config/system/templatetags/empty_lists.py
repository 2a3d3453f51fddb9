"""What a list of the admin says while nothing is in it."""

from django import template
from django.contrib.admin.views.main import ChangeList

from config.system.empty_lists import NextStep, next_step

register = template.Library()


@register.simple_tag
def step_after_empty(changes: ChangeList) -> NextStep | None:
    return next_step(changes.model._meta.label)
