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


def rows_of(count, words=50):
    return [
        Section(f"Name: Person {n}; Note: " + "word " * words, {"row": n}, is_record=True)
        for n in range(2, count + 2)
    ]


def test_each_row_of_a_usual_table_is_a_chunk_of_its_own():
    rows = rows_of(300, words=3)

    assert [chunk.locator for chunk in chunked(rows)] == [{"row": n} for n in range(2, 302)]


def test_rows_of_a_large_table_share_chunks_and_are_never_cut():
    rows = rows_of(20_000, words=10)
    chunks = list(chunked(rows))

    assert 4_000 < len(chunks) < 11_000
    assert chunks[0].locator["last_row"] > chunks[0].locator["row"]
    assert "\n".join(chunk.text for chunk in chunks) == "\n".join(row.text for row in rows)


def test_a_long_record_stays_whole():
    (chunk,) = chunked([Section("word " * 1_000, {"row": 2}, is_record=True)])

    assert length(chunk.text) == 1_000


def test_each_part_of_a_monstrous_record_says_which_record_it_is():
    row = Section("Model: X-200; Notes: " + "word " * 10_000, {"row": 2}, is_record=True, key="Model: X-200")
    chunks = list(chunked([row]))

    assert len(chunks) > 10
    assert all(chunk.locator == {"row": 2} for chunk in chunks)
    assert all(chunk.text.startswith("Model: X-200; ") for chunk in chunks)
    assert "Model: X-200; Model: X-200" not in chunks[0].text


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
