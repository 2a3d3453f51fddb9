"""Files made to hurt are refused with a reason, and the parent lives on."""

import tempfile

import pytest

from knowledge import reading
from knowledge.reading import Refused, read
from knowledge.tests import files


def refusal(content):
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        with pytest.raises(Refused) as refused:
            read(file, size=len(content))
    return str(refused.value)


def assert_alive():
    with tempfile.TemporaryFile() as file:
        file.write(b"Still here.")
        file.seek(0)
        assert read(file, size=11).sections[0].text == "Still here."


def zip_of_zeros(name, size):
    return files.archive({"[Content_Types].xml": "<Types/>", name: b"\0" * size})


HOSTILE = {
    "an encrypted PDF": (lambda: files.pdf("secret", password="pw"), "encrypted"),
    "a PDF without text": (lambda: files.pdf(""), "scanned"),
    "a PDF of 100,000 pages": (lambda: files.many_pages_pdf(100_000), "pages"),
    "a cyclic PDF": (files.cyclic_pdf, "PDF|damaged"),
    "a truncated PDF": (lambda: files.pdf("hello")[:200], "damaged"),
    "a table of a million columns": (
        lambda: b",".join([b"a"] * 1_000_000) + b"\n" + b"1," * 999_999,
        "columns",
    ),
    "JSON 100,000 levels deep": (lambda: b"[" * 100_000 + b"]" * 100_000, "levels deep"),
    "an archive": (lambda: files.archive({"a.txt": "hello"}), "zip archive"),
    "a zip bomb": (lambda: zip_of_zeros("word/document.xml", 400_000_000), "zip bomb"),
    "an Excel bomb": (lambda: zip_of_zeros("xl/workbook.xml", 400_000_000), "zip bomb"),
    "a broken archive": (lambda: b"PK\x03\x04" + b"x" * 100, "damaged"),
    "NUL bytes": (lambda: b"hello\x00\x00\x00world and so on", "NUL"),
    "UTF-16 with NUL characters": (lambda: "a\x00b".encode("utf-16"), "NUL"),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(range(1, 256)) * 20, "not text"),
    "an old Office file": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "docx"),
    "nothing": (lambda: b" \n\t ", "empty"),
    "a header without rows": (lambda: b'{"a": ""}', "no text"),
    "too many records": (lambda: b"a,b\n" + b"1,2\n" * 100_001, "records"),
    "too much text": (lambda: b"word " * 4_100_000, "characters"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_it_is_refused_with_a_reason(kind):
    make, words = HOSTILE[kind]
    reason = refusal(make())

    assert any(word in reason for word in words.split("|")), reason
    assert_alive()


def test_a_zip_that_lies_about_its_size_is_refused():
    bomb = bytearray(zip_of_zeros("word/document.xml", 150_000_000))
    honest = (150_000_000).to_bytes(4, "little")
    # Both the local header and the central directory state 1,000 bytes now.
    while honest in bomb:
        at = bomb.index(honest)
        bomb[at : at + 4] = (1_000).to_bytes(4, "little")

    assert refusal(bytes(bomb)) in (
        "It begins like a Word or Excel file, but it is damaged.",
        "It begins like a Word file, but its text is damaged.",
    )
    assert_alive()


def test_an_xml_bomb_expands_to_nothing():
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    xml = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{laughs}]><w:document xmlns:w="{files.WORD}">'
    xml += "<w:p><w:r><w:t>&l9;</w:t></w:r></w:p></w:document>"

    assert "text" in refusal(files.docx_of_xml(xml))


LAUGHS = '<!ENTITY l0 "lol">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
SECRET_FILE = '<!ENTITY l9 SYSTEM "file:///etc/passwd">'
FOREIGN_PAGE = '<!ENTITY l9 SYSTEM "http://127.0.0.1:9/x">'
DECLARATIONS = {"a bomb": LAUGHS, "a local file": SECRET_FILE, "a page": FOREIGN_PAGE}


