"""How fast a list of people is checked and imported: 100,000 rows of CSV, and of Excel.

Ours is the whole way as the pages do it: read, columns guessed, every row checked against suppressions and
the contacts there are, then contacts, addresses and recipients made in steps that survive a kill. After
that the same file again, with a new column: everybody is known and completed. The baseline does the
obvious for a sample: one row after another, `get_or_create` for each of the three tables.

python -m bench.importing [rows] [sqlite] [postgres]
"""

import csv
import io
import itertools
import os
import subprocess
import sys
import time

from bench import report
from bench.search import prepare
from tests.run import LANES, database

ROWS = 100_000
SAMPLE = 2_000
MOST_SECONDS = 60  # for a check and an import of 100,000 rows
TARGET = 5.0  # times the rows a second of the baseline
FIRST = ("Ada", "Zoë", "Małgorzata", "José", "Bilal", "Ngozi", "Søren", "Giulia", "Анна", "Li")
LAST = ("Lovelace", "Łącka", "Müller", "Muñoz", "Haddad", "Okafor", "Kjær", "Rossi", "Петрова", "Wei")
HEADING = ["E-Mail", "Full name", "Company", "Language", "City"]


def people(rows, more=()):
    yield [*HEADING, *(name for name, _value in more)]
    for n in range(rows):
        name = f"{FIRST[n % 10]} {LAST[n // 10 % 10]}"
        host = f"company{n % 700}.example.com"
        yield [
            f"person{n}+news@{host}",
            name,
            f"Company {n % 700}",
            "en",
            f"City {n % 90}",
            *(v for _n, v in more),
        ]


def as_csv(rows, more=()):
    buffer = io.StringIO()
    csv.writer(buffer).writerows(people(rows, more))
    return buffer.getvalue().encode()


def as_xlsx(rows):
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("People")
    for row in people(rows):
        sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def ours(campaign, content):
    """Seconds until the file is kept, until it is checked, until everybody is imported; the longest step."""
    from campaigns import importing
    from campaigns.models import ContactImport

    times, steps = [time.perf_counter()], []
    kept = importing.receive(campaign, content, filename="people")
    times.append(time.perf_counter())
    importing.check_as_guessed(kept)
    steps += all_steps(kept.pk)
    times.append(time.perf_counter())
    kept.refresh_from_db()
    assert kept.state == "checked", kept.reason
    ContactImport.objects.filter(pk=kept.pk).update(state="running", done_rows=0)
    steps += all_steps(kept.pk)
    times.append(time.perf_counter())
    kept.refresh_from_db()
    assert kept.state == "done", kept.reason
    return [after - before for before, after in itertools.pairwise(times)], max(steps, default=0.0)


def all_steps(import_id):
    from campaigns import importing

    is_more, steps = True, []
    while is_more:
        started = time.perf_counter()
        is_more = importing.go_on(import_id)
        steps.append(time.perf_counter() - started)
    return steps


def naive(campaign, content):
    """Seconds of the obvious way."""
    from campaigns.models import Recipient
    from crm.contacts import normalise_email
    from crm.models import Contact, ContactAddress

    started = time.perf_counter()
    for row in csv.DictReader(io.StringIO(content.decode())):
        email = normalise_email(row["E-Mail"])
        found = {"account": campaign.account, "kind": "email", "value": email}
        address = ContactAddress.objects.select_related("contact").filter(**found).first()
        if address is None:
            contact = Contact.objects.create(
                account=campaign.account, name=row["Full name"], company=row["Company"], language="en"
            )
            address, _made = ContactAddress.objects.get_or_create(
                **found, defaults={"contact": contact, "as_given": email, "is_primary": True}
            )
        fields = {"city": row["City"]}
        Recipient.objects.get_or_create(
            campaign=campaign, contact=address.contact, defaults={"fields": fields}
        )
    return time.perf_counter() - started


def measure(rows):
    prepare()
    from django.db import connection

    from tests.factories import make_account, make_campaign

    report.heading("People out of a file")
    report.settings({"database": connection.vendor, "rows": rows, "rows of the baseline": SAMPLE})
    try:
        first, again = make_campaign(), make_campaign()
        lines, longest = [], 0.0
        for name, campaign, content in (
            ("CSV, everybody new", first, as_csv(rows)),
            ("CSV, everybody known, one column new", again, as_csv(rows, [("Badge", "7")])),
            ("Excel, everybody new", make_campaign(make_account("other")), as_xlsx(rows)),
        ):
            seconds, step = ours(campaign, content)
            longest = max(longest, step)
            assert campaign.recipients.count() == rows
            lines.append([name, *seconds, sum(seconds), rows / sum(seconds)])
        baseline = naive(make_campaign(make_account("plain")), as_csv(SAMPLE))
    finally:
        connection.creation.destroy_test_db("", verbosity=0)
    report.table("Seconds", ["", "received", "checked", "imported", "together", "rows / s"], lines)
    print(f"  One row after another: {SAMPLE / baseline:,.0f} rows / s. Longest step: {longest:.1f} s.\n")
    reached = [
        report.ratio(line[0], line[-1], SAMPLE / baseline, of="get_or_create a row", target=TARGET)
        for line in lines
    ]
    reached.append(max(line[-2] for line in lines) * 100_000 / rows <= MOST_SECONDS)
    return all(reached)


def main(words):
    lanes = [word for word in words if word in LANES] or LANES
    numbers = [word for word in words if word.isdigit()]
    if "--here" in words:
        sys.exit(0 if measure(int(numbers[0])) else 1)
    command = [sys.executable, "-m", "bench.importing", numbers[0] if numbers else str(ROWS), "--here"]
    codes = []
    for lane in lanes:
        with database(lane) as environment:
            codes.append(subprocess.run(command, env={**os.environ, **environment}).returncode)
    sys.exit(max(codes))


if __name__ == "__main__":
    main(sys.argv[1:])
