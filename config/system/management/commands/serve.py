"""Start everything on this machine: Redis, web, worker and beat, watched until it is stopped."""

import gc
import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import OperationalError, connections

from config.system import children, preparing, readiness
from config.system.supervisor import GaveUpError, Supervisor
from config.system.watching import LogWatch

Tell = Callable[[str], None]
READY_WITHIN = 90  # seconds
MOST_DEATHS = 5  # of one child before the first readiness
LOOK_EVERY = 1.0  # seconds between two looks at the logs


class Command(BaseCommand):
    help = "Start Rapport: Redis, web server, worker and beat, on one port."
    # The checks import every URL and view; `make lint` and the tests run them.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, help="Like PORT=…; default 8000.")
        parser.add_argument(
            "--seed-demo", action="store_true", help="Make a small example to try things with."
        )
        parser.add_argument(
            "--only",
            choices=sorted(children.RUNS),
            help="One part alone, watched by nobody: for several machines (docs/deploying.md).",
        )

    def handle(self, *args: Any, port: int | None, seed_demo: bool, only: str | None, **options: Any) -> None:
        if port is not None and port != settings.PORT:
            restart_with_port(port)
        try:
            if only:
                run_alone(only)
                return
            lock = prepare_or_say_why(self.tell, seed_demo=seed_demo)
            run(self.tell, lock=lock)
        except (preparing.StartRefusedError, GaveUpError) as reason:
            self.stderr.write(f"Rapport cannot start: {reason}")
            sys.exit(1)
        except KeyboardInterrupt:  # before anything was started
            sys.exit(130)

    def tell(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def restart_with_port(port: int) -> None:
    """Settings are read once, from the environment: begin again with the port in it."""
    os.environ["PORT"] = str(port)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 (our own command line)


def prepare_or_say_why(tell: Tell, *, seed_demo: bool) -> int:
    """Raises StartRefusedError also for what the machine refuses: a full disk, a read-only database."""
    try:
        return prepare(tell, seed_demo=seed_demo)
    except OperationalError as error:
        raise preparing.StartRefusedError(f"The database refused: {str(error).splitlines()[0]}") from None
    except OSError as error:
        place = error.filename or "a file"
        raise preparing.StartRefusedError(f"{place} cannot be used ({error.strerror}).") from None


def prepare(tell: Tell, *, seed_demo: bool) -> int:
    """All that must be done before a process starts; the lock's descriptor."""
    os.umask(0o077)
    preparing.check_settings()
    preparing.make_folder()
    lock = preparing.lock_folder()
    preparing.check_address()
    preparing.check_redis()
    if preparing.migrate():
        tell("The database is up to date.")
    if preparing.collect_static():
        tell("Static files are collected.")
    announce_admin(tell)
    if seed_demo:
        from config.system.seeding import seed_demo as seed

        seed()
    children.load_for_all()
    forget_and_disconnect()
    return lock


def announce_admin(tell: Tell) -> None:
    password = preparing.first_account()
    if password:
        tell(f"First account: {preparing.ADMIN}, password {password} (shown once; change it in the admin).")


def forget_and_disconnect() -> None:
    from config.system import heartbeats

    heartbeats.forget_this_host()
    # A forked child must not share a connection, and nothing here needs the database again.
    connections.close_all()
    gc.collect()


def run_alone(part: str) -> None:
    """In this process, until it is told to end. Schema and static files are there; so is Redis."""
    preparing.check_settings()
    if part == "web":
        preparing.check_address()
    children.load_for_all()
    connections.close_all()
    children.RUNS[part]()


def run(tell: Tell, *, lock: int) -> None:
    supervisor = Supervisor(children.all_children(close=(lock,)), tell=tell)
    supervisor.catch_signals()
    try:
        supervisor.launch()
        if wait_until_ready(supervisor):
            tell(f"Rapport is ready at {address()}")
        watch(supervisor, tell=tell)
    finally:
        supervisor.catch_signals()
        supervisor.stop()
    tell("Rapport has stopped.")


def address() -> str:
    host = f"[{settings.HOST}]" if ":" in settings.HOST else settings.HOST
    return f"http://{host}:{settings.PORT}"


def wait_until_ready(supervisor: Supervisor) -> bool:
    """Whether everything answers. False: a signal came first. Raises GaveUpError."""
    deadline = time.monotonic() + READY_WITHIN
    answer = readiness.ask()
    while not answer.is_ready:
        supervisor.tend()
        supervisor.give_up_on_hopeless(deaths=MOST_DEATHS)
        if supervisor.stopping:
            return False
        if time.monotonic() > deadline:
            raise GaveUpError(f"after {READY_WITHIN} s {answer.why_not}; see {children.logs_folder()}.")
        time.sleep(0.05)
        answer = readiness.ask()
    return True


def watch(supervisor: Supervisor, *, tell: Tell) -> None:
    """Until a signal comes. Logs are looked at from here on: while parts start, they miss one another."""
    watches = [LogWatch(child.name, child.log_file) for child in supervisor.children]
    look_at = time.monotonic()
    while not supervisor.stopping:
        supervisor.tend()
        if time.monotonic() >= look_at:
            look_at = time.monotonic() + LOOK_EVERY
            for line in (line for log in watches for line in log.new_trouble()):
                tell(line)
        time.sleep(0.1)
