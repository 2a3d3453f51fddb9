"""One connection against a server that offers, refuses and breaks off."""

import pytest

from campaigns import trying
from campaigns.smtp import Limits, SmtpError
from tests.factories import make_smtp_server
from tests.fakes.smtp_sink import DROP, HANG, Script, SmtpSink

pytestmark = pytest.mark.django_db
QUICK = Limits(connect=1, envelope=1, final_reply=1)
EMAIL = b"Subject: Hello\r\n\r\nHello.\r\n"
# More than the network takes up while nobody reads.
TOO_MUCH = EMAIL + (b"x" * 70 + b"\r\n") * 220_000


def send(sink, *, to="ada@example.com", message=EMAIL, **fields):
    server = make_smtp_server(port=sink.port, **fields)
    return trying.send_now(server, recipient=to, message=message, limits=QUICK)


def refused(sink, **words):
    with pytest.raises(SmtpError) as caught:
        send(sink, **words)
    return caught.value


def test_mail_and_rcpt_travel_together_where_the_server_offers_it():
    with SmtpSink(Script(offers=["PIPELINING"], delay=0.05)) as sink:
        assert send(sink) == "250 2.0.0 taken"
    assert [one.recipient for one in sink.received] == ["ada@example.com"]


@pytest.mark.parametrize(
    ("script", "stage", "code"),
    [
        (Script(at_mail=["550 5.7.1 no sender"]), "mail", 550),
        (Script(at_rcpt=["450 4.2.0 grey"]), "rcpt", 450),
        (Script(at_mail=["421 4.3.2 closing"]), "mail", 421),
        (Script(at_rcpt=[DROP]), "rcpt", 0),
        (Script(at_data=["451 4.3.0 no"]), "data", 451),
    ],
    ids=str,
)
@pytest.mark.parametrize("offers", [[], ["PIPELINING"]], ids=["alone", "together"])
def test_a_refusal_is_told_with_its_stage(script, stage, code, offers):
    script = Script(
        **{**vars(script), "offers": offers, **{k: list(v) for k, v in vars(script).items() if v}}
    )
    with SmtpSink(script) as sink:
        error = refused(sink)
    assert (error.stage, error.code, error.is_unknown) == (stage, code, False)
    assert sink.received == []


def test_the_size_is_told_where_the_server_asks_for_it():
    with SmtpSink(Script(offers=["SIZE 100000"])) as sink:
        send(sink)
    assert f"MAIL FROM:<invitations@rapport.example> SIZE={len(EMAIL)}" in sink.commands


def test_an_address_beyond_ascii_goes_to_a_server_that_takes_such():
    with SmtpSink(Script(offers=["SMTPUTF8", "8BITMIME"])) as sink:
        send(sink, to="jörg@example.com")
    assert any(line.endswith("SMTPUTF8 BODY=8BITMIME") for line in sink.commands)
    assert len(sink.received) == 1


def test_an_address_beyond_ascii_is_refused_in_words_where_the_server_takes_none():
    with SmtpSink() as sink:
        error = refused(sink, to="jörg@example.com")
    assert (error.code, error.is_permanent, error.is_dead_address, error.is_about_recipient) == (
        553,
        True,
        False,
        True,
    )
    assert "SMTPUTF8" in error.words


@pytest.mark.parametrize("in_body", [HANG, DROP])
def test_an_email_that_never_left_whole_may_be_sent_again(in_body):
    """The final dot was never handed to the network, so the server cannot have taken it."""
    with SmtpSink(Script(in_body=[in_body])) as sink:
        error = refused(sink, message=TOO_MUCH)
    assert (error.stage, error.is_unknown) == ("data", False)


def test_a_server_that_answers_in_mid_email_is_believed():
    with SmtpSink(Script(in_body=["552 5.3.4 far too large"])) as sink:
        error = refused(sink, message=TOO_MUCH)
    assert (error.stage, error.code, error.is_permanent) == ("data", 552, True)


def test_a_reply_without_end_is_no_reply():
    with SmtpSink(Script(greeting=["220-" + "x" * 20_000])) as sink:
        error = refused(sink)
    assert (error.stage, error.code) == ("connect", 0)


def test_words_spoken_out_of_turn_are_not_taken_for_an_answer():
    with SmtpSink(Script(at_mail=["250 ok\n250 2.1.5 so is everybody"])) as sink:
        error = refused(sink)
    assert (error.stage, sink.received) == ("rcpt", [])


@pytest.mark.parametrize(
    ("fields", "script", "stage"),
    [
        ({"host": "no-such-host.invalid"}, Script(), "dns"),
        ({"port": 1}, Script(), "connect"),
        ({}, Script(greeting=["554 5.7.1 not you"]), "connect"),
        ({"security": "starttls"}, Script(), "tls"),
        ({"username": "me", "password": "x"}, Script(offers_auth=True, at_auth=["535 5.7.8 no"]), "auth"),
        ({"username": "me", "password": "x"}, Script(), "auth"),
        ({}, Script(at_mail=["553 5.7.1 not your address"]), "mail"),
        ({}, Script(), "ok"),
    ],
    ids=["name", "network", "greeting", "tls", "password", "no way to sign in", "sender", "fine"],
)
def test_trying_a_server_tells_what_is_wrong(fields, script, stage):
    with SmtpSink(script) as sink:
        server = make_smtp_server(**{"port": sink.port, **fields})
        trial = trying.trial(server, limits=QUICK)
    assert trial.stage == stage
    assert trial.words
    assert sink.received == []


def test_a_bare_line_feed_cannot_end_an_email():
    smuggled = EMAIL + b"Hello.\n.\nMAIL FROM:<evil@example.com>\n"
    with SmtpSink() as sink:
        send(sink, message=smuggled)
    (arrived,) = sink.received
    assert arrived.content == smuggled.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
