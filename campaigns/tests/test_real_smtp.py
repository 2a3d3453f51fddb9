"""Against a real SMTP server: what is trusted, who is let in, and what arrives."""

import gc
import time
from asyncio.selector_events import _SelectorTransport
from email import message_from_bytes, policy
from uuid import uuid4

import pytest
from django.utils import timezone

from campaigns import mime, rendering, trying
from campaigns.lanes import Lanes
from campaigns.models import SmtpServer
from campaigns.rendering import Person
from campaigns.smtp import Limits, SmtpError, address_of
from campaigns.tests.real_smtp import PASSWORD, USER, Authority, server_without_farewell, smtp_server
from campaigns.tests.running import fresh, queued_campaign, send, states_of
from tests.factories import make_campaign, make_smtp_server

pytestmark = [
    pytest.mark.django_db,
    # aiosmtpd's word about a server that takes passwords in the clear, which is what some tests need.
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning"),
]
PATIENT = Limits(connect=5, envelope=5, final_reply=5)
LOGIN = {"username": USER, "password": PASSWORD}
ENCRYPTED = [pytest.param("starttls", id="starttls"), pytest.param("tls", id="tls")]


@pytest.fixture
def authority(tmp_path, monkeypatch):
    """An authority that this machine trusts: Python reads SSL_CERT_FILE beside the system's store."""
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    return made


def at(mailbox, security="none", host="localhost", **fields):
    return make_smtp_server(port=mailbox.port, security=security, host=host, **fields)


def invitation(server):
    campaign = make_campaign(smtp_server=server)
    person = Person(
        "ada@example.com",
        name="Łukasz 李",
        link="http://testserver/i/abc",
        unsubscribe="http://testserver/u/" + "d" * 120,
        expires_at=timezone.now(),
    )
    attachment = ("notes.txt", "text/plain", b".\r\n..\r\n" + bytes(range(256)))
    skeleton = rendering.skeleton_of(campaign)
    return rendering.fill(skeleton, person, delivery_id=uuid4(), attachments=[attachment])


def test_an_email_arrives_byte_for_byte():
    with smtp_server() as mailbox:
        server = at(mailbox)
        wire = invitation(server).wire.encode()
        said = trying.send_now(server, recipient="ada@example.com", message=wire, limits=PATIENT)
    assert said == "250 2.0.0 kept"
    assert mailbox.contents == [wire]
    assert mailbox.envelopes[0].mail_from == server.from_email
    assert mailbox.envelopes[0].rcpt_tos == ["ada@example.com"]


def test_lines_that_begin_with_a_dot_arrive_as_they_are():
    headers = [("From", "a@example.com"), ("To", "b@example.com"), ("Subject", "Dots")]
    wire = mime.message(headers, ".\n..\n.hidden\n", "<p>.</p>\n.\n").encode()
    with smtp_server() as mailbox:
        trying.send_now(at(mailbox), recipient="b@example.com", message=wire, limits=PATIENT)
    assert mailbox.contents == [wire]


def test_what_arrives_has_both_parts_and_its_way_out_on_one_line():
    with smtp_server() as mailbox:
        server = at(mailbox)
        email = invitation(server)
        trying.send_now(server, recipient=email.to, message=email.wire.encode(), limits=PATIENT)
    head = mailbox.contents[0].partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert b"List-Unsubscribe: <http://testserver/u/" + b"d" * 120 + b">" in head
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in head
    message = message_from_bytes(mailbox.contents[0], policy=policy.default)
    assert message.get_body(("plain",)).get_content().replace("\r\n", "\n").strip() == email.text.strip()
    assert message.get_body(("html",)).get_content().replace("\r\n", "\n").strip() == email.html.strip()
    [attached] = message.iter_attachments()
    assert attached.get_payload(decode=True) == b".\r\n..\r\n" + bytes(range(256))


