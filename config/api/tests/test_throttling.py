import asyncio
import multiprocessing
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings as django_settings
from django.test import RequestFactory

from config.api import throttling
from config.api.addresses import client_address, ident_of_address, is_loopback
from config.api.throttling import atake, take
from tests.factories import bearer, make_key

WHO = "key:1"


def test_it_counts_down_and_then_says_when_to_come_back():
    figures = [take(WHO, per_minute=3, per_second=0) for _ in range(4)]
    assert [figure.remaining for figure in figures] == [2, 1, 0, 0]
    assert [figure.allowed for figure in figures] == [True, True, True, False]
    assert 1 <= figures[3].retry_after <= 60
    assert figures[3].limit_type == "per_minute"


def test_the_shorter_window_refuses_without_costing_the_longer_one():
    allowed = [take(WHO, per_minute=100, per_second=2).allowed for _ in range(5)]
    assert allowed == [True, True, False, False, False]
    refused = take(WHO, per_minute=100, per_second=2)
    assert (refused.limit, refused.remaining) == (100, 98)
    assert (refused.limit_type, refused.refused_limit, refused.retry_after) == ("per_second", 2, 1)


def test_a_window_ends():
    assert take(WHO, per_minute=0, per_second=1).allowed
    assert not take(WHO, per_minute=0, per_second=1).allowed
    time.sleep(1.05)
    assert take(WHO, per_minute=0, per_second=1).allowed


def test_callers_and_buckets_do_not_share():
    assert take(WHO, per_minute=1).allowed
    assert take("key:2", per_minute=1).allowed
    assert take(WHO, bucket="webhook", per_minute=1).allowed
    assert not take(WHO, per_minute=1).allowed


def test_an_hour_can_be_limited_too():
    assert [take(WHO, per_minute=0, per_second=0, per_hour=1).limit_type for _ in range(2)] == [
        "per_hour"
    ] * 2


ASK_50_TIMES = """
import os, sys
os.environ.update(RAPPORT_ENV="test", DJANGO_SETTINGS_MODULE="config.settings")
import django
django.setup()
from concurrent.futures import ThreadPoolExecutor
from config.api.throttling import take
take("key:warm-up-" + str(os.getpid()))
print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(25) as threads:
    answers = threads.map(lambda _: take("key:parallel", per_minute=100, per_second=0).allowed, range(50))
    print(sum(answers), flush=True)
"""


def test_of_200_requests_at_once_from_4_processes_exactly_100_pass():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    children = [subprocess.Popen([sys.executable, "-c", ASK_50_TIMES], **pipes) for _ in range(4)]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    passed = [int(child.communicate(timeout=30)[0]) for child in children]
    assert sum(passed) == 100
    assert all(child.returncode == 0 for child in children)


def in_a_fork(queue):
    queue.put(take(WHO, per_minute=100, per_second=0).remaining)


def test_a_forked_process_opens_its_own_connections():
    assert take(WHO, per_minute=100, per_second=0).remaining == 99
    queue = multiprocessing.get_context("fork").Queue()
    child = multiprocessing.get_context("fork").Process(target=in_a_fork, args=(queue,))
    child.start()
    assert queue.get(timeout=20) == 98
    child.join(10)
    assert take(WHO, per_minute=100, per_second=0).remaining == 97


async def test_the_async_twin_counts_in_the_same_place():
    answers = await asyncio.gather(*(atake(WHO, per_minute=30, per_second=0) for _ in range(50)))
    assert sum(answer.allowed for answer in answers) == 30
    assert not take(WHO, per_minute=30, per_second=0).allowed


def test_without_redis_strangers_are_refused_and_the_known_are_counted_here(no_redis):
    stranger = take("ip:192.0.2.1", per_minute=5)
    assert not stranger.allowed
    assert stranger.refusal().status_code == 503
    known = [take(WHO, per_minute=5, per_second=0).allowed for _ in range(7)]
    assert known == [True] * 5 + [False] * 2


def test_without_redis_nobody_waits_and_it_is_asked_once_in_a_while(no_redis, caplog):
    started = time.monotonic()
    for _ in range(500):
        take(WHO)
    assert time.monotonic() - started < 1
    assert len(caplog.records) == 1


def test_a_redis_that_hangs_costs_one_request_half_a_second(no_redis, settings, tmp_path):
    import socket

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "hangs.sock"))
        listener.listen(50)
        settings.REDIS_URL = f"unix://{tmp_path}/hangs.sock"
        started = time.monotonic()
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: take(WHO), range(40)))
        assert time.monotonic() - started < 3


