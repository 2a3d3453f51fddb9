"""Character cards come in as drafts and leave as they came."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from config.api.models import AuditEntry
from personas import card_png
from personas.cards import MOST_BYTES, CardRefused
from personas.importing import exported_json, exported_png, import_card
from personas.models import Persona
from personas.tests.cards import DATA, as_json, as_png, card, card_in, chunk, picture
from personas.versions import save_persona
from tests.factories import bearer, make_account, make_key, make_persona

pytestmark = pytest.mark.django_db

IMPORT = "/api/v1/personas/import"


def imported(content=None):
    return import_card(make_account(), content or as_json(), author="ada")


def test_a_card_becomes_a_draft_that_nobody_meets(client, settings):
    settings.PERSONA_ACCOUNT = "acme"
    persona = imported().persona
    assert (persona.kind, persona.status, persona.slug, persona.version) == ("influencer", "draft", "ilse", 1)
    assert client.get("/api/v1/influencers").json()["influencers"] == []
    assert client.get(f"/api/v1/influencers/{persona.pk}").status_code == 404


def test_what_belongs_in_the_prompt_is_in_the_instructions_and_the_rest_is_not():
    persona = imported().persona
    parts = persona.instructions.split("\n\n")
    assert parts == [
        "Stay on the island.",
        "{{char}} is a lighthouse keeper. She speaks with {{user}}.",
        "Personality: dry, patient",
        "Scenario: A night on the island.",
        "Keep it short.",
    ]
    assert persona.greeting == "Mind the step, {{user}}."
    assert persona.examples == [{"person": "Is it lonely?", "persona": "With gulls? No."}]


def test_what_is_kept_and_not_used_is_told():
    notes = " ".join(imported().notes)
    assert "greetings" not in notes
    assert "character book" not in notes
    assert "1 parts" in notes


@pytest.mark.parametrize("content", [as_json(), as_png(as_json())])
def test_a_card_leaves_as_it_came(content):
    persona = Persona.objects.get(pk=imported(content).persona.pk)
    assert json.loads(exported_json(persona)) == card()
    assert card_in(exported_png(persona)) == card()


def test_what_was_changed_since_is_written_anew_and_nothing_else():
    persona = imported().persona
    persona.name, persona.instructions = "Elsa", "You are Elsa."
    save_persona(persona, author="ada")
    data = json.loads(exported_json(persona))["data"]
    empty = dict.fromkeys(("system_prompt", "personality", "scenario", "post_history_instructions"), "")
    assert data == {**DATA, **empty, "name": "Elsa", "description": "You are Elsa."}


def test_a_persona_that_was_never_a_card_is_read_again_as_it_is():
    examples = [{"person": "Hi", "persona": "Good evening."}]
    persona = make_persona(instructions="You bake.", greeting="Hello!", examples=examples, category="food")
    again = import_card(make_account("other"), exported_png(persona), author="ben").persona
    kept = ("name", "instructions", "greeting", "examples")
    assert [getattr(again, name) for name in kept] == [getattr(persona, name) for name in kept]


def test_two_cards_of_one_name_have_two_slugs():
    assert [imported().persona.slug, imported().persona.slug] == ["ilse", "ilse-2"]


def test_a_card_of_version_3_is_read(client):
    whole = {**card(), "spec": "chara_card_v3", "spec_version": "3.0"}
    made = imported(as_png(as_json(whole), keyword=b"ccv3"))
    assert made.persona.name == "Ilse"
    assert "version 3" in made.notes[0]


def test_both_chunks_give_the_one_of_version_2():
    both = as_png(as_json(), content=as_png(as_json(card(name="Three")), keyword=b"ccv3"))
    assert imported(both).persona.name == "Ilse"


def test_the_picture_is_drawn_anew_and_small():
    whole = as_png(as_json(), content=picture((900, 900)))
    persona = imported(whole[:-12] + chunk(b"eXIf", b"where it was taken") + whole[-12:]).persona
    kept = bytes(persona.card.picture)
    assert kept.startswith(card_png.SIGNATURE)
    assert b"where it was taken" not in kept
    assert b"tEXt" not in kept


HOSTILE = {
    "empty": b"",
    "no json": b"hello",
    "not utf-8": b"\xff\xfe\x00",
    "deep": b"[" * 100_000,
    "another spec": as_json({"spec": "chara_card_v9", "data": DATA}),
    "version 1": json.dumps(DATA).encode(),
    "data is a list": as_json({"spec": "chara_card_v2", "data": []}),
    "no name": as_json(card(name=" ")),
    "name of digits": as_json(card(name=7)),
    "greetings are a text": as_json(card(alternate_greetings="x")),
    "an endless number": as_json().replace(b"12345678901234567890123", b"1e999"),
    "not a number": as_json().replace(b"12345678901234567890123", b"NaN"),
    "a long name": as_json(card(name="x" * 121)),
    "a long greeting": as_json(card(first_mes="x" * 8_001)),
    "long instructions": as_json(card(description="x" * 20_001)),
    "a long card": as_json(card(creator_notes="x" * MOST_BYTES)),
    "a picture without a card": picture(),
    "a compressed chunk": as_png(as_json(), kind=b"zTXt"),
    "a cut picture": as_png(as_json())[:-20],
    "a length beyond the end": card_png.SIGNATURE + b"\xff\xff\xff\xfftEXt",
    "a wrong sum": as_png(as_json()).replace(b"chara\0", b"chara\0A"),
    "no base64": picture()[:-12] + chunk(b"tEXt", b"chara\0{}") + picture()[-12:],
    "no pixels": card_png.SIGNATURE + chunk(b"tEXt", b"chara\0e30=") + chunk(b"IEND", b""),
    "many chunks": card_png.SIGNATURE + chunk(b"tIME", b"") * 30_000,
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_file_that_is_no_good_card_is_refused_and_leaves_nothing(content):
    with pytest.raises(CardRefused):
        import_card(make_account(), content, author="ada")
    assert not Persona.objects.exists()


def test_a_picture_with_more_pixels_than_bytes_is_not_unpacked():
    header = (60_000).to_bytes(4) * 2 + b"\x08\x02\x00\x00\x00"
    bomb = card_png.SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", b"x" * 50) + chunk(b"IEND", b"")
    with pytest.raises(CardRefused, match=r"pixels|broken"):
        import_card(make_account(), as_png(as_json(), content=bomb), author="ada")


# --- Over the API -----------------------------------------------------------------------------


@pytest.fixture
def as_acme():
    return bearer(make_key(scopes=["personas"]))


def test_the_api_takes_json_png_and_a_form(client, as_acme):
    file = SimpleUploadedFile("ilse.png", as_png(as_json()), "image/png")
    answers = [
        client.post(IMPORT, as_json(), content_type="application/json", headers=as_acme),
        client.post(IMPORT, as_png(as_json()), content_type="image/png", headers=as_acme),
        client.post(IMPORT, {"file": file}, headers=as_acme),
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert [one.json()["data"]["persona"]["status"] for one in answers] == ["draft"] * 3
    assert answers[0].json()["data"]["notes"]
    assert AuditEntry.objects.filter(action="import persona").count() == 3


def test_the_api_says_what_is_wrong(client, as_acme):
    bad = client.post(IMPORT, b"{}", content_type="application/json", headers=as_acme)
    assert (bad.status_code, bad.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
    large = client.post(
        IMPORT, as_json(card(creator="x" * MOST_BYTES)), content_type="application/json", headers=as_acme
    )
    assert (large.status_code, large.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


def test_the_api_gives_the_card_in_both_forms(client, as_acme):
    path = f"/api/v1/personas/{imported().persona.pk}/card"
    assert client.get(path, headers=as_acme).json() == card()
    answer = client.get(f"{path}?as=png", headers=as_acme)
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="ilse.png"'
    assert card_in(answer.content) == card()
    assert client.get(f"{path}?as=gif", headers=as_acme).status_code == 400


def test_another_accounts_card_is_not_found_and_the_scope_is_asked_for(client, as_acme):
    other = make_persona(make_account("other"))
    assert client.get(f"/api/v1/personas/{other.pk}/card", headers=as_acme).status_code == 404
    without = bearer(make_key(scopes=["knowledge"]))
    assert client.post(IMPORT, as_json(), content_type="application/json", headers=without).status_code == 403


# --- In the admin -----------------------------------------------------------------------------


def test_staff_import_and_export(admin_client):
    file = SimpleUploadedFile("ilse.json", as_json(), "application/json")
    page = reverse("admin:personas_persona_import_a_card")
    answer = admin_client.post(page, {"account": make_account().pk, "file": file}, follow=True)
    assert "is here as a draft" in answer.content.decode()
    persona = Persona.objects.get()
    exported = admin_client.get(reverse("admin:personas_persona_card_as_json", args=[persona.pk]))
    assert exported.json() == card()
    assert AuditEntry.objects.filter(action="export persona").exists()


def test_staff_are_told_why_a_file_is_refused(admin_client):
    file = SimpleUploadedFile("x.json", b"{}", "application/json")
    page = reverse("admin:personas_persona_import_a_card")
    answer = admin_client.post(page, {"account": make_account().pk, "file": file})
    assert "no character card" in answer.content.decode()
