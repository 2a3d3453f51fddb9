"""A whole installation in a folder of its own: `manage.py serve` started as people do.

For tests that watch it from outside, crash drills, benches and screenshots.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.migrated import NOT_INHERITED, migrated_folder
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[1]


# Benches and drills measure the server, not its limits.
NO_LIMITS = {"RAPPORT_RATE_PER_MINUTE": "10000000", "RAPPORT_RATE_PER_SECOND": "1000000"}


class Installation:
    def __init__(self, folder, *, port=None, **environment):
        self.folder = Path(folder)
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in NOT_INHERITED},
            "RAPPORT_ENV": "demo",
            "RAPPORT_DATA": str(folder),
            "PORT": str(self.port),
            "RAPPORT_ADMIN_PASSWORD": "not-a-secret-in-tests",
            "PYTHONUNBUFFERED": "1",
            **environment,
        }
        self.process = None
        self.output = Path(tempfile.mkdtemp(prefix="serve-")) / "output"

    def start(self, *arguments):
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", *arguments],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return self

    def run(self, *words):
        """The output of a Python command in the installation's environment."""
        environment = {**self.environment, "DJANGO_SETTINGS_MODULE": "config.settings"}
        done = subprocess.run(
            [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{words[0]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def said(self):
        return self.output.read_text()

    def wait_for(self, pattern, *, seconds=90):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if re.search(pattern, self.said()):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"{pattern!r} was not said within {seconds} s:\n{self.said()}")

    def started(self, *arguments):
        # On an empty database a busy machine migrates for minutes; one that gives up ends the wait.
        self.start(*arguments).wait_for("Rapport is ready", seconds=300)
        return self

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def children(self):
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, name):
        """The process of a part: the one that has its log open, and is nobody's pool process."""
        log = str((self.folder / "logs" / f"{name}.log").resolve())
        for process in psutil.Process(self.process.pid).children():
            if os.path.realpath(f"/proc/{process.pid}/fd/2") == log:
                return process
        return None

    def wait_for_child(self, name, *, other_than, seconds=30):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.child(name)
            if found and found.pid != other_than:
                return found
            time.sleep(0.05)
        raise AssertionError(f"{name} was not started again:\n{self.said()}")

    def wait_until_ready(self, *, seconds=30):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.get("/ready") == 200:
                return
            time.sleep(0.1)
        raise AssertionError(f"It did not become ready again:\n{self.said()}")

    def stop(self, number=signal.SIGTERM):
        """Seconds it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout=30)
        return time.monotonic() - began

    def end(self):
        """However the test left it."""
        if self.process and self.process.poll() is None:
            left = self.children()
            self.process.kill()
            self.process.wait()
            for process in left:
                if process.is_running():
                    process.kill()


def furnish(folder):
    """Most of a first start is the migrations: what is not about them begins after them."""
    shutil.copytree(migrated_folder(), folder, dirs_exist_ok=True)


@contextmanager
def installation(settings=None, *arguments):
    """A running installation without rate limits; `arguments` are further words for serve."""
    with tempfile.TemporaryDirectory(prefix="rapport-house-", ignore_cleanup_errors=True) as folder:
        house = Installation(folder, **{**NO_LIMITS, "LOG_LEVEL": "WARNING", **(settings or {})})
        if "DATABASE_URL" not in house.environment:
            furnish(folder)
        try:
            yield house.started(*arguments)
        finally:
            if house.process.poll() is None:
                house.stop()
            house.end()


def still_running(processes, *, within=3):
    """Those that are not gone (a zombie is gone)."""
    deadline = time.monotonic() + within
    while True:
        running = [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        if not running or time.monotonic() > deadline:
            return running
        time.sleep(0.05)
