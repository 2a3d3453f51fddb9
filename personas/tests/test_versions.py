"""A change can be undone."""

import pytest
from django.core.exceptions import ValidationError

from personas.models import Persona, PersonaVersion
from personas.versions import keep_version, restore, save_persona
from tests.factories import make_persona

pytestmark = pytest.mark.django_db


def test_each_change_is_a_version():
    persona = make_persona(name="One")
    save_persona(persona, author="ada")
    persona.name = "Two"
    save_persona(persona, author="ben")
    shown = PersonaVersion.objects.order_by("number").values_list("number", "author", "content__name")
    assert list(shown) == [(1, "ada", "One"), (2, "ben", "Two")]


def test_a_save_without_a_change_is_none():
    persona = make_persona()
    save_persona(persona, author="ada")
    assert keep_version(persona, author="ada") is None


def test_restoring_brings_back_everything_and_is_a_version_itself():
    persona = make_persona(name="One", traits={"tone": "warm"}, instructions="Old")
    first = keep_version(persona, author="ada")
    persona.name, persona.traits, persona.instructions = "Two", {}, "New"
    save_persona(persona, author="ada")
    restore(first, author="ben")
    persona.refresh_from_db()
    assert (persona.name, persona.traits, persona.instructions) == ("One", {"tone": "warm"}, "Old")
    assert PersonaVersion.objects.first().number == 3


def test_a_version_that_can_no_longer_be_is_refused():
    persona = make_persona(name="Now")
    version = PersonaVersion.objects.create(
        persona=persona, number=1, content={"name": "Then", "provider_chain": ["gone"]}
    )
    with pytest.raises(ValidationError):
        restore(version, author="ada")
    assert Persona.objects.get().name == "Now"


def test_a_version_from_before_a_field_existed_leaves_it_alone():
    persona = make_persona(name="Now", voice="alto")
    restore(PersonaVersion.objects.create(persona=persona, number=1, content={"name": "Then"}), author="ada")
    assert list(Persona.objects.values_list("name", "voice")) == [("Then", "alto")]
