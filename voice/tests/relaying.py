"""Calls whose talk is held over the socket: placed, answered, and led there by their own TwiML."""

import xml.etree.ElementTree as ET

from django.test import Client

from config.api.threads import in_database
from tests.fakes.twilio_relay import RelaySession
from voice.tests.simulator import BASE, Line, signed_post


def connected(content):
    """Where `<Connect>` leads: the socket's address, and who is asked afterwards."""
    root = ET.fromstring(content)
    (connect,) = root.findall("Connect")
    (relay,) = connect.findall("ConversationRelay")
    assert connect.attrib["method"] == "POST"
    assert relay.attrib["url"].startswith("wss://calls.example/twilio-relay/")
    assert relay.attrib["interruptible"] == "any"
    assert relay.attrib["dtmfDetection"] == "true"
    assert connect.attrib["action"].startswith(f"{BASE}/twilio-relay-ended?")
    return relay.attrib, connect.attrib["action"]


class Phone:
    """One call as Twilio has it, from the first ring to the end."""

    def __init__(self, line: Line) -> None:
        self.line = line

    @classmethod
    def rung(cls, twilio, sid):
        return cls(Line.of(Client(), twilio, sid))

    def answer(self, **more):
        """The TwiML of an answered call; leads to the socket when it is relayed."""
        self.content = self.line.post(self.line.voice_url, **more).content
        if b"<Connect" in self.content:
            self.relay, self.action = connected(self.content)
        return self.content.decode()

    async def session(self, **options):
        await in_database(self.answer)
        return self.open(**options)

    def open(self, **options):
        return RelaySession(self.relay["url"], self.line.sid, **options)

    def ended(self, status="ended", **more):
        """Twilio asks how the call goes on."""
        form = self.line.form(SessionId="VX1", SessionStatus=status, SessionDuration="12", **more)
        response = signed_post(Client(), self.action, form)
        assert response.status_code == 200
        ET.fromstring(response.content)
        return response.content.decode()

    async def after(self, status="ended", **more):
        return await in_database(self.ended, status, **more)