@pytest.mark.parametrize("security", ENCRYPTED)
def test_a_campaign_goes_out_encrypted_and_signed_in(authority, security):
    context = authority.context_for("localhost")
    with smtp_server(context=context, starttls=security == "starttls", auth=True) as mailbox:
        campaign = queued_campaign(mailbox, people=3, host="localhost", security=security, **LOGIN)
        send(campaign, limits=PATIENT)
    assert states_of(campaign) == {"sent": 3}
    assert len(mailbox.contents) == 3


@pytest.mark.parametrize("security", ENCRYPTED)
@pytest.mark.parametrize(
    ("host", "shown", "days", "why"),
    [
        pytest.param("127.0.0.1", "localhost", 1, "IP address mismatch", id="another address"),
        pytest.param("localhost", "mail.example.com", 1, "Hostname mismatch", id="another name"),
        pytest.param("localhost", "localhost", -1, "expired", id="expired"),
    ],
)
def test_a_certificate_of_another_host_or_time_is_refused(authority, security, host, shown, days, why):
    context = authority.context_for(shown, days=days)
    with smtp_server(context=context, starttls=security == "starttls") as mailbox:
        trial = trying.trial(at(mailbox, security, host), limits=PATIENT)
    assert trial.stage == "tls"
    assert why in trial.words


@pytest.mark.parametrize("security", ENCRYPTED)
def test_an_authority_that_the_machine_does_not_trust_is_refused(authority, tmp_path, security):
    context = Authority(tmp_path, "Somebody else").context_for("localhost")
    with smtp_server(context=context, starttls=security == "starttls", auth=True) as mailbox:
        campaign = queued_campaign(mailbox, people=2, host="localhost", security=security, **LOGIN)
        send(campaign, limits=PATIENT)
        trial = trying.trial(campaign.smtp_server, limits=PATIENT)
    assert (trial.stage, "not trusted" in trial.words) == ("tls", True)
    assert mailbox.contents == []
    assert set(states_of(campaign)) <= {"queued", "deferred"}


def test_a_server_without_starttls_is_told_nothing_when_starttls_is_asked_for():
    with smtp_server() as mailbox:
        server = at(mailbox, "starttls", **LOGIN)
        with pytest.raises(SmtpError) as refused:
            trying.send_now(server, recipient="a@example.com", message=b"", limits=PATIENT)
    assert refused.value.stage == "tls"
    assert mailbox.contents == []


def test_a_right_password_is_let_in():
    with smtp_server(auth=True) as mailbox:
        trial = trying.trial(at(mailbox, **LOGIN), limits=PATIENT)
    assert trial.is_ok
    assert trial.words == "Connected and signed in."


def test_a_wrong_password_pauses_the_server_and_keeps_every_email():
    with smtp_server(auth=True) as mailbox:
        campaign = queued_campaign(mailbox, people=2, username=USER, password="wrong")
        send(campaign, limits=PATIENT)
        trial = trying.trial(campaign.smtp_server, limits=PATIENT)
    server = SmtpServer.objects.get()
    assert server.paused_until > timezone.now()
    assert "535" in server.pause_reason
    assert fresh(campaign).state == "running"
    assert set(states_of(campaign)) <= {"queued", "deferred"}
    assert (trial.stage, "535" in trial.words, "wrong" in trial.words) == ("auth", True, False)


def test_a_server_that_never_says_farewell_leaves_no_socket_open(authority):
    """Closing is a talk too when it is encrypted: the loop must not end before the socket has."""
    with server_without_farewell(authority.context_for("localhost")) as port:
        lanes = Lanes(address_of(make_smtp_server(port=port, security="tls", host="localhost")))
        lanes.idle.append(lanes.loop.run_until_complete(lanes.opened()))
        begun = time.monotonic()
        lanes.close()
        assert time.monotonic() - begun < 3
        assert open_sockets(lanes.loop) == []


def open_sockets(loop):
    # Not isinstance(): it would ask a weak reference to something dead for its class.
    transports = [one for one in gc.get_objects() if issubclass(type(one), _SelectorTransport)]
    return [one for one in transports if one._loop is loop and one._sock is not None]
