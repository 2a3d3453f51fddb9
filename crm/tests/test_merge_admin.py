"""Staff look at two contacts side by side, and decide."""

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from crm import contacts, merging
from crm.merging import Choice
from crm.models import Contact, ContactMerge, Erasure
from tests.factories import make_account, make_contact, make_conversation

pytestmark = pytest.mark.django_db
LIST = reverse("admin:crm_contactmerge_changelist")


def a_pair(**facts):
    first, second = make_contact(name="Ada Lovelace"), make_contact(name="Countess of L.", **facts)
    ContactMerge.propose([(first, second, ["phone", "name_company"])])
    return ContactMerge.objects.order_by("-pk").first()


def page(row):
    return reverse("admin:crm_contactmerge_change", args=[row.pk])


def test_the_pair_is_shown_side_by_side(admin_client):
    row = a_pair(company="Engines")
    make_conversation(row.removed)
    shown = admin_client.get(page(row)).content.decode()
    for words in (
        "Ada Lovelace",
        "Countess of L.",
        "Engines",
        "Same phone number",
        "conversations: 1",
        "stays",
    ):
        assert words in shown
    assert f'name="fact_name" value="{row.removed_id}"' in shown
    assert 'name="fact_company"' not in shown  # only one of them has one: there is nothing to choose


def test_staff_merge_and_undo(admin_client):
    row = a_pair()
    answer = admin_client.post(page(row), {"decision": "merge", "stays": row.kept_id}, follow=True)
    assert "They are one contact now" in answer.content.decode()
    row.refresh_from_db()
    assert (row.state, row.decided_by) == ("merged", "admin")
    answer = admin_client.post(page(row), {"decision": "undo"}, follow=True)
    assert "two contacts again" in answer.content.decode()
    assert Contact.objects.filter(is_active=True).count() == 2


def test_staff_choose_the_newer_one_and_a_fact_of_the_older(admin_client):
    row = a_pair()
    chosen = {"decision": "merge", "stays": row.removed_id, "fact_name": row.kept_id}
    admin_client.post(page(row), chosen)
    stays = Contact.objects.get(is_active=True)
    assert (stays.pk, stays.name) == (row.removed_id, "Ada Lovelace")


def test_staff_dismiss(admin_client):
    row = a_pair()
    admin_client.post(page(row), {"decision": "dismiss"})
    row.refresh_from_db()
    assert row.state == "dismissed"


def test_staff_dismiss_several_at_once(admin_client):
    rows = [a_pair(), a_pair()]
    chosen = {"action": "dismiss_pairs", "_selected_action": [row.pk for row in rows]}
    answer = admin_client.post(LIST, chosen, follow=True)
    assert "2 pairs were dismissed" in answer.content.decode()
    assert set(ContactMerge.objects.values_list("state", flat=True)) == {"dismissed"}


def test_a_refusal_is_told_in_words(admin_client):
    row = a_pair()
    merging.merge(row.pk, Choice(row.kept_id), by="nora")
    answer = admin_client.post(page(row), {"decision": "merge", "stays": row.kept_id}, follow=True)
    assert "part of another contact already" in answer.content.decode()


@pytest.mark.parametrize("form", [{}, {"decision": "burn"}, {"decision": "undo"}, {"stays": "\x00"}])
def test_a_form_that_makes_no_sense_changes_nothing(admin_client, form):
    row = a_pair()
    assert admin_client.post(page(row), form).status_code == 302
    row.refresh_from_db()
    assert row.state == "proposed"


def test_staff_name_a_pair_themselves(admin_client):
    first, second = make_contact(), make_contact()
    add = reverse("admin:crm_contactmerge_add")
    assert admin_client.get(add).status_code == 200
    answer = admin_client.post(add, {"kept": first.pk, "removed": second.pk})
    row = ContactMerge.objects.get()
    assert (answer.headers["Location"], row.reasons) == (page(row), ["staff"])
    again = admin_client.post(add, {"kept": second.pk, "removed": first.pk})
    assert again.headers["Location"] == page(row)


def test_a_pair_of_two_accounts_is_refused(admin_client):
    given = {"kept": make_contact().pk, "removed": make_contact(make_account("other")).pk}
    answer = admin_client.post(reverse("admin:crm_contactmerge_add"), given)
    assert "different accounts" in answer.content.decode()
    assert not ContactMerge.objects.exists()


def test_whoever_may_only_look_does_not_decide(client):
    user = User.objects.create_user("looker", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_contactmerge"))
    client.force_login(user)
    row = a_pair()
    assert "merge" not in client.get(page(row)).content.decode().partition("<form")[2].partition("</form>")[0]
    assert client.post(page(row), {"decision": "merge"}).status_code == 403


def test_a_pair_that_is_not_there_is_404(admin_client):
    assert admin_client.get(reverse("admin:crm_contactmerge_change", args=["x"])).status_code == 404
    missing = "01890000-0000-7000-8000-000000000000"
    assert admin_client.get(reverse("admin:crm_contactmerge_change", args=[missing])).status_code == 404


def test_a_pair_is_found_by_an_address_of_either(admin_client):
    row = a_pair()
    email = contacts.email_of(row.removed)
    assert b"Countess" in admin_client.get(LIST, {"q": email}).content
    assert b"Countess" not in admin_client.get(LIST, {"q": "nobody@example.com"}).content


def test_the_list_costs_the_same_for_one_and_for_many(admin_client):
    a_pair()
    admin_client.get(LIST)
    with CaptureQueriesContext(connection) as one:
        assert admin_client.get(LIST).status_code == 200
    for _ in range(5):
        a_pair()
    with CaptureQueriesContext(connection) as six:
        admin_client.get(LIST)
    assert len(six) <= len(one)


def test_strangers_are_sent_to_the_login(client):
    assert "/login" in client.get(page(a_pair())).headers["Location"]


def test_the_former_contact_leads_to_the_whole_one_and_is_not_changed(admin_client):
    row = a_pair()
    merging.merge(row.pk, Choice(row.kept_id), by="nora")
    url = reverse("admin:crm_contact_change", args=[row.removed_id])
    shown = admin_client.get(url).content.decode()
    assert "became part of another" in shown
    assert reverse("admin:crm_contact_change", args=[row.kept_id]) in shown
    assert admin_client.post(url, {"name": "Ada", "is_active": "on"}).status_code == 403
    assert not Contact.objects.get(pk=row.removed_id).is_active


def test_erasing_the_former_contact_asks_to_erase_the_whole_one(admin_client):
    row = a_pair()
    merging.merge(row.pk, Choice(row.kept_id), by="nora")
    url = reverse("admin:crm_contact_erase", args=[row.removed_id])
    answer = admin_client.post(url, follow=True)
    assert answer.request["PATH_INFO"] == reverse("admin:crm_contact_erase", args=[row.kept_id])
    assert "Both are erased together" in answer.content.decode()
    assert not Erasure.objects.exists()
