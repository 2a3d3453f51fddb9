"""The live chat socket (docs/live-chat.md). It reads frames, and translates replies into frames.

An ASGI application of its own rather than a Channels consumer: Channels delivers nothing while a handler
runs, hops through a thread at every message, and cannot serve while Redis is away. Here the page's frames,
the news of other watchers and each reply are tasks beside each other.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from django.utils import translation
from django.utils.translation import gettext as _

from config.api.threads import in_database
from crm import chat_work, replies, talk, watching
from crm.authentication import Authority, LinkEnded
from crm.chat_work import NoAuthority
from crm.frames import message_frame
from crm.incoming import LARGEST_FRAME, BadField, BadFrame, Pace, parse, text_of, whole_of
from crm.models import Message
from crm.origins import is_own_origin
from crm.replies import Failed, Finished, Nothing, Piece, ReplyEvent, Running, Started
from crm.turns import Turn

logger = logging.getLogger(__name__)

Frame = dict[str, Any]
BAD_FRAME, LINK_ENDED, STRANGER, TOO_FAST, TOO_LARGE, BROKEN = 4400, 4401, 4404, 4408, 1009, 1011
BAD_FRAMES_ALLOWED = 3
WORDS = {"silent": "", "late": "CONFLICT", "closed": "CONFLICT", "missing": "NOT_FOUND"}


class ChatConsumer:
    """One open page."""

    def __init__(self, conversation_id: UUID, send: Callable[[Frame], Awaitable[None]]) -> None:
        self.conversation_id = conversation_id
        self.put = send
        self.authority: Authority | None = None
        self.pace = Pace()
        self.bad_in_a_row = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.following: set[int] = set()  # messages whose reply this page is being told
        self.told: set[int] = set()  # seqs this page has got itself
        self.heard: set[int] = set()  # seqs of whole messages it was told as news
        self.said_closed = False  # the page knows that the talk has ended
        self.is_closed = False

    @classmethod
    def as_asgi(cls) -> Callable[..., Awaitable[None]]:
        async def application(scope: Frame, receive: Callable[[], Awaitable[Frame]], send: Any) -> None:
            await cls(scope["url_route"]["kwargs"]["conversation_id"], send).serve(scope, receive)

        return application

    async def serve(self, scope: Frame, receive: Callable[[], Awaitable[Frame]]) -> None:
        await receive()  # websocket.connect
        if not is_own_origin(scope):
            await self.put({"type": "websocket.close", "code": 4403})
            return
        await self.put({"type": "websocket.accept"})
        if not await self._admitted(scope):
            return
        # Chat goes on while Redis is away; only other watchers' news wait for the next `resume`.
        self._start(watching.hear(watching.group_of(self.conversation_id), self._heard))
        try:
            await self._read(receive)
        finally:
            await self._leave()

    async def _leave(self) -> None:
        """Ends what belongs to this page; replies go on in tasks of their own."""
        tasks = tuple(self.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=2)

    async def _admitted(self, scope: Frame) -> bool:
        try:
            admission = await in_database(chat_work.admit, scope, self.conversation_id)
        except LinkEnded:
            await self._close(LINK_ENDED)
            return False
        if admission is None:
            await self._close(STRANGER)
            return False
        self.authority = admission.authority
        translation.activate(admission.language)  # of this connection's own context, and its tasks'
        await self._tell(admission.hello)
        return True

    # --- frames from the page ---------------------------------------------------------------
    async def _read(self, receive: Callable[[], Awaitable[Frame]]) -> None:
        while not self.is_closed:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                return
            if self.pace.is_too_fast(time.monotonic()):
                await self._close(TOO_FAST)
                return
            await self._received(event)

    async def _received(self, event: Frame) -> None:
        text = event.get("text")
        if len(text if text is not None else event.get("bytes") or b"") > LARGEST_FRAME:
            await self._close(TOO_LARGE)
            return
        try:
            if text is None:
                raise BadFrame(_("Frames are text."))
            frame = parse(text)
        except BadFrame as error:
            await self._refuse_frame(str(error))
            return
        self.bad_in_a_row = 0
        await self._handled(frame)

    async def _refuse_frame(self, why: str) -> None:
        self.bad_in_a_row += 1
        if self.bad_in_a_row >= BAD_FRAMES_ALLOWED:
            await self._close(BAD_FRAME)
            return
        await self._refuse("VALIDATION_ERROR", why)

    async def _handled(self, frame: Frame) -> None:
        client_id = frame.get("client_message_id")
        is_known = isinstance(client_id, str) and client_id.isprintable()
        again = {"client_message_id": client_id} if is_known else {}
        try:
            await getattr(self, f"_on_{frame['type']}")(frame)
        except NoAuthority:
            await self._close(LINK_ENDED)
        except (BadField, talk.InvalidMessage) as error:
            await self._refuse("VALIDATION_ERROR", str(error), **again)
        except (talk.TurnTaken, talk.TalkClosed) as error:
            await self._refuse("CONFLICT", str(error), **again)
        except Exception:
            # The page keeps its message and sends it again under the same id.
            logger.exception("a %s frame could not be handled", frame["type"])
            await self._refuse("INTERNAL_ERROR", _("This did not work. Please try again."), **again)

    async def _on_ping(self, frame: Frame) -> None:
        await in_database(chat_work.check, self._mine())
        await self._tell({"type": "pong"})

    async def _on_send(self, frame: Frame) -> None:
        self._may_write()
        message, turn = await in_database(
            chat_work.take,
            self._mine(),
            self.conversation_id,
            text=text_of(frame, "text", required=True, longest=talk.LONGEST_TEXT),
            client_message_id=text_of(frame, "client_message_id", required=True),
            act=text_of(frame, "act", longest=16),
            question_key=text_of(frame, "question_key", longest=60),
        )
        await self._accepted(message, turn)

    async def _accepted(self, message: Message, turn: Turn | None) -> None:
        self.told.add(message.seq)
        self.said_closed = False
        own = {"type": "accepted", "client_message_id": message.client_message_id}
        await self._tell({**own, "message": message_frame(message)})
        self._follow_message(message.pk, turn)
        await watching.tell(self.conversation_id, "message", seq=message.seq)

    async def _on_retry(self, frame: Frame) -> None:
        self._may_write()
        seq = whole_of(frame, "seq")
        message_id = await in_database(chat_work.to_retry, self._mine(), self.conversation_id, seq=seq)
        if message_id is None:
            await self._refuse("NOT_FOUND", _("There is no message of yours with this number."))
            return
        self._follow_message(message_id)

    async def _on_stop(self, frame: Frame) -> None:
        self._may_write()
        await in_database(chat_work.check, self._mine())
        if not replies.stop(self.conversation_id):
            await self._refuse("CONFLICT", _("No reply is being written."))

    async def _on_resume(self, frame: Frame) -> None:
        after = whole_of(frame, "after")
        missed = await in_database(chat_work.catch_up, self._mine(), self.conversation_id, after=after)
        running = replies.running_in(self.conversation_id) if missed.writing is not None else None
        known = len(running.text) if running is not None else 0
        for one in missed.frames:
            if one["message"]["seq"] in self.heard:
                continue
            if running is not None and running.started and one["message"]["seq"] == running.started.seq:
                # The row is up to a second old; the deltas go on from what the page gets here.
                one["message"] |= {"state": "streaming", "text": running.text[:known]}
            elif one["message"]["state"] == "complete":
                self.told.add(one["message"]["seq"])
            await self._tell(one)
        await self._tell({"type": "resumed", "last_seq": missed.last_seq})
        if missed.closed:
            await self._tell({"type": "closed", "reason": missed.closed})
        if missed.writing is not None and missed.writing not in self.following:
            self.following.add(missed.writing)
            self._start(self._follow(missed.writing, running, known))

    # --- replies ----------------------------------------------------------------------------
    def _follow_message(self, message_id: int, turn: Turn | None = None) -> None:
        if message_id not in self.following:
            self.following.add(message_id)
            # Begun here, not in the task: it goes on when this page leaves before the task runs.
            self._start(self._follow(message_id, replies.ensure_reply(message_id, turn), 0))

    async def _follow(self, message_id: int, running: Running | None, begin_at: int) -> None:
        try:
            if running is not None:
                async for event in replies.follow(running, begin_at=begin_at):
                    await self._tell_event(event)
            if running is None or running.elsewhere:
                async for event in replies.stream_reply(message_id):
                    await self._tell_event(event)
        finally:
            self.following.discard(message_id)

    async def _tell_event(self, event: ReplyEvent) -> None:
        match event:
            case Started(seq=seq, reply_to=reply_to):
                self.told.add(seq)
                await self._tell({"type": "reply_started", "seq": seq, "reply_to": reply_to})
            case Piece(seq=seq, offset=offset, text=text):
                await self._tell({"type": "delta", "seq": seq, "offset": offset, "text": text})
            case Finished(message=message, progress=progress, closed=closed):
                self.told.add(message["seq"])
                await self._tell({"type": "done", "message": message, "progress": progress})
                if closed:
                    await self._tell({"type": "closed", "reason": closed})
            case Failed(seq=seq, reply_to=to, code=code, message=words, retryable=again):
                failed = {"type": "failed", "seq": seq, "reply_to": to, "code": code}
                await self._tell({**failed, "message": words, "retryable": again})
            case Nothing(why=why) if WORDS.get(why):
                await self._refuse(WORDS[why], _("This message has no reply to wait for."))

    # --- news from other watchers and processes ----------------------------------------------
    async def _heard(self, event: Frame) -> None:
        # What this page gets from its own reply it is not told twice.
        if event["seq"] in self.told or (event["what"] == "closed" and self.following):
            return
        try:
            news = await in_database(
                chat_work.news_of, self._mine(), self.conversation_id, what=event["what"], seq=event["seq"]
            )
        except NoAuthority:
            await self._close(LINK_ENDED)
            return
        for frame in news:
            if frame["type"] == "message" and frame["message"]["state"] == "complete":
                self.heard.add(frame["message"]["seq"])
            await self._tell(frame)

    # --- to the page ------------------------------------------------------------------------
    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a task of the chat socket failed", exc_info=task.exception())

    def _mine(self) -> Authority:
        if self.authority is None:
            raise NoAuthority
        return self.authority

    def _may_write(self) -> None:
        if not self._mine().may_write:
            raise BadField(_("You are watching this conversation. Write in it from its page in the admin."))

    async def _refuse(self, code: str, message: str, **more: Any) -> None:
        await self._tell({"type": "error", "code": code, "message": message, **more})

    async def _tell(self, frame: Frame) -> None:
        if frame["type"] == "closed":
            if self.said_closed:
                return
            self.said_closed = True
        if not self.is_closed:
            await self.put({"type": "websocket.send", "text": json.dumps(frame, ensure_ascii=False)})

    async def _close(self, code: int) -> None:
        if not self.is_closed:
            self.is_closed = True
            await self.put({"type": "websocket.close", "code": code})
