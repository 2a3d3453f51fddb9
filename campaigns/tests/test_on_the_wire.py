"""What a campaign's emails are when they arrive: read by a real parser, and looked at byte by byte."""

import re

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from campaigns import inviting, rendering
from campaigns.models import Delivery
from campaigns.tests.running import queued_campaign, send, states_of
from config.api.ids import uuid7
from crm.models import Contact
from tests.fakes.smtp_sink import Script, SmtpSink

NAMES = [
    "Ada Lovelace",
    "Łukasz Żółć",
    "李小龍",
    "Müller, Jürgen (Köln)",
    'Ada "the first" <x>',
    "عمر الخيام",
]


@pytest.fixture
def arrived(db):
    with SmtpSink(Script(at_rcpt=["450 4.2.0 later"])) as sink:
        campaign = queued_campaign(sink, people=len(NAMES))
        people = list(Delivery.objects.values_list("contact", "recipient", "pk"))
        Delivery.objects.all().delete()
        for (contact, recipient, _pk), name in zip(people, NAMES, strict=True):
            Contact.objects.filter(pk=contact).update(name=name)
            waiting = {"state": "waiting", "interview": None, "next_step": 0, "next_at": timezone.now()}
            campaign.recipients.filter(pk=recipient).update(**waiting)
        inviting.invite_people(campaign.pk)
        send(campaign)
        Delivery.objects.update(not_before=timezone.now())
        send(campaign)
        assert states_of(campaign) == {"sent": len(NAMES)}
        yield sink.received


def test_both_parts_and_every_header_are_read_by_a_real_parser(arrived):
    for one in arrived:
        message = one.message
        assert not message.defects
        assert message.get_content_type() == "multipart/alternative"
        text, html = message.get_body(("plain",)), message.get_body(("html",))
        links = set(re.findall(r"http://testserver/i/[\w-]+", text.get_content()))
        assert links
        assert links <= set(re.findall(r"http://testserver/i/[\w-]+", html.get_content()))
        assert message["To"].addresses[0].addr_spec == one.recipient
        assert message["Message-ID"].strip("<>").endswith("@rapport.example")
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        for name in ("From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "MIME-Version"):
            assert len(message.get_all(name)) == 1
    found = {one.message["To"].addresses[0].display_name for one in arrived}
    assert found == set(NAMES), found ^ set(NAMES)


def test_the_bytes_are_what_servers_want(arrived):
    for one in arrived:
        assert b"\n" not in one.content.replace(b"\r\n", b"")
        assert b"\r" not in one.content.replace(b"\r\n", b"")
        assert max(len(line) for line in one.content.split(b"\r\n")) <= 998
        assert len(one.content) < 30_000
        assert one.content.isascii()
        head = one.content.partition(b"\r\n\r\n")[0].split(b"\r\n")
        assert sum(line.startswith(b"List-Unsubscribe: <http") and line.endswith(b">") for line in head) == 1
        assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in head


def test_the_second_attempt_was_the_same_email(arrived):
    kept = dict(Delivery.objects.values_list("to_email", "message_id"))
    assert {one.recipient: one.message["Message-ID"] for one in arrived} == kept


@given(st.text(max_size=120), st.text(max_size=120))
def test_no_name_and_no_subject_can_add_a_header(name, subject):
    sender = rendering.Sender("invitations@rapport.example", "Acme")
    piece = rendering.placeholders.parse("{{ anything }}")
    skeleton = rendering.Skeleton(sender, piece, piece, piece, "en", "UTC", tuple(rendering._headers(sender)))
    person = rendering.Person("ada@example.com", name=name, columns={"anything": subject})
    try:
        email = rendering.fill(skeleton, person, delivery_id=uuid7())
    except rendering.mime.HeaderInjectionError:
        return
    head = email.wire.partition("\r\n\r\n")[0]
    names = [line.partition(":")[0] for line in head.split("\r\n") if line[:1] not in " \t"]
    assert names == ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"]
    assert email.wire.isascii()
