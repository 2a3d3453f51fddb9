"""When a provider is left alone, and for how long."""

import pytest

from personas.breaker import FAILURES_IN_A_ROW, LONGEST_REST_SECONDS, REST_SECONDS, Breaker
from personas.providers.base import ProviderError

KEY = ("openai", 1)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    return Breaker(clock)


def fail(breaker, times=1, code="unavailable", wait=None):
    for _ in range(times):
        breaker.note_failure(KEY, ProviderError(code, "", True, retry_after_seconds=wait))


def test_a_few_failures_change_nothing(breaker):
    fail(breaker, FAILURES_IN_A_ROW - 1)
    assert not breaker.rests(KEY)


def test_several_in_a_row_bring_a_rest(breaker, clock):
    fail(breaker, FAILURES_IN_A_ROW)
    assert breaker.rests(KEY)
    clock.now += REST_SECONDS
    assert not breaker.rests(KEY)


def test_one_more_failure_after_the_rest_brings_the_next(breaker, clock):
    fail(breaker, FAILURES_IN_A_ROW)
    clock.now += REST_SECONDS
    fail(breaker)
    assert breaker.rests(KEY)


def test_a_success_forgets_the_failures(breaker):
    fail(breaker, FAILURES_IN_A_ROW - 1)
    breaker.note_success(KEY)
    fail(breaker)
    assert not breaker.rests(KEY)


def test_a_wait_that_is_asked_for_is_kept_but_not_for_ever(breaker, clock):
    fail(breaker, wait=3600)
    clock.now += LONGEST_REST_SECONDS - 1
    assert breaker.rests(KEY)
    clock.now += 1
    assert not breaker.rests(KEY)


@pytest.mark.parametrize("code", ["invalid_request", "authentication", "content_filter", "empty", "budget"])
def test_what_only_one_request_or_account_did_wrong_does_not_count(breaker, code):
    fail(breaker, 10, code=code)
    assert not breaker.rests(KEY)


def test_another_account_is_not_affected(breaker):
    fail(breaker, FAILURES_IN_A_ROW)
    assert not breaker.rests(("openai", 2))
