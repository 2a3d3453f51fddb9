"""People out of files: looked at first, imported in steps, nobody twice."""

import time
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from campaigns import importing, tasks
from campaigns.error_rows import error_rows
from campaigns.models import Campaign, ContactImport, Recipient
from crm.consent import suppress
from crm.models import Contact, ContactAddress
from tests.factories import make_campaign, make_contact

pytestmark = pytest.mark.django_db


def imported(campaign, content):
    kept = importing.keep(campaign, content, filename="people.csv")
    run(kept)
    kept.refresh_from_db()
    return kept


def run(kept):
    ContactImport.objects.filter(pk=kept.pk).update(state="running", done_rows=0)
    while importing.go_on(kept.pk):
        pass


def found_in(campaign, content):
    return importing.check(campaign, content).found


def test_a_dry_run_counts_and_writes_nothing():
    campaign = make_campaign()
    make_contact(campaign.account, email="known@example.com")
    suppress(campaign.account, "email", "gone@example.com", "unsubscribe", purpose="invitation")
    found = found_in(
        campaign,
        b"Email,Name\nnew@example.com,New\nknown@example.com,Known\nNEW@example.com,Again\n"
        b"nonsense,X\ngone@example.com,Gone\n\n",
    )
    assert found.counts == {"rows": 5, "new": 1, "updated": 1, "invalid": 1, "suppressed": 1, "duplicate": 1}
    assert {error["line"] for error in found.errors} == {4, 5, 6}
    assert Contact.objects.count() == 1
    assert not Recipient.objects.exists()


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


def test_two_workers_import_each_row_once():
    campaign = make_campaign()
    kept = importing.keep(campaign, b"email\na@example.com\n", filename="p.csv")
    ContactImport.objects.update(state="running", done_rows=0)
    stale = ContactImport.objects.select_related("campaign__account").get()
    importing.go_on(kept.pk)
    assert importing._store_chunk(stale, [], begin=0, end=1) is False


def test_one_worker_at_a_time_until_its_lease_runs_out():
    kept = importing.keep(make_campaign(), b"email\na@example.com\n", filename="p.csv")
    ContactImport.objects.update(state="running", done_rows=0)
    assert importing._claim(kept.pk)
    assert importing.go_on(kept.pk) is False
    assert not ContactImport.objects.under_way().exists()
    later = timezone.now() + importing.LEASE + timedelta(seconds=1)
    assert ContactImport.objects.under_way(at=later).get() == kept
    with time_machine.travel(later):
        tasks.sweep()
    kept.refresh_from_db()
    assert kept.state == "done"


def test_a_worker_that_slept_longer_than_its_lease_writes_nothing_more():
    kept = importing.keep(make_campaign(), b"email\na@example.com\n", filename="p.csv")
    ContactImport.objects.update(state="running", done_rows=0)
    assert importing._claim(kept.pk)
    slow = ContactImport.objects.select_related("campaign__account").get()
    ContactImport.objects.update(lease_until=timezone.now() + timedelta(minutes=1))  # another took it over
    assert importing._advance(slow, begin=0, done_rows=1) is False
    assert importing._mine(slow).update(lease_until=None) == 0


def test_a_started_import_is_not_started_again(django_capture_on_commit_callbacks):
    kept = importing.keep(make_campaign(), b"email\na@example.com\n", filename="p.csv")
    with django_capture_on_commit_callbacks(execute=True):
        assert importing.start(kept)
    assert not importing.start(kept)
    kept.refresh_from_db()
    assert kept.state == "done"


def test_an_import_of_a_campaign_that_ended_meanwhile_does_not_start():
    kept = importing.keep(make_campaign(), b"email\na@example.com\n", filename="p.csv")
    Campaign.objects.update(state="cancelled")
    assert not importing.start(kept)


def test_a_lost_file_fails_the_import_with_a_reason():
    kept = importing.keep(make_campaign(), b"email\na@example.com\n", filename="p.csv")
    kept.file.storage.delete(kept.file.name)
    ContactImport.objects.update(state="running", done_rows=0)
    assert importing.go_on(kept.pk) is False
    kept.refresh_from_db()
    assert kept.state == "failed"
    assert kept.reason


def test_a_thousand_rows_take_few_queries(django_assert_max_num_queries):
    campaign = make_campaign()
    rows = "".join(f"p{n}@example.com,P {n}\n" for n in range(1000))
    kept = importing.keep(campaign, f"email,name\n{rows}".encode(), filename="p.csv")
    ContactImport.objects.update(state="running", done_rows=0)
    with django_assert_max_num_queries(50):
        importing.go_on(kept.pk)
    assert campaign.recipients.count() == 1000
    # The same people again, with something new about each of them.
    again = importing.keep(
        campaign, f"email,name,city\n{rows}".replace("\n", ",Ulm\n").encode(), filename="p"
    )
    ContactImport.objects.filter(pk=again.pk).update(state="running", done_rows=0)
    with django_assert_max_num_queries(50):
        importing.go_on(again.pk)
    assert Contact.objects.count() == 1000


# --- Columns chosen by a person ----------------------------------------------------------------------


def received(content, campaign=None):
    return importing.receive(campaign or make_campaign(), content, filename="p.csv")


