"""A draft stands beside the persona until it is published or thrown away; versions say what changed."""

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from config.api.models import AuditEntry
from personas import drafts
from personas.differences import Line, differences
from personas.models import Persona, PersonaDraft, PersonaVersion
from personas.tests.test_admin import FORM, address
from personas.versions import save_persona
from tests.factories import make_persona

pytestmark = pytest.mark.django_db


def drafted(persona, **changed):
    return drafts.keep_draft(persona, {**drafts.content_to_be(persona), **changed}, author="ada")


def published_persona(**fields):
    return save_persona(make_persona(**fields), author="ada")


def test_a_draft_changes_nothing_until_it_is_published():
    persona = published_persona(instructions="Old.")
    drafted(persona, instructions="New.")
    assert Persona.objects.get().instructions == "Old."
    drafts.publish(persona, author="ben", seen=drafts.stamp(persona))
    now = Persona.objects.get()
    assert (now.instructions, now.version) == ("New.", 2)
    assert (PersonaVersion.objects.first().author, PersonaDraft.objects.count()) == ("ben", 0)


def test_publishing_a_persona_that_was_a_draft_lets_people_meet_it():
    persona = published_persona(status="draft")
    drafts.publish(persona, author="ada", seen=drafts.stamp(persona))
    assert Persona.objects.get().status == "active"


def test_what_somebody_changed_meanwhile_is_not_published_unseen():
    persona = published_persona()
    drafted(persona, instructions="Seen.")
    seen = drafts.stamp(persona)
    drafted(persona, instructions="Unseen.")
    with pytest.raises(drafts.DraftMoved):
        drafts.publish(persona, author="ada", seen=seen)
    assert Persona.objects.get().instructions == ""


def test_a_draft_that_can_no_longer_be_is_refused():
    persona = published_persona()
    drafted(persona, provider_chain=["gone"])
    with pytest.raises(ValidationError):
        drafts.publish(persona, author="ada", seen=drafts.stamp(persona))
    assert Persona.objects.get().provider_chain == ["offline"]


def test_a_draft_thrown_away_leaves_no_trace():
    persona = published_persona(name="Nora")
    drafted(persona, name="Nina")
    assert drafts.discard(persona)
    assert drafts.content_to_be(persona)["name"] == "Nora"


def test_a_version_knows_which_fields_changed():
    persona = published_persona(name="One")
    persona.name, persona.greeting = "Two", "Hello"
    save_persona(persona, author="ben")
    assert PersonaVersion.objects.get(number=2).changed == ["name", "greeting"]
    assert Persona.objects.get().version == 2


def test_an_old_copy_that_is_saved_does_not_bring_back_an_old_number():
    persona = published_persona(name="One")
    old_copy = Persona.objects.get()
    persona.name = "Two"
    save_persona(persona, author="ada")
    save_persona(old_copy, author="ben")  # back to One: a version of its own
    save_persona(Persona.objects.get(), author="ben")  # no change
    assert Persona.objects.get().version == 3


def test_a_difference_is_readable_without_colour():
    old = {"instructions": "Be kind.\nBe brief.", "traits": {}}
    found = differences(old, {"instructions": "Be kind.\nBe long.", "traits": {}})
    assert [one.name for one in found] == ["instructions"]
    assert found[0].lines == (Line("", "Be kind."), Line("−", "Be brief."), Line("+", "Be long."))
    assert [line.said for line in found[0].lines] == ["", "removed", "added"]


# --- In the admin -----------------------------------------------------------------------------

DRAFT = {name: value for name, value in FORM.items() if name not in ("slug", "kind", "status")}


def page(name, persona):
    return reverse(f"admin:personas_persona_{name}", args=[persona.pk])


def test_staff_write_a_draft_see_the_difference_and_publish_it(admin_client):
    persona = published_persona(instructions="Be brief.")
    form = {**DRAFT, "instructions": "Be long.", "suggested_messages": "[]"}
    kept = admin_client.post(page("write_draft", persona), form, follow=True).content.decode()
    assert "The draft is kept" in kept
    look = admin_client.get(page("publish_draft", persona))
    assert "<ins>Be long.</ins>" in look.content.decode()
    admin_client.post(page("publish_draft", persona), {"seen": look.context["seen"]})
    assert Persona.objects.get().instructions == "Be long."
    done = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
    assert done == ["write draft of persona", "publish persona"]


def test_a_bad_draft_is_refused_in_words(admin_client):
    persona = published_persona()
    form = {**DRAFT, "suggested_messages": "[]", "provider_chain": '["nobody"]'}
    answer = admin_client.post(page("write_draft", persona), form)
    assert "No provider is called" in answer.content.decode()
    assert not PersonaDraft.objects.exists()


def test_staff_throw_a_draft_away(admin_client):
    persona = published_persona()
    drafted(persona, name="Nina")
    admin_client.post(page("write_draft", persona), {"discard": "1"})
    assert not PersonaDraft.objects.exists()


def test_publishing_blindly_is_refused(admin_client):
    persona = published_persona()
    drafted(persona, name="Nina")
    answer = admin_client.post(page("publish_draft", persona), {"seen": "guessed"})
    assert "Somebody changed it meanwhile" in answer.content.decode()
    assert Persona.objects.get().name == "Nora"


def test_a_version_page_shows_what_changed_and_what_has_since(admin_client):
    persona = published_persona(greeting="Hello")
    for greeting in ("Good day", "Good night"):
        persona.greeting = greeting
        save_persona(persona, author="ada")
    second = persona.versions.get(number=2)
    shown = admin_client.get(address("personaversion", "change", second.pk)).content.decode()
    assert "<del>Hello</del>" in shown
    assert "<ins>Good night</ins>" in shown
    listed = admin_client.get(address("personaversion", "changelist")).content.decode()
    assert "Greeting" in listed


def test_staff_who_may_only_look_write_no_draft(client, django_user_model):
    from django.contrib.auth.models import Permission

    user = django_user_model.objects.create_user("looker", password="x", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_persona"))
    client.force_login(user)
    persona = published_persona()
    assert client.get(page("write_draft", persona)).status_code == 403
    assert client.post(page("publish_draft", persona), {"seen": drafts.stamp(persona)}).status_code == 403
