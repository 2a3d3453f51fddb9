"""`manage.py serve`, watched from outside."""

import http.client
import signal
import socket
import stat
import time
from http import HTTPStatus

import psutil
import pytest

from tests.installation import Installation, free_port, furnish, still_running

# One after another: each needs the processors for itself.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("serve")]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A data folder that has been served once, so that later starts are quick."""
    folder = tmp_path_factory.mktemp("installation") / "data"
    first = Installation(folder)
    furnish(folder)
    # What the first start must make, or make private, by itself.
    folder.chmod(0o755)
    (folder / "secret_key").unlink()
    try:
        first.started()
        first.stop()
    finally:
        first.end()
    return folder


@pytest.fixture
def installation(prepared):
    made = Installation(prepared)
    yield made
    made.end()


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """One that is served, for all that is asked of it without stopping it."""
    made = Installation(tmp_path_factory.mktemp("running") / "data")
    furnish(made.folder)
    try:
        yield made.started("--seed-demo")
        made.stop()
    finally:
        made.end()


def test_it_is_ready_when_every_part_answers(running):
    assert running.get("/ready") == 200
    assert running.get("/live") == 200
    assert {name: bool(running.child(name)) for name in ("redis", "web", "worker", "beat")} == {
        "redis": True,
        "web": True,
        "worker": True,
        "beat": True,
    }


def test_an_answer_says_its_code_in_words(running):
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    connection.request("POST", "/accounts", body="{}", headers={"Content-Type": "application/json"})
    answer = connection.getresponse()
    connection.close()
    assert (answer.status, answer.reason) == (422, HTTPStatus(422).phrase)


def test_the_worker_gives_way_to_the_web_process(running):
    worker = running.child("worker")
    assert {one.nice() for one in (worker, *worker.children())} == {10}
    assert {running.child(name).nice() for name in ("web", "mail")} == {0}


def refusal(installation):
    """The one line and the code of an installation that does not start."""
    installation.start().process.wait(timeout=60)
    said = installation.said().strip()
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1, said
    return installation.process.returncode, said


def test_the_web_process_alone_runs_on_uvloop(running):
    def loads(name):
        return any("uvloop" in mapped.path for mapped in running.child(name).memory_maps())

    assert {name: loads(name) for name in ("web", "worker", "beat")} == {
        "web": True,
        "worker": False,
        "beat": False,
    }


def test_a_second_instance_on_the_folder_is_told_in_one_line(running):
    code, said = refusal(Installation(running.folder))
    assert code == 1
    assert f"already runs on the data folder {running.folder} (process {running.process.pid})" in said


def test_a_killed_web_process_is_started_again(running):
    web = running.child("web")
    web.kill()
    running.wait_for_child("web", other_than=web.pid)
    running.wait_until_ready()
    assert "web was killed by SIGKILL; starting it again" in running.said()


def test_a_killed_worker_takes_its_pool_along_and_is_started_again(running):
    worker = running.child("worker")
    pool = worker.children()
    worker.kill()
    assert len(pool) > 1
    assert still_running(pool) == []
    running.wait_for_child("worker", other_than=worker.pid)
    assert "worker was killed by SIGKILL; starting it again" in running.said()


def test_a_killed_redis_comes_back_and_the_others_find_it(running):
    redis = running.child("redis")
    redis.kill()
    running.wait_for_child("redis", other_than=redis.pid)
    running.wait_until_ready()


def test_the_data_folder_is_for_the_owner_alone(prepared):
    assert stat.S_IMODE(prepared.stat().st_mode) == 0o700
    assert stat.S_IMODE((prepared / "secret_key").stat().st_mode) == 0o600


def test_a_second_start_asks_for_no_new_account_and_prepares_nothing(installation):
    installation.started()
    assert "First account" not in installation.said()
    assert "The database is up to date." not in installation.said()
    assert "Static files are collected." not in installation.said()


def test_sigterm_ends_everything_within_ten_seconds(installation):
    installation.started()
    everyone = installation.children()
    assert installation.stop() < 10
    assert still_running(everyone) == []
    assert installation.process.returncode == 0
    assert "Rapport has stopped." in installation.said()


def test_an_interrupt_from_the_keyboard_does_the_same(installation):
    installation.started()
    everyone = installation.children()
    assert installation.stop(signal.SIGINT) < 10
    assert still_running(everyone) == []


def test_children_that_hang_are_ended_too(installation):
    installation.started()
    everyone = installation.children()
    for name in ("web", "worker", "redis"):
        installation.child(name).send_signal(signal.SIGSTOP)
    assert installation.stop() < 10
    assert still_running(everyone) == []