def test_redis_back_again_is_used_again(no_redis, settings, monkeypatch):
    assert not take("ip:192.0.2.1").allowed
    settings.REDIS_URL = f"unix://{django_settings.DATA_DIR}/redis.sock"
    monkeypatch.setattr(throttling._Rest, "until", 0.0)
    assert take("ip:192.0.2.1").allowed


def test_local_counters_stay_small(no_redis, monkeypatch):
    monkeypatch.setattr(throttling, "MOST_LOCAL_WINDOWS", 50)
    for number in range(500):
        take(f"key:{number}")
    assert len(throttling._local._windows) <= 52


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.9", "10.0.0.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "1.2.3.4, 203.0.113.9", "203.0.113.9"),
        (2, "1.2.3.4, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (2, "203.0.113.9", "10.0.0.1"),
        (1, "", "10.0.0.1"),
        (1, "not-an-address", "10.0.0.1"),
    ],
)
def test_only_what_our_own_proxies_wrote_is_believed(settings, proxies, forwarded, address):
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": forwarded})
    assert client_address(request) == address


def test_an_ipv6_network_counts_as_one_address():
    assert ident_of_address("2001:db8::1") == ident_of_address("2001:db8::ffff:2")
    assert ident_of_address("::ffff:192.0.2.1") == ident_of_address("192.0.2.1") == "ip:192.0.2.1"
    assert ident_of_address("") == "ip:unknown"
    assert is_loopback("::1")
    assert is_loopback("::ffff:127.0.0.1")
    assert not is_loopback("192.0.2.1")


@pytest.mark.django_db
@pytest.mark.urls("config.api.tests.tiny_site")
class TestHeaders:
    def test_every_answer_says_what_is_left(self, client, settings):
        settings.RATE_LIMIT_PER_MINUTE, settings.RATE_LIMIT_PER_SECOND = 100, 10
        response = client.get("/api/v1/public")
        assert response.headers["X-RateLimit-Limit"] == "100"
        assert response.headers["X-RateLimit-Remaining"] == "99"
        assert 0 < int(response.headers["X-RateLimit-Reset"]) - time.time() <= 61

    def test_forged_addresses_do_not_help(self, client, settings):
        settings.RATE_LIMIT_PER_MINUTE = 3
        codes = [
            client.get("/api/v1/public", headers={"X-Forwarded-For": f"192.0.2.{number}"}).status_code
            for number in range(5)
        ]
        assert codes == [200, 200, 200, 429, 429]

    def test_a_refusal_has_the_documented_code_and_headers(self, client, settings):
        settings.RATE_LIMIT_PER_MINUTE = 1
        client.get("/api/v1/public")
        response = client.get("/api/v1/public")
        assert response.json()["error"]["code"] == "RATE_LIMITED"
        assert response.headers["X-RateLimit-Remaining"] == "0"
        assert 1 <= int(response.headers["Retry-After"]) <= 60

    def test_keys_are_counted_apart(self, client, settings):
        settings.RATE_LIMIT_PER_MINUTE = 1
        for key in (make_key(), make_key()):
            assert client.get("/api/v1/guarded", headers=bearer(key)).status_code == 200
            assert client.get("/api/v1/guarded", headers=bearer(key)).status_code == 429

    def test_without_redis_a_key_still_works_and_strangers_get_503(self, client, no_redis):
        assert client.get("/api/v1/guarded", headers=bearer(make_key())).status_code == 200
        response = client.get("/api/v1/public")
        assert response.status_code == 503
        assert "Retry-After" in response.headers


# --- who has no usable credential ---------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/crm/users", "/api/v1/guides", "/chat", "/api/v1/chat/conversations"])
def test_whoever_guesses_keys_is_slowed_down(client, settings, path):
    settings.RATE_LIMIT_PER_MINUTE = 3
    headers = {"Authorization": "Bearer rk_guessed"}
    method = client.post if path == "/chat" else client.get
    answers = [method(path, headers=headers) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert 1 <= int(answers[4]["Retry-After"]) <= 60


@pytest.mark.django_db
def test_those_who_have_a_key_are_not_held_back_by_those_who_guess(client, settings):
    settings.RATE_LIMIT_PER_MINUTE = 1
    for _ in range(3):
        client.get("/api/v1/guides")
    assert client.get("/api/v1/guides").status_code == 429
    assert client.get("/api/v1/guides", headers=bearer(make_key())).status_code == 200


@pytest.mark.django_db
def test_while_redis_is_away_a_wrong_key_is_called_wrong(client, settings, monkeypatch):
    monkeypatch.setattr("config.api.refused_callers.take", lambda *_a, **_k: _away())
    assert client.get("/api/v1/guides").status_code == 401


def _away():
    return throttling.Allowance(False, 0, 0, 0, retry_after=5, is_away=True)
