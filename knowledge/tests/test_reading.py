"""Files of every kind give text with its place; the type is told by the content."""

import io
import json
from datetime import date

import pytest

from knowledge.formats.found import RefusedFile
from knowledge.reading import read
from knowledge.reading_process import found_in
from knowledge.tests import files


def in_child(content):
    import tempfile

    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        return read(file, size=len(content))


def texts(found):
    return [piece.text for piece in found.pieces]


def test_a_pdf_gives_a_section_for_each_page():
    reading = in_child(files.pdf("The first page.", "The second page."))

    assert [(s.text.strip(), s.locator) for s in reading.sections] == [
        ("The first page.", {"page": 1}),
        ("The second page.", {"page": 2}),
    ]
    assert (reading.mime, reading.page_count) == ("application/pdf", 2)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_text_is_read_in_every_unicode_encoding(encoding):
    text = "Zażółć gęślą jaźń, she said, and everyone in the office laughed out loud."

    assert texts(found_in(text.encode(encoding))) == [text]


def test_western_european_text_is_read_without_a_mark():
    assert texts(found_in("Das Büro öffnet früh.".encode("cp1252"))) == ["Das Büro öffnet früh."]


def test_markdown_gives_a_section_for_each_heading_with_its_line():
    found = found_in(b"Intro.\n\n# Holidays\n\nThirty days.\n\n## Sick leave\n\nCall before nine.\n")

    assert found.mime == "text/markdown"
    assert [piece.locator for piece in found.pieces] == [
        {"line": 1},
        {"line": 3, "heading": "Holidays"},
        {"line": 7, "heading": "Sick leave"},
    ]


def test_each_row_of_a_table_is_a_record_with_its_keys():
    found = found_in(b'Name;City;Note\nAda;London;"likes; semicolons"\nGrace;New York;\n')

    assert texts(found) == ["Name: Ada; City: London; Note: likes; semicolons", "Name: Grace; City: New York"]
    assert [piece.locator for piece in found.pieces] == [{"row": 2}, {"row": 3}]
    assert all(piece.is_record for piece in found.pieces)


def test_a_text_that_names_a_pdfs_first_bytes_is_text():
    found = found_in(b"# On PDF\n\nA PDF begins with %PDF-1.7 and ends with %%EOF.\n")

    assert found.mime == "text/markdown"


def test_what_begins_as_a_pdf_is_a_damaged_one():
    with pytest.raises(RefusedFile, match="damaged"):
        found_in(b"%PDF-1.7 but not really")


def test_a_byte_order_mark_too_many_is_in_no_name():
    found = found_in("\ufeff\ufeffName,City\nAda,London\n".encode())

    assert texts(found) == ["Name: Ada; City: London"]


def test_rows_have_the_numbers_that_a_spreadsheet_shows():
    found = found_in(b"\nName,City\n\nAda,London\n\n\nGrace,New York\n")

    assert [(piece.text, piece.locator) for piece in found.pieces] == [
        ("Name: Ada; City: London", {"row": 4}),
        ("Name: Grace; City: New York", {"row": 7}),
    ]


def test_prose_with_commas_is_no_table():
    found = found_in(b"Well, yes, I said so.\nThen, on Monday, she came, and we talked.\nNothing more.\n")

    assert found.mime == "text/plain"


def test_json_elements_are_records_with_their_keys():
    content = json.dumps(
        [{"name": "Ada", "tools": ["pen", "paper"]}, {"name": "Grace", "home": {"city": "NY"}}]
    )

    assert texts(found_in(content.encode())) == ["name: Ada; tools: pen, paper", "name: Grace; home.city: NY"]


def test_a_list_inside_an_object_is_records_too():
    found = found_in(json.dumps({"survey": "2025", "people": [{"name": "Ada"}, {"name": "Bob"}]}).encode())

    assert [(piece.text, piece.locator) for piece in found.pieces] == [
        ("survey: 2025", {}),
        ("people.name: Ada", {"row": 1, "sheet": "people"}),
        ("people.name: Bob", {"row": 2, "sheet": "people"}),
    ]


def test_json_lines_are_records():
    assert texts(found_in(b'{"a": 1}\n{"a": 2}\n')) == ["a: 1", "a: 2"]


def test_text_that_only_begins_like_json_is_text():
    assert texts(found_in(b"[Editor's note: this is prose]\nAnd more.")) == [
        "[Editor's note: this is prose]\nAnd more."
    ]


def test_a_word_file_gives_its_paragraphs_and_tables():
    found = found_in(files.docx("Ask your lead.", heading="Travel", table=[("Hotel", "120")]))

    assert texts(found) == ["Travel\n\nAsk your lead.\n\nHotel | 120"]
    assert found.pieces[0].locator["heading"] == "Travel"


def test_an_excel_row_is_a_record_of_its_sheet():
    found = found_in(files.xlsx([["Name", "Age"], ["Ada", 36]]))

    assert [(piece.text, piece.locator) for piece in found.pieces] == [
        ("Name: Ada; Age: 36", {"sheet": "People", "row": 2})
    ]


def test_empty_rows_above_the_header_of_a_sheet_are_no_header():
    found = found_in(files.xlsx([[None, None], ["", " "], ["Name", "Age"], [None, None], ["Ada", 36]]))

    assert [(piece.text, piece.locator["row"]) for piece in found.pieces] == [("Name: Ada; Age: 36", 5)]


def test_a_date_in_excel_is_a_day_and_empty_columns_are_nothing():
    found = found_in(files.xlsx([["Name", "Born", None, None], ["Ada", date(1815, 12, 10), None, None]]))

    assert texts(found) == ["Name: Ada; Born: 1815-12-10"]


def test_a_sheet_that_claims_to_be_wide_is_read_as_it_is():
    content = files.xlsx_with("xl/worksheets/sheet1.xml", before='<dimension ref="A1:XFD1048576"/>')

    assert texts(found_in(content)) == ["Name: Ada"]


def test_a_record_knows_what_names_it():
    (piece,) = found_in(b"Model,Notes,Price\nX-200," + b"long " * 40 + b",12\nX-201,short,13\n").pieces[:1]

    assert piece.key == "Model: X-200; Price: 12"


def test_a_web_page_gives_what_its_reader_sees():
    page = b"<!doctype html><head><title>x</title><script>alert(1)</script></head>"
    page += b"<body><h1>Hi</h1><p>Welcome &amp; on"

    assert texts(found_in(page)) == ["Hi\n\nWelcome & on"]


def test_the_name_of_a_file_does_not_matter():
    reading = in_child(files.docx("It is Word whatever it is called."))

    assert reading.mime.endswith("wordprocessingml.document")


def test_what_no_database_stores_is_taken_out():
    found = found_in(b'{"a": "one\\u0000two", "b": "\\ud800"}')

    assert texts(found) == ["a: onetwo; b: ?"]


def test_the_reader_gets_none_of_our_secrets(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    seen = {}

    def spy(*args, env, **kwargs):
        seen.update(env)
        raise OSError("no process")

    monkeypatch.setattr("subprocess.Popen", spy)
    with pytest.raises(OSError, match="no process"):
        read(io.BytesIO(b"x"), size=1)
    assert "OPENAI_API_KEY" not in seen
