"""CSV files as people send them, and as attackers do."""

import time

import pytest

from campaigns import csv_reading, importing
from campaigns.models import ContactImport, Recipient
from crm.consent import suppress
from crm.models import Contact, ContactAddress
from tests.factories import make_campaign, make_contact

pytestmark = pytest.mark.django_db


def imported(campaign, content):
    kept = importing.keep(campaign, content, filename="people.csv")
    ContactImport.objects.filter(pk=kept.pk).update(state="running")
    while importing.run(kept.pk):
        pass
    kept.refresh_from_db()
    return kept


def test_a_dry_run_counts_and_writes_nothing():
    campaign = make_campaign()
    make_contact(campaign.account, email="known@example.com")
    suppress(campaign.account, "email", "gone@example.com", "unsubscribe", purpose="invitation")
    found = importing.check(
        campaign,
        b"Email,Name\nnew@example.com,New\nknown@example.com,Known\nNEW@example.com,Again\n"
        b"nonsense,X\ngone@example.com,Gone\n\n",
    )
    assert found.counts == {"rows": 5, "new": 1, "updated": 1, "invalid": 1, "suppressed": 1, "duplicate": 1}
    assert {error["line"] for error in found.errors} == {4, 5, 6}
    assert Contact.objects.count() == 1
    assert not Recipient.objects.exists()


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
    imported(campaign, "email;name\nada@example.com;Zoë Müller\n".encode("cp1252"))
    assert campaign.recipients.get().contact.name == "Zoë Müller"


def test_it_keeps_other_columns_and_facts():
    campaign = make_campaign()
    imported(
        campaign,
        b"email,name,company,language,time zone,Job Title\n"
        b"Ada+List@Example.com,Ada,Engines,pl,Europe/Warsaw,Countess\n",
    )
    recipient = campaign.recipients.select_related("contact").get()
    contact = recipient.contact
    assert (contact.company, contact.language, contact.time_zone) == ("Engines", "pl", "Europe/Warsaw")
    assert recipient.fields == {"job_title": "Countess"}
    assert ContactAddress.objects.get().value == "ada+list@example.com"


def test_quoted_commas_and_formulas_are_kept_as_text():
    campaign = make_campaign()
    imported(campaign, b'email,name,note\nada@example.com,"Lovelace, Ada","=1+1"\n')
    recipient = campaign.recipients.select_related("contact").get()
    assert recipient.contact.name == "Lovelace, Ada"
    assert recipient.fields == {"note": "=1+1"}


def test_an_import_completes_what_is_known_and_overwrites_nothing():
    campaign = make_campaign()
    contact = make_contact(campaign.account, email="ada@example.com", name="Ada L.")
    imported(campaign, b"email,name,company\nada@example.com,Somebody,Engines\n")
    contact.refresh_from_db()
    assert (contact.name, contact.company) == ("Ada L.", "Engines")


def test_the_same_file_twice_changes_nothing():
    campaign = make_campaign()
    content = b"email,name\na@example.com,A\nb@example.com,B\n"
    imported(campaign, content)
    imported(campaign, content)
    assert campaign.recipients.count() == Contact.objects.count() == 2


def test_another_account_keeps_its_own_contact_of_the_address():
    campaign = make_campaign()
    from tests.factories import make_account

    other = make_contact(make_account("other"), email="ada@example.com")
    imported(campaign, b"email\nada@example.com\n")
    assert campaign.recipients.get().contact != other


def test_it_goes_on_after_a_kill_between_two_chunks(monkeypatch):
    monkeypatch.setattr(importing, "CHUNK", 3)
    campaign = make_campaign()
    rows = "".join(f"p{n}@example.com\n" for n in range(8))
    kept = importing.keep(campaign, f"email\n{rows}p0@example.com\n".encode(), filename="p.csv")
    ContactImport.objects.update(state="running")
    real, calls = importing._store, []

    def dies(*args):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(*args)

    monkeypatch.setattr(importing, "_store", dies)
    with pytest.raises(KeyboardInterrupt):
        importing.run(kept.pk)
    kept.refresh_from_db()
    assert kept.done_rows == 3
    assert importing.run(kept.pk) is False
    kept.refresh_from_db()
    assert (kept.state, kept.done_rows) == ("done", 9)
    assert campaign.recipients.count() == 8


def test_two_workers_import_each_row_once(monkeypatch):
    campaign = make_campaign()
    kept = importing.keep(campaign, b"email\na@example.com\n", filename="p.csv")
    ContactImport.objects.update(state="running")
    stale = ContactImport.objects.select_related("campaign__account").get()
    importing.run(kept.pk)
    assert importing._store_chunk(stale, [], start=0, end=1) is False


def test_a_started_import_is_not_started_again(django_capture_on_commit_callbacks):
    kept = importing.keep(make_campaign(), b"email\na@example.com\n", filename="p.csv")
    with django_capture_on_commit_callbacks(execute=True):
        assert importing.start(kept)
    assert not importing.start(kept)
    kept.refresh_from_db()
    assert kept.state == "done"


def test_a_lost_file_fails_the_import_with_a_reason():
    kept = importing.keep(make_campaign(), b"email\na@example.com\n", filename="p.csv")
    kept.file.storage.delete(kept.file.name)
    ContactImport.objects.update(state="running")
    assert importing.run(kept.pk) is False
    kept.refresh_from_db()
    assert kept.state == "failed"
    assert kept.reason


def test_a_thousand_rows_take_few_queries(django_assert_max_num_queries):
    campaign = make_campaign()
    rows = "".join(f"p{n}@example.com,P {n}\n" for n in range(1000))
    kept = importing.keep(campaign, f"email,name\n{rows}".encode(), filename="p.csv")
    ContactImport.objects.update(state="running")
    with django_assert_max_num_queries(50):
        importing.run(kept.pk)
    assert campaign.recipients.count() == 1000


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
    found = importing.check(
        make_campaign(), f"email,name,language,timezone\nok@example.com\n{row}\n".encode()
    )
    if reason is None:
        assert found.errors == []
        return
    assert found.invalid == 1
    assert reason in found.errors[0]["reason"]
    assert found.errors[0]["line"] >= 3


def test_error_rows_are_safe_to_open_in_a_spreadsheet():
    kept = importing.keep(
        make_campaign(), b"email,note\nbad,=cmd|' /C calc'!A0\nok@example.com,+1\n", filename="p.csv"
    )
    text = importing.error_rows(kept)
    assert "'=cmd" in text
    assert "ok@example.com" not in text
    assert text.splitlines()[1].startswith("2,")


def test_a_finished_campaign_takes_nobody():
    campaign = make_campaign(state="finished")
    with pytest.raises(importing.ImportRefusedError, match="ended"):
        importing.keep(campaign, b"email\na@example.com\n", filename="p.csv")


def test_a_long_import_hands_over_to_its_next_self(monkeypatch):
    monkeypatch.setattr(importing, "CHUNK", 2)
    campaign = make_campaign()
    kept = importing.keep(
        campaign, b"email\n" + b"".join(b"p%d@example.com\n" % n for n in range(6)), filename="p"
    )
    ContactImport.objects.update(state="running")
    clock = iter(range(100))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    assert importing.run(kept.pk, seconds=1.5) is True
    monkeypatch.undo()
    while importing.run(kept.pk):
        pass
    assert campaign.recipients.count() == 6
