"""What of a character book belongs to a talk, and books as other programs write them."""

import pytest
from django.core.exceptions import ValidationError

from personas.card_book import as_card, book_in
from personas.cards import fields_of, read_card, spoken
from personas.character_books import MOST_ENTRIES, SETTINGS, check_book, told
from personas.models import Persona
from personas.prompts import system_prompt
from personas.tests.cards import as_json, card
from personas.variables import values_of

VALUES = values_of("Ilse", [])


def entry(content, *keys, **fields):
    return {"keys": list(keys), "content": content, **fields}


def book(*entries, **settings):
    made = {**settings, "entries": list(entries)}
    check_book(made)
    return made


def contents(the_book, *said):
    found = told(the_book, said, VALUES)
    return [line for part in (found.before, found.after) for line in part.split("\n") if line]


# --- Keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "said", "is_told"),
    [
        ("lamp", "The LAMP is out.", True),
        ("lamp", "A clamp.", False),
        ("old lamp", "Is that the old lamp?", True),
        ("C++", "I write C++.", True),
        ("灯台", "この灯台は古い", True),
        ("{{char}}", "Hello, Ilse!", True),
        ("Straße", "in der STRASSE", True),
        (".*", "anything", False),
    ],
)
def test_a_key_is_found_as_a_word(key, said, is_told):
    assert contents(book(entry("It is old.", key)), said) == (["It is old."] if is_told else [])


def test_a_key_may_care_for_case():
    the_book = book(entry("A month.", "May", case_sensitive=True))
    assert contents(the_book, "I may go.") == []
    assert contents(the_book, "In May.") == ["A month."]


def test_a_selective_entry_needs_a_key_of_both_kinds():
    the_book = book(entry("Oil.", "lamp", secondary_keys=["oil", "wick"], selective=True))
    assert contents(the_book, "The lamp.") == []
    assert contents(the_book, "The lamp.", "Its wick?") == ["Oil."]


def test_secondary_keys_count_only_where_the_entry_is_selective():
    assert contents(book(entry("Oil.", "lamp", secondary_keys=["oil"])), "The lamp.") == ["Oil."]


def test_a_constant_entry_is_always_told_and_a_switched_off_one_never():
    the_book = book(entry("Sea.", constant=True), entry("Oil.", "lamp", enabled=False))
    assert contents(the_book, "The lamp.") == ["Sea."]
    assert contents(the_book) == ["Sea."]


def test_only_the_latest_messages_are_looked_at():
    the_book = book(entry("Old.", "lamp"), scan_depth=2)
    assert contents(the_book, "lamp", "one", "two") == []
    assert contents(the_book, "one", "lamp", "two") == ["Old."]
    assert contents(book(entry("Old.", "lamp"), scan_depth=0), "lamp") == []


def test_entries_are_found_in_entries_where_the_book_says_so():
    chain = (entry("The lamp needs oil.", "lamp"), entry("Oil comes by boat.", "oil"))
    assert contents(book(*chain), "lamp") == ["The lamp needs oil."]
    both = ["The lamp needs oil.", "Oil comes by boat."]
    assert contents(book(*chain, recursive_scanning=True), "lamp") == both


# --- Order and room -------------------------------------------------------------------------------


def test_entries_are_told_by_their_order_before_and_after_the_persona():
    the_book = book(
        entry("Third.", "x", insertion_order=30),
        entry("First.", "x", insertion_order=-1),
        entry("Last.", "x", position="after_char", insertion_order=0),
    )
    found = told(the_book, ["x"], VALUES)
    assert (found.before, found.after) == ("First.\nThird.", "Last.")


def test_what_does_not_fit_is_left_out_the_lowest_priority_first():
    the_book = book(
        entry("a" * 40, "x", priority=1),
        entry("b" * 40, "x", priority=3),
        entry("c" * 40, "x", priority=2),
        token_budget=25,
    )
    assert contents(the_book, "x") == ["b" * 40, "c" * 40]