def test_nothing_outlives_serve_when_it_is_killed(installation):
    installation.started()
    everyone = installation.children()
    installation.process.kill()
    installation.process.wait()
    assert still_running(everyone) == []


def test_a_busy_port_is_told_in_one_line(prepared):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, said = refusal(Installation(prepared, port=port))
    assert code == 1
    assert f"127.0.0.1:{port} cannot be used" in said


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path):
    (tmp_path / "a-file").write_text("")
    code, said = refusal(Installation(tmp_path / "a-file" / "data"))
    assert code == 1
    assert "cannot be written" in said or "Not a directory" in said


def test_demo_mode_listens_on_loopback_only(prepared):
    code, said = refusal(Installation(prepared, HOST="0.0.0.0"))
    assert code == 1
    assert "loopback" in said


def test_a_setting_that_makes_no_sense_is_told_in_one_line(prepared):
    code, said = refusal(Installation(prepared, RAPPORT_WEB_THREADS="many"))
    assert code == 1
    assert "RAPPORT_WEB_THREADS must be a whole number." in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOG_LEVEL", "loud"),
        ("TIME_ZONE", "Europe/Nowhere"),
        ("CORS_ALLOWED_ORIGINS", "*"),
        ("DATABASE_URL", "postgresql://me:gehe/im@db/rapport"),
        ("RAPPORT_PROVIDERS", "ofline"),
    ],
)
def test_so_is_any_other(prepared, name, value):
    code, said = refusal(Installation(prepared, **{name: value}))
    assert code == 1
    assert name in said
    assert "gehe" not in said


def test_a_port_that_is_none_is_told_in_one_line(prepared):
    made = Installation(prepared)
    made.start("--port", "0").process.wait(timeout=60)
    assert made.said().strip() == "Rapport cannot start: PORT must be from 1 to 65535."


def test_a_database_that_cannot_be_written_is_told_in_one_line(prepared, tmp_path):
    code, said = refusal(Installation(tmp_path, DATABASE_URL=f"sqlite://{tmp_path}/none/at/all.sqlite3"))
    assert code == 1
    assert "database" in said


def test_commands_run_beside_it_in_production_without_any_setting(prepared):
    made = Installation(prepared, RAPPORT_ENV="production", PUBLIC_BASE_URL="http://rapport.example.org")
    assert made.run("manage.py", "apikey", "create", "laptop", "--plain").startswith("rk_")
    assert "encrypted" in made.run("manage.py", "rotate_secrets")


def test_one_part_runs_alone_for_several_machines(prepared):
    made = Installation(prepared)
    try:
        made.start("--only", "web")
        deadline = time.monotonic() + 60
        while made.get("/live") != 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert made.get("/live") == 200
        assert made.get("/ready") == 503  # no Redis, no worker
        assert made.children() == []
        assert made.stop() < 10
    finally:
        made.end()


def test_in_production_it_is_ready_under_the_host_it_answers_to(prepared):
    made = Installation(prepared, RAPPORT_ENV="production", ALLOWED_HOSTS="rapport.example.org")
    try:
        made.started()
        assert made.get("/live") == 400  # not under a name that is not its own
    finally:
        made.end()


def test_a_port_on_the_command_line_wins(installation):
    port = free_port()
    installation.start("--port", str(port))
    installation.port = port
    installation.wait_for(f"Rapport is ready at http://127.0.0.1:{port}")
    assert installation.get("/live") == 200


def test_a_long_data_folder_gets_a_short_socket(tmp_path):
    folder = tmp_path / ("long-" * 20) / "data"
    folder.parent.mkdir()
    made = Installation(folder)
    furnish(folder)
    try:
        made.started()
        assert made.get("/ready") == 200
        assert made.stop() < 10
    finally:
        made.end()


def test_the_ready_line_waits_for_the_worker(prepared):
    """While the worker is held back, nothing claims to be ready."""
    made = Installation(prepared)
    try:
        made.start()
        deadline = time.monotonic() + 60
        while not (worker := made.child("worker")) and time.monotonic() < deadline:
            time.sleep(0.002)
        worker.send_signal(signal.SIGSTOP)
        while made.get("/live") != 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1)
        assert made.get("/ready") == 503
        assert "is ready" not in made.said()
        worker.send_signal(signal.SIGCONT)
        made.wait_for("Rapport is ready")
    finally:
        for process in psutil.Process(made.process.pid).children():
            process.send_signal(signal.SIGCONT)
        made.end()
