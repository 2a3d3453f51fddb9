"""A database, and where it is wanted a Redis and workers, for benches and drills of sending."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.installation import NOT_INHERITED, ROOT
from tests.run import database

LEASE = {
    "RAPPORT_LEASE_SECONDS": "5",
    "RAPPORT_SWEEP_SECONDS": "2",
}  # a killed sender's work is taken up soon


class House:
    def __init__(self, folder, environment):
        self.folder = Path(folder)
        inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        self.environment = {
            **inherited,
            "RAPPORT_ENV": "demo",
            "RAPPORT_DATA": str(folder),
            "LOG_LEVEL": "ERROR",
            "RAPPORT_ADMIN_PASSWORD": "not-a-secret-in-benches",
            **{name: value for name, value in environment.items() if value},
        }

    def run(self, *words):
        done = subprocess.run(
            [sys.executable, *words], cwd=ROOT, env=self.environment, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(f"{' '.join(words)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def part(self, *words):
        return json.loads(self.run("-m", "bench.sending_parts", *map(str, words)).splitlines()[-1])

    def start(self, *words, **pipes):
        return subprocess.Popen([sys.executable, *words], cwd=ROOT, env=self.environment, text=True, **pipes)

    def celery(self, *words):
        log = (self.folder / f"{words[0]}{time.monotonic_ns()}.log").open("w")
        return self.start("-m", "celery", "-A", "config", *words, stdout=log, stderr=log)


@contextmanager
def house(lane, *, redis=False, **environment):
    """An installation on `sqlite` or `postgres`, migrated."""
    with ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="rapport-sending-", ignore_cleanup_errors=True)
        )
        environment |= stack.enter_context(database(lane))
        if redis:
            environment["REDIS_URL"] = stack.enter_context(private_redis(folder))
        made = House(folder, environment)
        made.run("manage.py", "migrate", "-v0")
        yield made


@contextmanager
def private_redis(folder):
    from conftest import redis_server

    path = Path(folder) / "bench-redis.sock"
    words = ["--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no"]
    process = subprocess.Popen([redis_server(), *words], stdout=subprocess.DEVNULL, cwd=folder)
    try:
        while not path.exists():
            time.sleep(0.02)
        yield f"unix://{path}"
    finally:
        process.terminate()
        process.wait()


def ended(process, number=signal.SIGTERM, *, within=40):
    process.send_signal(number)
    process.wait(within)
