"""Files as people send them, and as attackers do: encodings, separators, Excel, and what is refused."""

import io
import time
import zipfile

import openpyxl
import pytest

from campaigns import columns, csv_reading, encodings, importing
from campaigns.error_rows import error_rows
from campaigns.tests.test_importing import found_in, imported
from tests.factories import make_campaign

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "content",
    [
        "email;name\nada@example.com;Zoë Łącka\n".encode(),
        b"\xef\xbb\xbf" + "email,name\nada@example.com,Zoë Łącka\n".encode(),
        "email\tname\nada@example.com\tZoë Łącka\n".encode("utf-16"),
        '"E-Mail","Vorname","Nachname"\r\n"ada@example.com","Zoë","Łącka"\r\n'.encode(),
        "\r\n\r\nMail Address|name\n".replace("Mail Address", "email address").encode()
        + "ada@example.com|Zoë Łącka\n".encode(),
    ],
    ids=["semicolon", "bom", "utf-16 tabs", "quotes and first+last name", "pipes after blank lines"],
)
def test_it_finds_out_encoding_delimiter_and_columns(content):
    campaign = make_campaign()
    imported(campaign, content)
    assert campaign.recipients.get().contact.name == "Zoë Łącka"


def test_it_reads_windows_files():
    campaign = make_campaign()
    kept = imported(campaign, "email;name\nada@example.com;Zoë Müller\n".encode("cp1252"))
    assert campaign.recipients.get().contact.name == "Zoë Müller"
    assert (kept.encoding, kept.encoding_is_sure) == ("cp1252", False)


NAMES = {
    "cp1252": [
        "Müller",
        "José Muñoz",
        "Kjær, Bæk",
        "Conceição Simões",
        "Hélène Lefèvre",
        "Þór",
        "O’Brien – Co",
    ],
    "cp1250": [
        "Gdańsk",
        "Łącka",
        "Małgorzata Wójcik",
        "Jiří Dvořák",
        "Győző Erdős",
        "Šimon Žižka",
        "Đorđević",
    ],
    "iso8859-2": ["Gdańsk Łącka", "Agnieszka Śliwa", "Žižka Růžička"],
    "cp1251": ["Иван Петров", "Київ"],
    "cp1253": ["Γιώργος Παπαδόπουλος", "Ελένη"],
    "cp1254": ["Gülşen Yıldız", "Çağlar Doğan", "Ümit Şahin"],
    "cp1256": ["محمد علي", "فاطمة"],
    "mac-roman": ["José Muñoz, François", "Groß, Jäger, Müller"],
}


@pytest.mark.parametrize(
    ("encoding", "name"), [(encoding, name) for encoding, names in NAMES.items() for name in names]
)
def test_a_name_in_an_old_encoding_is_read_right_and_told_as_a_guess(encoding, name):
    table = csv_reading.read(f'email;name\na@example.com;"{name}"\n'.encode(encoding))
    assert next(table.rows())[1][1] == name
    assert not table.is_sure


def test_what_has_bytes_of_no_encoding_is_refused_rather_than_damaged(monkeypatch):
    monkeypatch.setattr(encodings, "LETTERS", {"cp1252": encodings.LETTERS["cp1252"]})
    with pytest.raises(csv_reading.CsvRefusedError, match="UTF-8"):
        csv_reading.read(b"email;name\na@example.com;\x81\x8d\n")


def test_a_chosen_encoding_that_does_not_fit_is_refused():
    content = "email;name\na@example.com;Zoë\n".encode("cp1252")
    with pytest.raises(csv_reading.CsvRefusedError, match="not UTF-8"):
        csv_reading.read(content, encoding="utf-8")
    with pytest.raises(csv_reading.CsvRefusedError, match="no encoding"):
        csv_reading.read(content, encoding="rot13")


def test_the_separator_is_the_one_under_which_rows_are_alike():
    table = csv_reading.read(b"Name (last, first);Email\nLovelace, Ada;ada@example.com\nB, C;b@example.com\n")
    assert table.delimiter == ";"
    assert table.headings == ("Name (last, first)", "Email")


def test_excels_own_hint_is_obeyed_and_lines_are_counted_as_an_editor_does():
    table = csv_reading.read(b'sep=;\r\nE-Mail;Note\r\na@example.com;"two\r\nlines"\r\nbad;x\r\n')
    assert table.headings == ("E-Mail", "Note")
    assert [line for line, _cells in table.rows()] == [3, 5]


def test_headings_may_hold_spaces_and_line_breaks():
    campaign = make_campaign()
    content = b'"  E-Mail\nAddress ",  Full   Name ,Home Town\nada@example.com,Ada,Ulm\n'
    imported(campaign, content)
    recipient = campaign.recipients.select_related("contact").get()
    assert (recipient.contact.name, recipient.fields) == ("Ada", {"home_town": "Ulm"})


def test_line_breaks_within_quotes_belong_to_the_cell():
    campaign = make_campaign()
    imported(campaign, b'email,address\nada@example.com,"1 Mill Lane\nUlm"\nbob@example.com,x\n')
    assert [one.fields["address"] for one in campaign.recipients.all()] == ["1 Mill Lane\nUlm", "x"]


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("Ada+News@Example.COM", "ada+news@example.com"),
        ("ada@Bücher.example", "ada@xn--bcher-kva.example"),
        ("\u200bada@example.com\u00a0", "ada@example.com"),
    ],
)
def test_addresses_keep_their_tags_and_get_plain_domains(given, value):
    person = columns.person_of(2, [given], fields=["email"])
    assert person.email == value