def test_a_smaller_one_takes_the_room_that_a_large_one_does_not_fit():
    the_book = book(entry("a" * 400, "x", priority=1), entry("b", "x"), token_budget=10)
    assert contents(the_book, "x") == ["b"]


def test_what_is_told_joins_the_instructions_with_its_places_filled():
    persona = Persona(
        name="Ilse",
        kind="influencer",
        instructions="You keep a lighthouse.",
        character_book=book(
            entry("{{char}} is old.", "lamp"), entry("Be dry.", "lamp", position="after_char")
        ),
    )
    prompt = system_prompt(persona, said=["The lamp?"])
    assert "Ilse is old.\n\nYou keep a lighthouse.\n\nBe dry." in prompt
    assert "is old" not in system_prompt(persona, said=["The sea?"])


# --- Checked --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {"entries": {}},
        {"entries": [entry("x", "k")] * (MOST_ENTRIES + 1)},
        {"entries": [entry("x")]},
        {"entries": [entry("", "k")]},
        {"entries": [entry("x\0", "k")]},
        {"entries": [entry("x", "k", priority=1.5)]},
        {"entries": [entry("x", "k", enabled=1)]},
        {"entries": [entry("x", "k", position="inside")]},
        {"entries": [entry("x", "k", colour="red")]},
        {"entries": [entry("x" * 4_001, "k")]},
        {"entries": [entry("x" * 4_000, "k")] * 51},
        {"entries": ["x"]},
        {"token_budget": -1},
        {"scan_depth": True},
        {"recursive_scanning": "yes"},
        {"name": "x"},
    ],
)
def test_what_is_no_book_is_refused(wrong):
    with pytest.raises(ValidationError):
        check_book(wrong)


# --- Cards ----------------------------------------------------------------------------------------


def read(given):
    return book_in({"character_book": given}, spoken)


def test_a_book_of_a_card_is_read_kindly():
    rows = [
        {"keys": "lamp, old lamp", "content": " It is <BOT>'s. ", "insertion_order": 2.0, "extensions": {}},
        {"keys": [], "content": "Always.", "constant": True, "enabled": False, "id": 7},
        {"keys": [], "content": "Never."},
        {"keys": ["x"], "content": ""},
        {"keys": [3], "content": "x"},
        "x",
    ]
    found, left_out = read({"entries": rows, "token_budget": 99_999, "scan_depth": None, "extensions": {}})
    check_book(found)
    first, second = found["entries"]
    assert (first["keys"], first["content"], first["insertion_order"]) == (
        ["lamp", "old lamp"],
        "It is {{char}}'s.",
        2,
    )
    assert (second["constant"], second["enabled"]) == (True, False)
    assert (found["token_budget"], found["scan_depth"], left_out) == (4_000, SETTINGS["scan_depth"], 4)


@pytest.mark.parametrize("given", [None, [], "x", {}, {"entries": None}, {"entries": []}, {"entries": [1]}])
def test_what_holds_no_entry_is_no_book(given):
    assert read(given)[0] == {}


def test_a_book_of_a_hostile_card_stays_within_its_limits():
    rows = [{"keys": ["k"] * 1_000, "content": "x" * 4_000}] * 2_000
    found, left_out = read({"entries": rows})
    check_book(found)
    assert (len(found["entries"]), left_out) == (50, 1_950)


def test_an_imported_persona_has_the_book_and_the_greetings_of_its_card():
    fields = fields_of(read_card(as_json(card(alternate_greetings=["You again.", "", 3, "You again."]))))
    assert fields["alternate_greetings"] == ["You again."]
    assert fields["character_book"]["entries"][0]["keys"] == ["lamp"]


def test_our_book_leaves_as_the_specification_has_it():
    left = as_card(book(entry("Old.", "lamp")))
    (only,) = left["entries"]
    assert {"keys", "content", "extensions", "enabled", "insertion_order"} <= only.keys()
    assert left["extensions"] == {}
    assert book_in({"character_book": left}, spoken)[0]["entries"][0]["content"] == "Old."
