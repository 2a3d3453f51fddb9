"""A question and a passage meet in the same words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.words import LONGEST_TERM, MOST_QUESTION_TERMS, padded, question_terms, stem, terms_of


@pytest.mark.parametrize(
    "forms",
    [
        ("use", "uses", "used", "using"),
        ("tool", "tools"),
        ("company", "companies"),
        ("invoice", "invoices", "invoicing", "invoiced"),
        ("process", "processes", "processing"),
        ("run", "running"),
        ("slow", "slows", "slowed", "slowly"),
        ("day", "days", "daily"),
    ],
)
def test_forms_of_a_word_have_one_stem(forms):
    assert len({stem(form) for form in forms}) == 1


@pytest.mark.parametrize("word", ["bus", "gas", "this", "3d", "7", "ab"])
def test_short_words_are_left_alone(word):
    assert stem(word) == word


def test_accents_and_case_do_not_matter():
    assert terms_of("CAFÉ Zürich") == terms_of("cafe zurich")


def test_scripts_without_spaces_are_pairs_of_characters():
    assert terms_of("東京都") == ["東京", "京都"]


def test_vowel_signs_stay_in_their_word():
    assert terms_of("हिन्दी भाषा") == ["हिन्दी", "भाषा"]


def test_common_words_of_a_question_are_left_out_unless_there_are_no_others():
    assert question_terms("What did they say about the invoices?") == ["invoic"]
    assert question_terms("What did they say?") == ["what", "did", "they", "say"]


def test_a_question_of_ten_thousand_characters_is_cut():
    assert len(question_terms(" ".join(f"word{n}" for n in range(3_000)))) == MOST_QUESTION_TERMS


@settings(deadline=None)  # a busy machine is no mistake of ours
@given(st.text(max_size=300))
def test_no_term_holds_what_the_index_would_split(text):
    for term in terms_of(text):
        assert 0 < len(term) <= LONGEST_TERM
        assert not any(character.isascii() and not character.isalnum() for character in term)


@settings(deadline=None)  # a busy machine is no mistake of ours
@given(st.lists(st.sampled_from(["a", "b", "ab"]), max_size=30))
def test_counting_a_padded_term_is_exact(terms):
    assert padded(terms).count(" a ") == terms.count("a")


def test_a_part_number_is_one_word_too_however_it_is_written():
    assert terms_of("Model X-200") == ["model", "x", "200", "x200"]
    assert "x200" in question_terms("warranty of the X200?")
    assert "en60745" in terms_of("after EN.60745")


@pytest.mark.parametrize("text", ["2024-01-31", "3.5", "192.168.0.1", "and/or", "well-known", "a_b"])
def test_dates_decimals_and_joined_words_are_no_part_numbers(text):
    assert all(term in text for term in terms_of(text))


@pytest.mark.parametrize(
    ("one", "other"),
    [("cancelling", "cancel"), ("travelled", "travels"), ("controlled", "controls"), ("falling", "fall")],
)
def test_a_doubled_l_is_the_same_word(one, other):
    assert terms_of(one) == terms_of(other)