def what_is_read(content):
    """The text, or the refusal's words."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        try:
            return " ".join(section.text for section in read(file, size=len(content)).sections)
        except Refused as refused:
            return str(refused)


@pytest.mark.parametrize("kind", DECLARATIONS)
def test_entities_of_a_word_file_are_never_expanded_or_fetched(kind):
    xml = f'<?xml version="1.0"?><!DOCTYPE x [{DECLARATIONS[kind]}]><w:document xmlns:w="{files.WORD}">'
    xml += "<w:p><w:r><w:t>Before. &l9; After.</w:t></w:r></w:p></w:document>"

    said = what_is_read(files.docx_of_xml(xml))
    assert "root:" not in said
    assert "lol" not in said
    assert len(said) < 1_000


@pytest.mark.parametrize("part", ["xl/sharedStrings.xml", "xl/worksheets/sheet1.xml", "xl/workbook.xml"])
@pytest.mark.parametrize("kind", DECLARATIONS)
def test_entities_of_an_excel_file_are_never_expanded_or_fetched(kind, part):
    said = what_is_read(files.xlsx_with(part, doctype=f"<!DOCTYPE x [{DECLARATIONS[kind]}]>", text="&l9;"))

    assert "root:" not in said
    assert "lollol" not in said
    assert len(said) < 1_000
    assert_alive()


@pytest.mark.parametrize("part", ["xl/sharedStrings.xml", "xl/worksheets/sheet1.xml"])
def test_the_same_excel_file_without_entities_is_read(part):
    assert what_is_read(files.xlsx_with(part, text="Grace")) == "Name: Grace"


def nested_docx(depth):
    body = "<w:p>" * depth + "<w:r><w:t>deep</w:t></w:r>" + "</w:p>" * depth
    return files.docx_of_xml(f'<w:document xmlns:w="{files.WORD}"><w:body>{body}</w:body></w:document>')


def sheet_of(rows):
    return files.xlsx_with("xl/worksheets/sheet1.xml", rows=rows)


MORE_HOSTILE = {
    "a Word file nested 100,000 deep": (lambda: nested_docx(100_000), "damaged|memory"),
    "an Excel file that says it has columns to the end": (
        lambda: sheet_of(files.SHEET_HEAD + '<row r="2"><c r="XFD2"><v>1</v></c></row>'),
        "columns",
    ),
    "an Excel file of endless row numbers": (
        lambda: sheet_of(files.SHEET_HEAD + '<row r="99999999999"><c r="A2"><v>1</v></c></row>'),
        "longer than is allowed|damaged",
    ),
    "an Excel file of one enormous cell": (
        lambda: sheet_of(f'<row r="1"><c t="inlineStr"><is><t>{"word " * 30_000_000}</t></is></c></row>'),
        "zip bomb|characters|memory",
    ),
    "an Excel file without sheets": (
        lambda: files.archive({"xl/workbook.xml": "<workbook/>"}),
        "damaged",
    ),
    "an Excel file that names a text it does not hold": (
        lambda: sheet_of(files.SHEET_HEAD + '<row r="2"><c r="A2" t="s"><v>7</v></c></row>'),
        "damaged",
    ),
    "an archive with a locked part": (lambda: files.locked_archive(), "encrypted"),
    "an archive of 100,000 parts": (
        lambda: files.archive({"word/document.xml": "<x/>", **{f"{n}": "" for n in range(6_000)}}),
        "zip bomb",
    ),
    "JSON of 65 levels": (lambda: b"[" * 65 + b"1" + b"]" * 65, "levels deep"),
    "a table with an enormous field": (
        lambda: b"a,b\n" + b"1,2\n" * 60 + b'1,"' + b"x" * 300_000 + b'"\n',
        "longer than",
    ),
    "a PDF with a stronger lock": (lambda: files.pdf("x", password="pw", strength=128), "encrypted"),
    "a PDF whose table of places points at itself": (files.self_referring_pdf, "PDF|damaged|scanned"),
    "a web page without words": (lambda: b"<!doctype html><script>alert(1)</script>", "no text"),
}


@pytest.mark.parametrize("kind", MORE_HOSTILE)
def test_these_are_refused_with_a_reason_too(kind, monkeypatch):
    monkeypatch.setattr(reading, "CPU_SECONDS", 4)
    make, words = MORE_HOSTILE[kind]
    reason = refusal(make())

    assert any(word in reason for word in words.split("|")), reason
    assert_alive()


def test_an_endless_number_is_no_number():
    assert what_is_read(b'{"a": ' + b"9" * 1_000_000 + b"}").startswith('{"a": 999')
    assert_alive()


@pytest.mark.parametrize(
    "page",
    [
        b"<!doctype html>" + b"<div>" * 200_000 + b"Deep down." + b"</div>" * 200_000,
        b"<!doctype html><p " + b"a=b " * 200_000 + b">Deep down.</p>",
        b"<!doctype html><p>Deep down.</p>" + b"<!--" * 50_000,
        b"<!doctype html><h1>" * 2_000 + b"Deep down.",
        b"<!doctype html><p>Deep down.</p><" + b"a" * 1_000_000,
    ],
    ids=["nested", "attributes", "comments", "headings", "one tag"],
)
def test_a_web_page_made_to_hurt_is_read_in_time_or_refused(page, monkeypatch):
    monkeypatch.setattr(reading, "CPU_SECONDS", 6)
    said = what_is_read(page)

    assert "Deep down." in said or said in (reading.TOO_LONG, reading.TOO_MUCH_MEMORY)
    assert_alive()


def test_a_reader_that_needs_too_much_memory_is_stopped(monkeypatch):
    monkeypatch.setattr(reading, "BASE_MEMORY_BYTES", 60 * 1024 * 1024)
    monkeypatch.setattr(reading, "MEMORY_PER_BYTE", 0)

    assert refusal(b"some words. " * 3_000_000) in (reading.TOO_MUCH_MEMORY, reading.BROKE_THE_READER)
    assert_alive_after(monkeypatch)


def test_a_reader_that_computes_too_long_is_stopped(monkeypatch):
    monkeypatch.setattr(reading, "CPU_SECONDS", 1)

    assert refusal(files.nested_flate_pdf()) in (reading.TOO_LONG, reading.TOO_MUCH_MEMORY)
    assert_alive_after(monkeypatch)


def test_a_reader_that_hangs_is_stopped(monkeypatch):
    monkeypatch.setattr(reading, "WALL_SECONDS", 0.01)

    assert refusal(b"hello") == reading.TOO_LONG
    assert_alive_after(monkeypatch)


def test_a_reader_that_says_too_much_is_stopped(monkeypatch):
    monkeypatch.setattr(reading, "OUTPUT_BYTES", 1_000)

    assert refusal(b"word " * 1_000) == reading.TOO_MUCH_TEXT
    assert_alive_after(monkeypatch)


def test_a_file_beyond_the_limit_is_not_even_opened(settings):
    settings.MAX_DOCUMENT_BYTES = 10

    assert refusal(b"eleven bytes") == "It is larger than 0 MB."


def assert_alive_after(monkeypatch):
    monkeypatch.undo()
    assert_alive()
