"""A real browser at the real server: import these fixtures into the conftest of a folder of browser tests."""

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
READY_SECONDS = 30


def chromium() -> str | None:
    names = (os.environ.get("CHROMIUM") or "", "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


class Site:
    """The web process of the tests. It may be stopped and started again."""

    def __init__(self, database: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = database
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PUBLIC_BASE_URL": self.url,
            "PORT": str(self.port),
            "LOG_LEVEL": "WARNING",
        }
        command = [sys.executable, "-m", "tests.browser.serving", str(self.port), self.database]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment)
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the web process ended with {self.process.returncode}")
            try:
                with urllib.request.urlopen(f"{self.url}/i/deleted", timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("the web process did not become ready")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=10)
            self.process = None

    def here(self, url: str) -> str:
        """An address of PUBLIC_BASE_URL (a capability link) at this server."""
        return f"{self.url}{urlsplit(url).path}"


@pytest.fixture(scope="session")
def web_process(django_db_setup: None, redis: None) -> Iterator[Site]:
    from django.db import connection

    site = Site(str(connection.settings_dict["NAME"]))
    site.start()
    yield site
    site.kill()


@pytest.fixture
def site(transactional_db: None, web_process: Site) -> Site:
    if web_process.process is None:
        web_process.start()
    return web_process


# Module scope: while playwright's synchronous API runs, its event loop counts as running in this thread,
# and asynchronous tests elsewhere need the thread to themselves.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        pytest.skip("NO BROWSER TESTS: no Chromium found. Install chromium, or set CHROMIUM to its path.")
    allowed = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # these tests make rows beside playwright's loop
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield launched
        launched.close()
    if allowed is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


class Visitor:
    """A person's browser, which notes what it must never see: console errors, other hosts."""

    def __init__(self, browser: Browser, site: Site, **options: object) -> None:
        options.setdefault("viewport", PHONE)
        options.setdefault("has_touch", False)
        self.context: BrowserContext = browser.new_context(base_url=site.url, **options)  # type: ignore[arg-type]
        self.context.set_default_timeout(15_000)
        self.site = site
        self.errors: list[str] = []
        self.foreign: list[str] = []
        self.context.on("request", self._requested)

    def page(self) -> Page:
        page = self.context.new_page()
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        return page

    def _requested(self, request: object) -> None:
        url = str(request.url)  # type: ignore[attr-defined]
        if not url.startswith((self.site.url, "data:", "blob:")):
            self.foreign.append(url)


@pytest.fixture
def visitors(browser: Browser, site: Site) -> Iterator[object]:
    """Makes visitors; at the end none of them has seen an error or another host."""
    made: list[Visitor] = []

    def make(**options: object) -> Visitor:
        made.append(Visitor(browser, site, **options))
        return made[-1]

    yield make
    for visitor in made:
        visitor.context.close()
    assert [error for visitor in made for error in visitor.errors] == []
    assert [url for visitor in made for url in visitor.foreign] == []


@pytest.fixture
def visitor(visitors: object) -> Visitor:
    return visitors()  # type: ignore[operator, no-any-return]


@pytest.fixture
def page(visitor: Visitor) -> Page:
    return visitor.page()