# --- Excel -------------------------------------------------------------------------------------------


def workbook(*sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows, *hidden in sheets:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
        sheet.sheet_state = "hidden" if hidden else "visible"
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


PEOPLE = [["E-Mail", "Name", "Age"], ["ada@example.com", "Zoë Łącka", 36.0], [], ["bad", "=1+1", None]]


def test_an_excel_file_is_imported_with_its_own_row_numbers():
    campaign = make_campaign()
    kept = imported(campaign, workbook(("Read me", [["About"]]), ("People", [[], *PEOPLE])))
    recipient = campaign.recipients.select_related("contact").get()
    assert (recipient.contact.name, recipient.fields) == ("Zoë Łącka", {"age": "36"})
    assert (kept.sheet, kept.encoding_is_sure) == ("People", True)
    assert [error["line"] for error in kept.errors] == [5]
    assert "".join(error_rows(kept)).splitlines()[1].startswith("5,")


def test_a_hidden_sheet_is_not_read():
    table = csv_reading.read(workbook(("Old", PEOPLE, "hidden"), ("New", PEOPLE[:2])))
    assert table.sheet == "New"


def test_a_formula_in_excel_counts_as_what_it_last_showed():
    table = csv_reading.read(workbook(("P", [["email", "n"], ["ada@example.com", "=1+1"]])))
    assert next(table.rows())[1] == ["ada@example.com"]  # openpyxl computes nothing, so it showed nothing


def zipped(**parts):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


BAD_EXCEL = {
    "another zip": zipped(**{"a.txt": b"x"}),
    "a bomb": zipped(**{"xl__workbook.xml": b"<a/>", "xl__sheet.xml": b" " * 60_000_000}),
    "damaged": workbook(("P", PEOPLE))[:-300],
    "no sheets": zipped(**{"xl__workbook.xml": b"<workbook/>"}),
    "old or encrypted": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    "too wide": workbook(("P", [["email", *range(150)], ["a@example.com"]])),
}


@pytest.mark.parametrize("content", BAD_EXCEL.values(), ids=BAD_EXCEL)
def test_excel_files_that_cannot_be_read_are_refused_with_a_reason(content):
    with pytest.raises(importing.ImportRefusedError) as refused:
        importing.check(make_campaign(), content)
    assert len(str(refused.value)) > 10


# --- Hostile files -----------------------------------------------------------------------------------


HOSTILE = {
    "empty": b"",
    "only blank lines": b"\n\n\n",
    "no rows": b"email,name\n",
    "no email column": b"name,company\nAda,Engines\n",
    "no heading": b"ada@example.com,Ada\nbob@example.com,Bob\n",
    "NUL bytes": b"email\nada@example.com\0\n",
    "utf-16 without a mark": "email\nada@example.com\n".encode("utf-16-le"),
    "broken utf-16": b"\xff\xfee\x00m\x00a",
    "an endless quote": b'email,name\nada@example.com,"' + b"x" * 300_000,
    "an open quote": b'email,name\nada@example.com,"open\n',
    "a million columns": b"email" + b",c" * 1_000_000 + b"\nada@example.com\n",
    "many columns": ("email," + ",".join(f"c{n}" for n in range(200)) + "\nada@example.com\n").encode(),
    "the same column twice": b"email,name,name\nada@example.com,A,B\n",
    "two email columns": b"email,e-mail\nada@example.com,b@example.com\n",
    "a zip": b"PK\x03\x04" + bytes(range(256)),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_are_refused_with_a_reason(content):
    with pytest.raises(importing.ImportRefusedError) as refused:
        importing.check(make_campaign(), content)
    assert len(str(refused.value)) > 10


@pytest.mark.parametrize("word", [b"a" * 300_000, b"\xf1" * 300_000, b"a\xf1" * 150_000])
def test_a_cell_without_end_keeps_nobody_waiting_for_the_encoding(word):
    """Each letter of it was looked through from there on: minutes, in which the process did nothing else."""
    started = time.process_time()
    table = csv_reading.read(b"email,picture\nada@example.com," + word + b"\nJos\xe9@example.com,x\n")
    assert table.encoding == "cp1252"
    assert time.process_time() - started < 5


def test_a_file_over_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(csv_reading, "MAX_BYTES", 100)
    with pytest.raises(importing.ImportRefusedError, match="larger"):
        importing.check(make_campaign(), b"email\n" + b"x@example.com\n" * 20)


def test_too_many_rows_are_refused(monkeypatch):
    monkeypatch.setattr(csv_reading, "MAX_ROWS", 3)
    with pytest.raises(importing.ImportRefusedError, match="rows"):
        importing.check(make_campaign(), b"email\n" + b"".join(b"p%d@example.com\n" % n for n in range(5)))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("", None),
        (",Ada,,", "No email"),
        ("ada@,Ada,,", "email"),
        ('ada@example.com,"Ada\r\nBcc: x@y.z",,', "line break"),
        ("ada@example.com,Ada,klingonish-xx-yy-zz,", "language"),
        ("ada@example.com,Ada,,Mars/Base", "time zone"),
        (f"ada@example.com,{'x' * 201},,", "too long"),
        ("ada@example.com,Ada,,,extra", "More cells"),
    ],
)
def test_bad_rows_are_reported_with_line_and_reason(row, reason):
    found = found_in(make_campaign(), f"email,name,language,timezone\nok@example.com\n{row}\n".encode())
    if reason is None:
        assert found.errors == []
        return
    assert found.invalid == 1
    assert reason in found.errors[0]["reason"]
    assert found.errors[0]["line"] >= 3
