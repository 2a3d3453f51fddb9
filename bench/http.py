"""Plain HTTP through the running `serve`, beside daphne's plain Django ASGI (and a2wsgi under daphne).

python -m bench.http [SECONDS per measurement, default 6]
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import report
from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent
CONNECTIONS = (1, 8, 64)
ROWS = 10_000
LIST = "/api/v1/guides?limit=10"
TARGET = 1.7
ROUNDS = 3
PYTHON = sys.executable
NOT_INHERITED = ("REDIS_URL", "DATABASE_URL", "SECRET_KEY", "PUBLIC_BASE_URL", "HOST", "PORT")

SEED = f"""
import django; django.setup()
from config.api.models import Account
from interviews.models import Guide
from personas.models import Persona
account, _ = Account.objects.get_or_create(slug="default", defaults={{"name": "Bench"}})
persona, _ = Persona.objects.get_or_create(account=account, slug="bench", defaults={{"name": "Bench"}})
Guide.objects.bulk_create(
    [Guide(account=account, persona=persona, name=f"Guide {{n}}", goal="To measure.") for n in range({ROWS})],
    batch_size=500,
)
"""


def environment(folder):
    kept = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    return {
        **kept,
        "RAPPORT_ENV": "demo",
        "RAPPORT_DATA": str(folder),
        "RAPPORT_RATE_PER_MINUTE": "100000000",
        "RAPPORT_RATE_PER_SECOND": "100000000",
        "RAPPORT_ADMIN_PASSWORD": "only-for-the-bench",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }


@contextmanager
def running(command, env, port, log):
    """A server as a child process, from its first answer to its end."""
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(port, process)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(port, process):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"The server ended with code {process.returncode}; see its log.")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/live", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    sys.exit("The server did not answer within two minutes.")


def measure(port, path, connections, seconds):
    command = [PYTHON, "-m", "bench.load", "127.0.0.1", str(port), path, str(connections), str(seconds)]
    found = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + 60, check=True
    )
    return json.loads(found.stdout)


def best_of_rounds(ports, path, connections, seconds):
    """Of each server the quickest round. Rounds take turns: other work on the machine only ever slows."""
    rounds = [
        {name: measure(port, path, connections, seconds / ROUNDS) for name, port in ports.items()}
        for _ in range(ROUNDS)
    ]
    return {name: max((each[name] for each in rounds), key=lambda one: one["per_second"]) for name in ports}


def is_there(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status == 200
    except OSError:
        return False


def daphne(application, port):
    return [
        PYTHON,
        "-m",
        "daphne",
        "-b",
        "127.0.0.1",
        "-p",
        str(port),
        "-v",
        "0",
        f"bench.asgi_baselines:{application}",
    ]


def run(seconds=6.0):
    report.heading("Plain HTTP")
    folder = Path(tempfile.mkdtemp(prefix="bench-http-"))
    env = environment(folder / "data")
    ports = {"serve": free_port(), "daphne + Django ASGI": free_port(), "daphne + a2wsgi": free_port()}
    with ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("ab"))
        serve = [PYTHON, "manage.py", "serve"]
        stack.enter_context(running(serve, {**env, "PORT": str(ports["serve"])}, ports["serve"], log))
        subprocess.run([PYTHON, "-c", SEED], cwd=ROOT, env=env, check=True, stdout=log, stderr=log)
        # The baselines share serve's database and Redis.
        for name, application in (("daphne + Django ASGI", "django_asgi"), ("daphne + a2wsgi", "a2wsgi")):
            stack.enter_context(running(daphne(application, ports[name]), env, ports[name], log))
        print_settings(seconds)
        return compare(ports, seconds)


def print_settings(seconds):
    report.settings(
        {
            "seconds per measurement": f"{seconds} in {ROUNDS} rounds, the best is shown",
            "RAPPORT_WEB_THREADS": os.environ.get("RAPPORT_WEB_THREADS", "8 (default)"),
            "RAPPORT_RATE_PER_MINUTE, _PER_SECOND": "100000000 (raised)",
            "database": f"SQLite, WAL, {ROWS:,} guides",
            "one web process each": "load generator in a process of its own, same machine, keep-alive",
        }
    )


def compare(ports, seconds):
    reached = True
    for path, target in (("/live", TARGET), (LIST, None)):
        if not is_there(ports["serve"], path):
            print(f"  {path} is not there (or refuses us): not measured.\n")
            reached = False
            continue
        found = {}
        for connections in CONNECTIONS:
            for name, one in best_of_rounds(ports, path, connections, seconds).items():
                found[name, connections] = one
        print_table(path, found)
        reached &= print_ratios(path, found, target)
    return reached


def print_table(path, found):
    report.table(
        f"GET {path}",
        ("server", "connections", "requests/s", "p50 ms", "p99 ms", "statuses"),
        [
            (
                name,
                connections,
                round(one["per_second"]),
                one["p50_ms"],
                one["p99_ms"],
                json.dumps(one["statuses"]),
            )
            for (name, connections), one in found.items()
        ],
    )


def print_ratios(path, found, target):
    reached = True
    for connections in CONNECTIONS:
        ours = found["serve", connections]["per_second"]
        for baseline in ("daphne + Django ASGI", "daphne + a2wsgi"):
            wanted = target if baseline == "daphne + Django ASGI" else None
            theirs = found[baseline, connections]["per_second"]
            reached &= report.ratio(f"{path} at {connections}", ours, theirs, of=baseline, target=wanted)
    print()
    return reached


if __name__ == "__main__":
    sys.exit(0 if run(float(sys.argv[1]) if len(sys.argv) > 1 else 6.0) else 1)
