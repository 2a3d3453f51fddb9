"""Plays Twilio and the person on the line, over HTTP: signed webhooks, reports in any order, retries.

It does what the TwiML says and nothing else: an address is posted to only when a Gather names it.
"""

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from twilio.request_validator import RequestValidator

from tests.fakes.twilio_server import ACCOUNT_SID, AUTH_TOKEN

BASE = "https://calls.example"
OUR_NUMBER = "+14155550100"
VERBS = {"Response", "Gather", "Say", "Pause", "Hangup", "Redirect"}


def signature(url, form, token=AUTH_TOKEN):
    return RequestValidator(token).compute_signature(url, form)


def signed_post(client, url, form, *, token=AUTH_TOKEN, **headers):
    """A webhook as Twilio sends it to the public address, arrived here through a proxy."""
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    headers = {"X-Twilio-Signature": signature(url, form, token), **headers}
    return client.post(
        target,
        "&".join(f"{quoted(name)}={quoted(value)}" for name, value in form.items()),
        content_type="application/x-www-form-urlencoded",
        headers=headers,
    )


def quoted(text):
    from urllib.parse import quote_plus

    return quote_plus(text)


def checked_twiml(response):
    """The document's root. Fails for anything that Twilio would not take."""
    assert response.status_code == 200, response.content
    assert response.headers["Content-Type"].startswith("text/xml")
    root = ET.fromstring(response.content)
    assert root.tag == "Response"
    for element in root.iter():
        assert element.tag in VERBS
        if element.tag == "Say":
            assert (element.text or "").strip()
            assert len(element.text) <= 4096
        if element.tag == "Gather":
            assert element.attrib["input"] == "speech dtmf"
            assert element.attrib["timeout"] == "10"
            assert element.attrib["actionOnEmptyResult"] == "true"
            assert element.attrib["action"].startswith(f"{BASE}/twilio-process?")
    # The line is never left open by the end of a document.
    assert root.find("Hangup") is not None or root.find("Redirect") is not None
    return root


@dataclass
class Line:
    """One call as the person and Twilio have it."""

    client: object
    sid: str
    number: str
    voice_url: str
    status_url: str
    heard: list = field(default_factory=list)  # what was said to the person
    documents: list = field(default_factory=list)
    is_open: bool = False
    action: str = ""
    sequence: int = 0

    @classmethod
    def of(cls, client, twilio, sid):
        form = twilio.forms[list(twilio.calls).index(sid)]
        return cls(client, sid, form["To"][0], form["Url"][0], form["StatusCallback"][0])

    def form(self, status="in-progress", **more):
        return {
            "CallSid": self.sid,
            "AccountSid": ACCOUNT_SID,
            "From": OUR_NUMBER,
            "To": self.number,
            "CallStatus": status,
            "Direction": "outbound-api",
            "ApiVersion": "2010-04-01",
            **more,
        }

    def post(self, url, **more):
        return signed_post(self.client, url, self.form(**more))

    def report(self, status, **more):
        self.sequence += 1
        response = self.post(self.status_url, status=status, SequenceNumber=str(self.sequence), **more)
        assert response.status_code == 200
        return response

    def answer(self, **more):
        """Somebody takes the call, or a machine does (AnsweredBy)."""
        self.is_open = True
        return self.obey(self.post(self.voice_url, **more))

    def say(self, words, confidence="0.92"):
        return self._turn(SpeechResult=words, Confidence=confidence)

    def press(self, digits):
        return self._turn(Digits=digits)

    def silence(self):
        return self._turn()

    def _turn(self, **more):
        assert self.is_open, "the call is over"
        self.last = (self.action, more)
        return self.obey(self.post(self.action, **more))

    def again(self):
        """Twilio sends the last turn once more."""
        url, more = self.last
        return self.post(url, **more)

    def obey(self, response):
        root = checked_twiml(response)
        self.documents.append(response.content)
        gather = root.find("Gather")
        spoken = (gather if gather is not None else root).findall("Say")
        self.heard.append(" ".join(say.text for say in spoken))
        self.is_open, self.action = gather is not None, "" if gather is None else gather.attrib["action"]
        return self.heard[-1]

    def hang_up(self):
        self.is_open = False
        return self.report("completed", CallDuration="42")
