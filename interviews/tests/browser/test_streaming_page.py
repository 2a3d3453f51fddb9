"""The page's side of docs/live-chat.md: the test speaks for the server, frame by frame."""

import json

import pytest
from playwright.sync_api import expect

from interviews import starting
from tests.browser.interview import wait_until_connected
from tests.factories import make_contact, make_guide

pytestmark = pytest.mark.browser

PROGRESS = {"answered": 0, "total": 3, "question_key": "role", "topic": "Your work", "percent": 0}
WATCH_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) {
    window.shifts.push([entry.value, ...entry.sources.map((one) => one.node?.className)]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""
LONG = "This is a sentence that is long enough to fill more than one line of a narrow screen. "


class ServerSide:
    """The server's end of the page's socket, in the hands of the test."""

    def __init__(self, page, conversation_id):
        self.heard, self.socket, self.opened = [], None, 0
        self.page, self.conversation_id = page, str(conversation_id)
        page.route_web_socket(f"**/chat/{conversation_id}/live", self._connected)

    def _connected(self, socket):
        self.socket = socket
        self.opened += 1
        socket.on_message(lambda text: self._received(json.loads(text)))
        self.tell(
            type="hello",
            conversation=self.conversation_id,
            state="open",
            last_seq=1,
            progress=PROGRESS,
            offline=False,
        )

    def _received(self, frame):
        self.heard.append(frame)
        if frame["type"] == "resume":
            self.tell(type="resumed", last_seq=frame["after"])

    def tell(self, **frame):
        self.socket.send(json.dumps(frame))

    def sent(self, kind):
        for _look in range(100):
            found = [frame for frame in self.heard if frame["type"] == kind]
            if found:
                return found
            self.page.wait_for_timeout(20)
        raise AssertionError(f"the page sent no {kind}")

    def accept(self, frame, *, seq):
        message = self.message(seq, "person", frame["text"], client_message_id=frame["client_message_id"])
        self.tell(type="accepted", client_message_id=frame["client_message_id"], message=message)

    def message(self, seq, author, text, **fields):
        plain = {
            "state": "complete",
            "client_message_id": None,
            "reply_to": None,
            "act": "",
            "question_key": "",
        }
        more = {"choices": [], "sources": [], "at": "2026-11-20T12:00:00+00:00", "error_code": ""}
        return {"seq": seq, "author": author, "text": text, **plain, **more, **fields}


@pytest.fixture
def open_chat(site, visitors):
    def opened(**options):
        guide = make_guide()
        invitation = starting.invite(guide, make_contact(guide.account))
        page = visitors(**options).page()
        page.add_init_script(WATCH_SHIFTS)
        server = ServerSide(page, invitation.interview.conversation_id)
        page.goto(site.here(invitation.url))
        page.get_by_role("button", name="I agree, begin").click()
        wait_until_connected(page)
        return page, server

    return opened


def ask(page, server, text="I am a nurse."):
    page.get_by_label("Your answer").fill(text)
    page.get_by_role("button", name="Send").click()
    server.accept(server.sent("send")[0], seq=2)


def stream(page, server, text, *, seq=3, pause=60):
    server.tell(type="reply_started", seq=seq, reply_to=2)
    for at in range(0, len(text), 12):
        server.tell(type="delta", seq=seq, offset=at, text=text[at : at + 12])
        page.wait_for_timeout(pause)


def test_nothing_shifts_while_a_reply_streams(open_chat):
    page, server = open_chat()
    ask(page, server)
    page.wait_for_timeout(600)  # shifts within half a second of a click do not count
    stream(page, server, LONG * 14, pause=15)
    chosen = server.message(3, "persona", LONG * 14, choices=["Yes", "No"])
    server.tell(type="done", message=chosen, progress={**PROGRESS, "answered": 1, "percent": 33})
    expect(page.locator("#chips button")).to_have_text(["Yes", "No"])
    expect(page.locator("#progress-words")).to_have_text("1 of 3")
    page.wait_for_timeout(300)
    assert page.evaluate("window.shifts") == []
    assert page.evaluate("document.documentElement.scrollHeight - innerHeight - scrollY") < 2


def test_a_reader_who_scrolled_up_stays_there_and_sees_a_pill(open_chat):
    page, server = open_chat()
    ask(page, server, LONG * 20)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(100)
    stream(page, server, LONG, pause=10)
    expect(page.get_by_role("button", name="New reply")).to_be_visible()
    assert page.evaluate("scrollY") == 0
    page.get_by_role("button", name="New reply").click()
    expect(page.get_by_role("button", name="New reply")).to_be_hidden()
    assert page.evaluate("scrollY") > 0


def test_a_piece_told_twice_is_shown_once_and_a_missing_one_is_asked_for(open_chat):
    page, server = open_chat()
    ask(page, server)
    server.tell(type="reply_started", seq=3, reply_to=2)
    for offset, text in ((0, "Good "), (0, "Good "), (5, "morning 👋"), (5, "morning 👋 to you")):
        server.tell(type="delta", seq=3, offset=offset, text=text)
    expect(page.locator("#m3 .words")).to_have_text("Good morning 👋 to you")
    server.heard.clear()
    server.tell(type="delta", seq=3, offset=400, text="lost")
    assert server.sent("resume")[0]["after"] == 2
    expect(page.locator("#m3 .words")).to_have_text("Good morning 👋 to you")


def test_a_failed_reply_can_be_tried_again(open_chat):
    page, server = open_chat()
    ask(page, server)
    server.tell(type="reply_started", seq=3, reply_to=2)
    words = "The interviewer is busy right now. Your message is kept; please try again."
    server.tell(type="failed", seq=3, reply_to=2, code="unavailable", message=words, retryable=True)
    expect(page.locator(".said.failed")).to_contain_text(words)
    page.get_by_role("button", name="Try again").click()
    assert server.sent("retry")[0]["seq"] == 2
    server.tell(type="reply_started", seq=3, reply_to=2)
    server.tell(type="done", message=server.message(3, "persona", "Thank you."), progress=PROGRESS)
    expect(page.locator(".said.persona .words").last).to_have_text("Thank you.")
    expect(page.locator(".said.failed")).to_have_count(0)


def test_a_refused_message_says_so_and_is_sent_again_under_its_id(open_chat):
    page, server = open_chat()
    page.get_by_label("Your answer").fill("I am a nurse.")
    page.get_by_role("button", name="Send").click()
    first = server.sent("send")[0]
    words = "A reply is being written. Please wait for it."
    server.tell(type="error", code="CONFLICT", message=words, client_message_id=first["client_message_id"])
    expect(page.locator(".said.person")).to_contain_text(words)
    server.heard.clear()
    page.get_by_role("button", name="Try again").click()
    assert server.sent("send")[0] == first


def test_a_dropped_socket_is_opened_again_and_nothing_is_doubled(open_chat):
    page, server = open_chat()
    ask(page, server)
    stream(page, server, "Half a rep", pause=5)
    server.heard.clear()
    server.socket.close(code=1012)
    assert server.sent("resume")[0]["after"] == 2
    assert server.opened == 2
    server.tell(
        type="message", message=server.message(3, "persona", "Half a reply, and the rest.", reply_to=2)
    )
    expect(page.locator(".said.persona .words").last).to_have_text("Half a reply, and the rest.")
    expect(page.locator(".said[data-seq]")).to_have_count(3)
    expect(page.locator("#connection")).to_have_text("")


def test_the_reply_can_be_stopped(open_chat):
    page, server = open_chat()
    ask(page, server)
    server.tell(type="reply_started", seq=3, reply_to=2)
    server.tell(type="delta", seq=3, offset=0, text="I could go on")
    page.get_by_role("button", name="Stop the reply").click()
    assert server.sent("stop")
    server.tell(type="done", message=server.message(3, "persona", "I could go on"), progress=PROGRESS)
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def test_less_motion_shows_whole_sentences_only(open_chat):
    page, server = open_chat(reduced_motion="reduce")
    ask(page, server)
    server.tell(type="reply_started", seq=3, reply_to=2)
    server.tell(type="delta", seq=3, offset=0, text="That helps. And wh")
    expect(page.locator("#m3 .words")).to_have_text("That helps.")


def test_an_ended_link_says_how_to_go_on(open_chat):
    page, server = open_chat()
    server.socket.close(code=4401)
    expect(page.locator("#connection")).to_contain_text("This link has run out")


def test_a_message_sent_offline_survives_a_reload(open_chat):
    page, server = open_chat()
    page.get_by_label("Your answer").fill("I am a nurse.")
    page.get_by_role("button", name="Send").click()
    first = server.sent("send")[0]
    server.heard.clear()
    page.reload()
    wait_until_connected(page)
    assert server.sent("send")[0] == first
    server.accept(first, seq=2)
    expect(page.locator(".said.person .words")).to_have_text(["I am a nurse."])