def test_a_file_with_unclear_columns_waits_for_a_choice():
    kept = received(b"Adresse;Wer;Notiz\nada@example.com;Ada;x\n")
    importing.check_as_guessed(kept)
    kept.refresh_from_db()
    assert kept.state == "uploaded"
    assert "email" in kept.reason
    importing.choose(kept, importing.Choices({"Adresse": "email", "Wer": "name"}))
    kept.refresh_from_db()
    assert (kept.state, kept.counts["new"], kept.reason) == ("checked", 1, "")
    assert kept.mapping == {"Adresse": "email", "Wer": "name", "Notiz": ""}


def test_a_column_that_is_left_out_is_not_kept():
    campaign = make_campaign()
    kept = received(b"email,secret,city\nada@example.com,x,Ulm\n", campaign)
    importing.choose(kept, importing.Choices({"email": "email", "city": "town"}))
    run(kept)
    recipient = campaign.recipients.select_related("contact").get()
    assert recipient.fields == recipient.contact.fields == {"town": "Ulm"}


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ({"a": "email", "b": "email"}, "Two columns"),
        ({"a": "name"}, "No column is called"),
        ({"a": "email", "c": "name"}, "no column"),
    ],
)
def test_a_choice_of_columns_that_cannot_be_is_refused(mapping, reason):
    kept = received(b"a,b\nada@example.com,Ada\n")
    with pytest.raises(importing.ImportRefusedError, match=reason):
        importing.choose(kept, importing.Choices(mapping))


def test_columns_are_not_changed_once_it_runs():
    kept = received(b"email\nada@example.com\n")
    ContactImport.objects.update(state="running")
    with pytest.raises(importing.ImportRefusedError, match="started before"):
        importing.choose(kept, importing.Choices({"email": "email"}))


def test_another_encoding_is_chosen():
    campaign = make_campaign()
    kept = received("email;name\nada@example.com;Ñandú\n".encode("cp1252"), campaign)
    importing.choose(kept, importing.Choices(kept.mapping, encoding="cp1250"))
    kept.refresh_from_db()
    assert (kept.encoding, kept.encoding_is_sure) == ("cp1250", True)
    run(kept)
    assert campaign.recipients.get().contact.name == "Ńandú"


def test_a_long_check_goes_on_in_steps_and_counts_every_row_once(monkeypatch):
    monkeypatch.setattr(importing, "CHUNK", 2)
    rows = b"".join(b"p%d@example.com\n" % (n % 5) for n in range(7))
    kept = received(b"email\n" + rows + b"nonsense\n")
    clock = iter(range(100))
    with monkeypatch.context() as patch:
        patch.setattr(importing.time, "monotonic", lambda: next(clock))
        importing.choose(kept, importing.Choices({"email": "email"}))
    kept.refresh_from_db()
    assert kept.state == "checking"
    assert 0 < kept.done_rows < 8
    while importing.go_on(kept.pk):
        pass
    kept.refresh_from_db()
    assert kept.state == "checked"
    assert kept.counts == {"rows": 8, "new": 5, "updated": 0, "invalid": 1, "suppressed": 0, "duplicate": 2}
    assert [error["line"] for error in kept.errors] == [7, 8, 9]


def test_a_file_that_breaks_further_down_says_where_when_it_is_checked():
    kept = received(b"email\n" + b"a@example.com\n" * 30 + b'"open\n')
    importing.check_as_guessed(kept)
    kept.refresh_from_db()
    assert kept.state == "uploaded"
    assert "Line 3" in kept.reason


def test_error_rows_are_safe_to_open_in_a_spreadsheet():
    kept = importing.keep(
        make_campaign(), b"email,note\nbad,=cmd|' /C calc'!A0\nok@example.com,+1\n", filename="p.csv"
    )
    text = "".join(error_rows(kept))
    assert "'=cmd" in text
    assert "ok@example.com" not in text
    assert text.splitlines()[1].startswith("2,")


def test_a_finished_campaign_takes_nobody():
    campaign = make_campaign(state="finished")
    with pytest.raises(importing.ImportRefusedError, match="ended"):
        importing.keep(campaign, b"email\na@example.com\n", filename="p.csv")


def test_all_error_rows_can_be_downloaded_though_few_are_shown(monkeypatch):
    monkeypatch.setattr(importing, "SHOWN_ERRORS", 3)
    suppressed_row = b"gone@example.com,bye\n"
    campaign = make_campaign()
    suppress(campaign.account, "email", "gone@example.com", "unsubscribe", purpose="invitation")
    content = b"email,note\n" + b"bad,x\n" * 150 + suppressed_row + b"ok@example.com,y\n"
    kept = importing.keep(campaign, content, filename="p.csv")
    text = "".join(error_rows(kept))
    assert len(text.splitlines()) == 152
    assert "gone@example.com" in text
    assert "ok@example.com" not in text


def test_a_long_import_hands_over_to_its_next_self(monkeypatch):
    monkeypatch.setattr(importing, "CHUNK", 2)
    campaign = make_campaign()
    kept = importing.keep(
        campaign, b"email\n" + b"".join(b"p%d@example.com\n" % n for n in range(6)), filename="p"
    )
    ContactImport.objects.update(state="running", done_rows=0)
    clock = iter(range(100))
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: next(clock))
        assert importing.go_on(kept.pk, seconds=1.5) is True
    while importing.go_on(kept.pk):
        pass
    assert campaign.recipients.count() == 6
