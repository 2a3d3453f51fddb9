"""A mailbox is read over real IMAP: every message once, whatever breaks, and nothing in it is touched."""

import contextlib
import socket
import threading
import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone

from campaigns import inbound, mailboxes, tasks
from campaigns.models import InboundEmail, Mailbox
from campaigns.tests.real_smtp import Authority
from tests.factories import make_account
from tests.fakes.imap_server import PASSWORD, USER, ImapServer

pytestmark = pytest.mark.django_db


def letter(number=1, body="Hello."):
    return (
        f"From: ada{number}@example.com\r\nTo: {USER}\r\nMessage-ID: <m{number}@example.com>\r\n"
        f"Subject: Number {number}\r\n\r\n{body}\r\n"
    ).encode()


def make_mailbox(server, **fields):
    given = {"host": "127.0.0.1", "security": "none", "username": USER, "password": PASSWORD, **fields}
    return Mailbox.objects.create(
        account=make_account(), name="Replies", address=USER, port=server.port, **given
    )


def read(mailbox):
    Mailbox.objects.update(not_before=timezone.now(), reading_until=None)
    reading = mailboxes.read_new(mailbox.pk)
    mailbox.refresh_from_db()
    return reading


def stored():
    return list(InboundEmail.objects.order_by("uid").values_list("uid", flat=True))


def test_it_stores_what_is_there_and_then_only_what_is_new():
    with ImapServer() as server:
        mailbox = make_mailbox(server)
        server.deliver(letter(1))
        server.deliver(letter(2))
        assert read(mailbox).stored == 2
        assert read(mailbox).stored == 0
        server.deliver(letter(3))
        assert read(mailbox).stored == 1
        fetched = server.seen()
    assert stored() == [1, 2, 3]
    assert (mailbox.uid_validity, mailbox.last_uid, mailbox.last_error) == (77, 3, "")
    assert fetched == {"flags": 0, "fetched": 3}


def test_it_keeps_every_byte():
    raw = letter(1, "caf\xe9 \x00 \xff").replace(b"\xc3\xa9", b"\xe9")
    with ImapServer() as server:
        server.deliver(raw)
        read(make_mailbox(server))
    assert InboundEmail.objects.get().raw.encode("latin-1") == raw


def test_messages_numbered_anew_are_not_stored_twice_and_none_is_lost():
    with ImapServer() as server:
        mailbox = make_mailbox(server)
        server.deliver(letter(1))
        read(mailbox)
        server.renumber()
        server.deliver(letter(2))
        read(mailbox)
        read(mailbox)
    assert InboundEmail.objects.count() == 2
    assert (mailbox.uid_validity, mailbox.last_uid) == (78, 2)


def test_a_connection_lost_in_mid_message_loses_and_repeats_nothing():
    with ImapServer(drop_after=2) as server:
        mailbox = make_mailbox(server)
        for number in (1, 2, 3):
            server.deliver(letter(number))
        read(mailbox)
        assert stored() == [1]
        assert mailbox.error_streak == 1
        assert mailbox.last_error
        assert mailbox.not_before > timezone.now()
        server.recover()
        read(mailbox)
    assert stored() == [1, 2, 3]
    assert (mailbox.error_streak, mailbox.last_error) == (0, "")


def test_a_reader_killed_after_storing_repeats_nothing():
    with ImapServer() as server:
        mailbox = make_mailbox(server)
        server.deliver(letter(1))
        read(mailbox)
        Mailbox.objects.update(last_uid=0)  # as if the note had been lost
        read(mailbox)
    assert stored() == [1]


def test_an_expunged_message_is_passed_over():
    with ImapServer() as server:
        mailbox = make_mailbox(server)
        server.deliver(letter(1))
        server.deliver(letter(2))
        server.expunge(1)
        assert read(mailbox).stored == 1
    assert stored() == [2]


def test_old_mail_of_a_new_mailbox_stays_where_it_is():
    with ImapServer() as server:
        server.deliver(letter(1), date="01-Jan-2001 10:00:00 +0000")
        server.deliver(letter(2))
        read(make_mailbox(server))
    assert stored() == [2]


def test_a_large_message_is_cut_and_said_to_be(settings):
    settings.INBOUND_MAX_BYTES = 1000
    with ImapServer() as server:
        server.deliver(letter(1, "x" * 5000))
        read(make_mailbox(server))
    email = InboundEmail.objects.get()
    assert email.is_cut
    assert len(email.raw) == 1000


def test_a_wrong_password_is_said_and_not_repeated_in_words():
    with ImapServer() as server:
        mailbox = make_mailbox(server, password="tell-no-one")
        read(mailbox)
    assert mailbox.error_streak == 1
    assert mailbox.last_error
    assert "tell-no-one" not in mailbox.last_error


def test_a_server_that_says_nothing_is_given_up(monkeypatch):
    monkeypatch.setattr(mailboxes, "SOCKET_TIMEOUT", 0.3)
    with ImapServer(hang=True) as server:
        mailbox = make_mailbox(server)
        read(mailbox)
    assert "did not answer" in mailbox.last_error


