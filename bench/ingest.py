"""How fast documents become searchable: pages of a PDF, rows of a CSV, of a JSON and of an Excel file.

Ours is the whole way: stored, read in a limited child process, cut, indexed, counted. The baseline does the
obvious with the same libraries and tables: it reads in its own process and saves one chunk after another.
It has no limits, no progress, and cuts every 1,000 characters, wherever that is.

python -m bench.ingest [pages] [rows]        on PostgreSQL: with DATABASE_URL
"""

import csv
import io
import json
import sys
import time

from bench import report
from bench.search import prepare

PAGES, ROWS = 600, 10_000
LINES_ON_A_PAGE = 40
# Times the baseline: a child process with limits, and telling how far it is, must cost less than they save.
TARGET = {"pages": 1.0, "rows": 1.5}
WINDOW = 1_000  # characters
TEXT = (
    "the invoice team sends each month a report on travel holidays budget hotels machines warranty orders "
    "customers support answers questions within two days and keeps records for seven years"
)
WORDS = TEXT.split()


def sentence(number):
    return " ".join(WORDS[(number * 7 + step * 5) % len(WORDS)] for step in range(12)).capitalize() + "."


def pdf(pages):
    from reportlab.pdfgen import canvas

    buffer = io.BytesIO()
    sheet = canvas.Canvas(buffer, invariant=1)
    for page in range(pages):
        for line in range(LINES_ON_A_PAGE):
            sheet.drawString(50, 800 - 18 * line, sentence(page * LINES_ON_A_PAGE + line))
        sheet.showPage()
    sheet.save()
    return buffer.getvalue()


COLUMNS = ("Model", "Category", "Price", "Warranty", "Note")


def table(rows):
    return [(f"X-{n}", WORDS[n % 20], str(n % 900), f"{n % 60} months", sentence(n)) for n in range(rows)]


def as_csv(rows):
    buffer = io.StringIO()
    csv.writer(buffer).writerows([COLUMNS, *rows])
    return buffer.getvalue().encode()


def as_json(rows):
    return json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows]).encode()


def as_xlsx(rows):
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Products")
    for row in (COLUMNS, *rows):
        sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def ours(collection, name, content):
    from knowledge.ingestion import add_document, read_document

    started = time.perf_counter()
    document = add_document(collection, title="", filename=name, content=content)
    read_document(document.pk)
    seconds = time.perf_counter() - started
    document.refresh_from_db()
    assert document.state == "ready", document.reason
    return seconds, document.chunk_count


def texts_of_pdf(content):
    import pypdfium2

    return [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(content)]


def texts_of_csv(content):
    rows = csv.DictReader(io.StringIO(content.decode()))
    return ["; ".join(f"{name}: {value}" for name, value in row.items()) for row in rows]


def texts_of_json(content):
    return ["; ".join(f"{name}: {value}" for name, value in row.items()) for row in json.loads(content)]


def texts_of_xlsx(content):
    import openpyxl

    names, *rows = openpyxl.load_workbook(io.BytesIO(content), read_only=True).active.iter_rows(
        values_only=True
    )
    return ["; ".join(f"{n}: {v}" for n, v in zip(names, row, strict=True)) for row in rows]


def naive(collection, name, content, *, texts_of):
    from knowledge.models import Chunk, Document
    from knowledge.words import padded, terms_of

    started = time.perf_counter()
    document = Document.objects.create(collection=collection, title=name, checksum=f"naive {name}")
    count = 0
    for text in texts_of(content):
        for at in range(0, len(text), WINDOW):
            terms = terms_of(text[at : at + WINDOW])
            Chunk.objects.create(
                document=document,
                collection=collection,
                position=count,
                text=text[at : at + WINDOW],
                terms=padded(terms),
                token_count=len(terms),
                text_checksum="",
            )
            count += 1
    return time.perf_counter() - started, count


def measured(pages, rows):
    """(name, unit, how many, ours, naive), each of the last two (seconds, chunks)."""
    from tests.factories import make_collection

    made = table(rows)
    for name, unit, count, content, texts_of in (
        ("a.pdf", "pages", pages, pdf(pages), texts_of_pdf),
        ("a.csv", "rows", rows, as_csv(made), texts_of_csv),
        ("a.json", "rows", rows, as_json(made), texts_of_json),
        ("a.xlsx", "rows", rows, as_xlsx(made), texts_of_xlsx),
    ):
        mine = ours(make_collection(), name, content)
        theirs = naive(make_collection(), name, content, texts_of=texts_of)
        yield name, unit, count, mine, theirs


def main(pages=PAGES, rows=ROWS):
    prepare()
    from django.db import connection

    report.heading("From file to searchable passages")
    report.settings({"database": connection.vendor, "pages": pages, "rows": rows})
    try:
        results = list(measured(pages, rows))
    finally:
        connection.creation.destroy_test_db("", verbosity=0)
    lines = [
        [f"{name} ({unit})", count / mine[0], count / theirs[0], mine[1], theirs[1]]
        for name, unit, count, mine, theirs in results
    ]
    columns = ["", "ours / s", "naive / s", "our chunks", "naive chunks"]
    report.table("Pages or rows a second", columns, lines)
    reached = [
        report.ratio(name, theirs[0], mine[0], of="one save a chunk", target=TARGET[unit])
        for name, unit, _, mine, theirs in results
    ]
    sys.exit(0 if all(reached) else 1)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:3]))
