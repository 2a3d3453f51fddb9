"""Twilio's side of a ConversationRelay session: the signed handshake, and what it sends and is told.

    async with RelaySession(url, call_sid) as session:
        await session.set_up()
        said = await session.spoken()  # all of one utterance
        await session.prompt("Yes, please.")

It keeps to the vendor's wire format and asks of ours that it does, too: every frame that it gets is checked.
"""

import json
from urllib.parse import urlsplit

from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from twilio.request_validator import RequestValidator

from tests.fakes.twilio_server import ACCOUNT_SID, AUTH_TOKEN

PATIENCE = 15  # seconds that a test waits for a frame before it fails
FIELDS = {
    "text": {"type", "token", "last"},
    "language": {"type", "ttsLanguage", "transcriptionLanguage"},
    "end": {"type", "handoffData"},
}


def signature(url, token=AUTH_TOKEN):
    return RequestValidator(token).compute_signature(url, {})


class RelaySession:
    def __init__(self, url, call_sid, *, signed=None, application=None, headers=()):
        from voice.routing import websocket_urlpatterns

        self.call_sid = call_sid
        self.languages, self.ended = [], None
        signed = signature(url) if signed is None else signed
        own = [(b"x-twilio-signature", signed.encode())] if signed else []
        self.socket = WebsocketCommunicator(
            application or URLRouter(websocket_urlpatterns), urlsplit(url).path, headers=[*own, *headers]
        )

    async def __aenter__(self):
        self.accepted, self.code = await self.socket.connect(timeout=PATIENCE)
        return self

    async def __aexit__(self, *exc):
        await self.hang_up()

    async def hang_up(self):
        await self.socket.disconnect(timeout=PATIENCE)

    # --- what Twilio sends ----------------------------------------------------------------------

    async def send(self, **frame):
        await self.socket.send_to(text_data=json.dumps(frame))

    async def set_up(self, call_sid=None):
        await self.send(
            type="setup",
            sessionId="VX" + "0" * 32,
            accountSid=ACCOUNT_SID,
            parentCallSid="",
            callSid=call_sid or self.call_sid,
            **{"from": "+14155550100", "to": "+4915112345678", "forwardedFrom": "", "callerName": ""},
            callType="PSTN",
            direction="outbound-api",
            callStatus="IN-PROGRESS",
            customParameters={},
        )

    async def prompt(self, words, *, last=True):
        await self.send(type="prompt", voicePrompt=words, lang="en-US", last=last)

    async def press(self, digit):
        await self.send(type="dtmf", digit=digit)

    async def interrupt(self, heard):
        await self.send(type="interrupt", utteranceUntilInterrupt=heard, durationUntilInterruptMs=460)

    async def agent_is_silent(self):
        await self.send(type="info", name="agentSpeaking", value="off")

    # --- what it is told ------------------------------------------------------------------------

    async def frame(self):
        event = await self.socket.receive_output(timeout=PATIENCE)
        assert event["type"] == "websocket.send", event
        frame = json.loads(event["text"])
        assert set(frame) == FIELDS[frame["type"]]
        if frame["type"] == "language":
            self.languages.append(frame["ttsLanguage"])
        if frame["type"] == "end":
            self.ended = json.loads(frame["handoffData"])
        return frame

    async def spoken(self):
        """The whole next utterance, token by token."""
        tokens = []
        while True:
            frame = await self.frame()
            assert frame["type"] in ("language", "text"), frame
            if frame["type"] == "text":
                tokens.append(frame["token"])
                if frame["last"]:
                    return "".join(tokens)

    async def until_end(self):
        """The hand-off data."""
        while self.ended is None:
            await self.frame()
        return self.ended

    async def close_code(self):
        while True:
            event = await self.socket.receive_output(timeout=PATIENCE)
            if event["type"] == "websocket.close":
                return event["code"]
