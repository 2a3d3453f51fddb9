"""Chunks are a few hundred words, end at sentences, and keep their place."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.chunking import CHUNK_WORDS, OVERLAP_WORDS, Section, chunked, length


def prose(sentences):
    return " ".join(f"Sentence number {n} tells something small." for n in range(sentences))


def test_a_short_section_is_one_chunk():
    (chunk,) = chunked([Section("One. Two.", {"page": 1})])

    assert (chunk.text, chunk.locator) == ("One. Two.", {"page": 1})


def test_long_prose_is_cut_between_sentences_with_a_small_overlap():
    chunks = list(chunked([Section(prose(100), {"page": 1})]))

    assert len(chunks) > 1
    assert all(length(chunk.text) <= CHUNK_WORDS and chunk.text.endswith(".") for chunk in chunks)
    last = chunks[0].text.split(". ")[-1]
    assert last in chunks[1].text
    assert length(chunks[1].text[: chunks[1].text.index(last) + len(last)]) <= OVERLAP_WORDS


def test_pages_are_never_mixed():
    chunks = list(chunked([Section("Page one.", {"page": 1}), Section("Page two.", {"page": 2})]))

    assert [chunk.locator for chunk in chunks] == [{"page": 1}, {"page": 2}]


def test_records_are_never_cut_and_short_ones_share_a_chunk():
    rows = [
        Section(f"Name: Person {n}; Note: " + "word " * 50, {"row": n}, is_record=True) for n in range(2, 12)
    ]
    chunks = list(chunked(rows))

    assert [(chunk.locator["row"], chunk.locator["last_row"]) for chunk in chunks] == [
        (2, 5),
        (6, 9),
        (10, 11),
    ]
    assert "\n".join(chunk.text for chunk in chunks) == "\n".join(row.text for row in rows)


def test_a_long_record_stays_whole():
    (chunk,) = chunked([Section("word " * 1_000, {"row": 2}, is_record=True)])

    assert length(chunk.text) == 1_000


def test_a_monstrous_record_is_cut_so_that_it_can_be_read_at_all():
    chunks = list(chunked([Section("word " * 10_000, {"row": 2}, is_record=True)]))

    assert len(chunks) > 10
    assert all(chunk.locator == {"row": 2} for chunk in chunks)


def test_rows_of_two_sheets_do_not_share_a_chunk():
    rows = [Section("a", {"row": 2, "sheet": name}, is_record=True) for name in ("One", "Two")]

    assert [chunk.locator for chunk in chunked(rows)] == [
        {"row": 2, "sheet": "One"},
        {"row": 2, "sheet": "Two"},
    ]


@pytest.mark.parametrize("is_record", [True, False])
def test_short_messages_are_never_joined(is_record):
    sections = [
        Section(f"Tools\nAda answered: {tool}.", {"messages": [seq]}, is_record)
        for seq, tool in ((4, "Excel"), (6, "Jira"))
    ]

    assert [(chunk.text, chunk.locator) for chunk in chunked(sections)] == [
        ("Tools\nAda answered: Excel.", {"messages": [4]}),
        ("Tools\nAda answered: Jira.", {"messages": [6]}),
    ]


def test_a_long_message_keeps_its_seq_in_every_chunk():
    chunks = list(chunked([Section(f"Tools\nAda answered: {prose(100)}", {"messages": [4]})]))

    assert len(chunks) > 1
    assert all(chunk.locator == {"messages": [4]} for chunk in chunks)


def test_a_line_without_an_end_is_cut():
    assert len(list(chunked([Section("x" * 50_000, {"line": 1})]))) > 5


@settings(deadline=None)  # a busy machine is no mistake of ours
@given(st.text(max_size=2_000))
def test_no_word_is_lost(text):
    joined = "".join(chunk.text for chunk in chunked([Section(text, {})]))

    assert set("".join(text.split())) <= set("".join(joined.split()))
