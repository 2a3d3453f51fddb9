"""The rows of a file that could not be imported, to be downloaded, mended and sent again."""

from collections.abc import Iterator

from django.utils.translation import gettext as _

from campaigns import importing
from campaigns.csv_reading import CsvRefusedError, Table
from campaigns.models import ContactImport
from crm import spreadsheets


def error_rows(kept: ContactImport) -> Iterator[str]:
    """Every row with an error as CSV, as it was sent, with line and reason; safe to open in a spreadsheet."""
    try:
        table = importing.table_of(kept)
        yield spreadsheets.written([[_("line"), _("reason"), *table.headings]])
        yield from _error_lines(kept, table)
    except (CsvRefusedError, FileNotFoundError):  # the file is gone: the reasons are still there
        reasons = [[str(error["line"]), str(error["reason"])] for error in kept.errors]
        yield spreadsheets.written([[_("line"), _("reason")], *reasons])


def _error_lines(kept: ContactImport, table: Table) -> Iterator[str]:
    fields, seen = table.fields(kept.mapping), set[str]()
    for rows in importing.chunked(table.rows()):
        found = importing.DryRun(most_errors=len(rows))
        importing.look_at(kept.campaign, rows, fields, seen=seen, found=found)
        cells = dict(rows)
        lines = [[str(one["line"]), one["reason"], *cells[one["line"]]] for one in found.errors]
        if lines:
            yield spreadsheets.written(lines)
