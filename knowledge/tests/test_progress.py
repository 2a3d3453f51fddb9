"""How far the reader of a large file is can be seen while it reads."""

import tempfile

import pytest

from knowledge import ingestion, reading
from knowledge.ingestion import add_document, read_document
from knowledge.models import Document
from knowledge.reading import read
from knowledge.tests import files
from tests.factories import make_collection


def told_of(content):
    told = []
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        read(file, size=len(content), on_progress=lambda *step: told.append(step))
    return told


def table(rows):
    return b"Name,City,Note\n" + b"".join(b"Person %d,London,says little\n" % n for n in range(rows))


@pytest.fixture
def tell_all(monkeypatch):
    monkeypatch.setattr(reading, "TELL_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(ingestion, "TELL_EVERY_SECONDS", 0.0)


def test_rows_are_told_as_they_are_read(tell_all):
    told = told_of(table(90_000))

    done = [step[0] for step in told]
    assert len(done) >= 2
    assert done == sorted(done)
    assert {step[1:] for step in told} == {(90_001, "rows")}


def test_pages_are_told_as_they_are_read(tell_all):
    told = told_of(files.pdf(*(f"Page {n}" for n in range(40))))

    assert told[0][1:] == (40, "pages")


@pytest.mark.django_db
def test_the_row_shows_it_and_never_goes_back(tell_all, monkeypatch):
    seen = []
    note = ingestion._progress

    def noted(document, percent, **units):
        if seen and percent == seen[-1][0]:
            return  # each of thousands of passages tells it
        note(document, percent, **units)
        row = Document.objects.get(pk=document.pk)
        seen.append((row.progress_percent, row.units_done, row.units_total, row.unit))

    monkeypatch.setattr(ingestion, "_progress", noted)
    document = add_document(make_collection(), title="", filename="a.csv", content=table(60_000))
    read_document(document.pk)
    document.refresh_from_db()

    percents = [step[0] for step in seen]
    assert percents == sorted(percents)
    assert len(set(percents)) > 4
    assert any(5 < percent < 60 for percent in percents)
    assert seen[0][2:] == (60_001, "rows")
    assert (document.state, document.progress_percent) == ("ready", 100)
    assert document.units_done == document.units_total


def test_a_reader_that_was_taken_over_cannot_make_us_believe_anything():
    assert reading.PROGRESS_LINE.findall(b"1 2 rows\n") == [(b"1", b"2", b"rows")]
    for junk in (b"-1 2 rows\n", b"1 2 <script>\n", b"9" * 40 + b" 1 rows\n", b"1 2 row", b"\xff\n"):
        assert reading.PROGRESS_LINE.findall(junk) == []


def test_a_progress_that_cannot_be_stored_stops_the_reader(tell_all):
    def fails(*_):
        raise OSError("the database is away")

    content = table(50_000)
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        with pytest.raises(OSError, match="away"):
            read(file, size=len(content), on_progress=fails)
