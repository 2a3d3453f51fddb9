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
