"""Lists of the admin while they are empty: they say what to do next."""

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.urls import reverse

from config.system.dashboard import SIDEBAR
from config.system.empty_lists import STEPS
from tests.factories import make_contact

pytestmark = pytest.mark.django_db
MODELS = {model._meta.label: model for model in admin.site._registry}
NEVER_EMPTY = {"auth.User", "api.Account"}


@pytest.fixture
def staff(client):
    client.force_login(get_user_model().objects.create_superuser("admin", "", "secret-enough"))
    return client


def list_of(label):
    options = MODELS[label]._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_changelist")


def test_every_list_of_the_sidebar_has_words_for_it():
    labels = {label for _title, entries in SIDEBAR for label, _icon in entries}
    assert labels - NEVER_EMPTY - set(STEPS) == set()


@pytest.mark.parametrize("label", sorted(set(STEPS) - {"api.AuditEntry"}))
def test_an_empty_list_says_what_is_missing_and_what_to_do(staff, label):
    page = staff.get(list_of(label)).content.decode()
    assert str(STEPS[label].heading) in page
    assert "yielded into no results" not in page
    if STEPS[label].url:
        assert f'href="{STEPS[label].url}" class' in page


def test_a_search_that_finds_nothing_leads_back_to_the_whole_list(staff):
    make_contact(name="Ada")
    page = staff.get(f"{list_of('crm.Contact')}?q=nobody").content.decode()
    assert "Nothing matches" in page
    assert "No contacts yet" not in page