@contextlib.contextmanager
def dripping_server(greeting):
    """Says its greeting, and then a byte at a time, for ever."""

    def drip(listening):
        client, _address = listening.accept()
        with client, contextlib.suppress(OSError):
            client.sendall(greeting)
            while True:
                client.sendall(b"*")
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=drip, args=[listening], daemon=True).start()
        yield SimpleNamespace(port=listening.getsockname()[1])


@pytest.mark.parametrize("greeting", [b"* OK hello\r\n", b""])
def test_a_server_that_never_ends_its_answer_is_cut_off(monkeypatch, greeting):
    monkeypatch.setattr(mailboxes, "LONGEST_RUN", 1)
    with dripping_server(greeting) as server:
        mailbox = make_mailbox(server)
        started = time.monotonic()
        read(mailbox)
    assert time.monotonic() - started < 8
    assert mailbox.last_error


def test_a_server_that_is_not_there_is_said(settings):
    with ImapServer() as server:
        mailbox = make_mailbox(server)
    read(mailbox)
    assert "refused" in mailbox.last_error


def test_a_certificate_nobody_vouches_for_is_refused(tmp_path):
    Authority(tmp_path).context_for("localhost")
    with ImapServer(certificate=tmp_path / "localhost1.pem") as server:
        mailbox = make_mailbox(server, security="tls", host="localhost")
        server.deliver(letter(1))
        read(mailbox)
    assert "not trusted" in mailbox.last_error
    assert not stored()


def test_a_trusted_certificate_is_taken(tmp_path, monkeypatch):
    authority = Authority(tmp_path)
    authority.context_for("localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with ImapServer(certificate=tmp_path / "localhost1.pem") as server:
        mailbox = make_mailbox(server, security="tls", host="localhost")
        server.deliver(letter(1))
        read(mailbox)
    assert (mailbox.last_error, stored()) == ("", [1])


@pytest.fixture
def authority(tmp_path):
    authority = Authority(tmp_path)
    authority.context_for("localhost")
    return authority


def test_starttls_encrypts_before_the_password_is_said(authority, tmp_path, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with ImapServer(certificate=tmp_path / "localhost1.pem", starttls=True) as server:
        mailbox = make_mailbox(server, security="starttls", host="localhost")
        server.deliver(letter(1))
        read(mailbox)
        assert server.open_logins() == 0
    assert (mailbox.last_error, stored()) == ("", [1])


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_starttls_with_a_certificate_of_nobody_or_of_another_is_refused(
    authority, tmp_path, monkeypatch, host
):
    if host == "127.0.0.1":  # trusted, and issued for localhost
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with ImapServer(certificate=tmp_path / "localhost1.pem", starttls=True) as server:
        mailbox = make_mailbox(server, security="starttls", host=host)
        read(mailbox)
        assert server.open_logins() == 0
    assert "not trusted" in mailbox.last_error


def test_a_server_without_starttls_is_never_told_the_password():
    with ImapServer() as server:
        mailbox = make_mailbox(server, security="starttls")
        server.deliver(letter(1))
        read(mailbox)
        assert server.open_logins() == 0
    assert "STARTTLS" in mailbox.last_error
    assert not stored()


def test_two_readers_do_not_read_one_mailbox_at_once():
    with ImapServer() as server:
        mailbox = make_mailbox(server)
        server.deliver(letter(1))
        Mailbox.objects.update(reading_until=timezone.now() + timedelta(minutes=1))
        assert mailboxes.read_new(mailbox.pk).stored == 0
        Mailbox.objects.update(reading_until=timezone.now() - timedelta(seconds=1))
        assert mailboxes.read_new(mailbox.pk).stored == 1


def test_a_reader_that_lost_its_claim_stores_nothing_more(monkeypatch):
    keep = inbound.keep

    def keep_and_lose(*args, **kwargs):
        Mailbox.objects.update(reading_by="another")
        return keep(*args, **kwargs)

    monkeypatch.setattr(inbound, "keep", keep_and_lose)
    with ImapServer() as server:
        mailbox = make_mailbox(server)
        server.deliver(letter(1))
        server.deliver(letter(2))
        read(mailbox)
    assert stored() == [1]


def test_what_did_not_fit_into_a_run_is_due_at_once():
    with ImapServer() as server:
        mailbox = make_mailbox(server)
        server.deliver(letter(1))
        reading = mailboxes.read_new(mailbox.pk, seconds=-1)
        assert reading.is_more
        assert Mailbox.objects.due().exists()


def test_the_sweep_reads_mailboxes_and_then_the_emails(django_capture_on_commit_callbacks):
    with ImapServer() as server:
        make_mailbox(server)
        server.deliver(letter(1))
        with django_capture_on_commit_callbacks(execute=True):
            tasks.sweep()
    assert InboundEmail.objects.get().state == "done"
