"""Why nobody spoke, in the codes of the documented API."""

import pytest

from config.api.failures import failure_of
from config.api.families import crm_body, persona_body
from personas.failing import api_error_of


def test_a_model_that_fails_is_a_502_with_the_documented_code():
    failure = failure_of(
        api_error_of("timeout", "It took too long.", retryable=True, retry_after_seconds=2.4)
    )
    assert (failure.status, failure.headers) == (502, {"Retry-After": "2"})
    error = crm_body(failure)["error"]
    assert (error["code"], error["message"]) == ("OPENAI_ERROR", "It took too long.")
    assert error["details"] == {"reason": "timeout", "retryable": True}


def test_without_a_time_no_client_is_told_one():
    assert failure_of(api_error_of("empty", "It was empty.", retryable=True)).headers == {}


@pytest.mark.parametrize("wait", [None, 3600.0])
def test_a_used_up_budget_is_a_429_until_midnight(wait):
    failure = failure_of(
        api_error_of("budget_exhausted", "Used up.", retryable=False, retry_after_seconds=wait)
    )
    assert failure.status == 429
    assert 1 <= int(failure.headers["Retry-After"]) <= 86_400
    details = crm_body(failure)["error"]["details"]
    assert (details["reason"], details["limit_type"]) == ("budget_exhausted", "per_day")
    assert persona_body(failure)["error"] == "rate_limit_exceeded"


@pytest.mark.parametrize("code", ["timeout", "budget_exhausted"])
def test_what_a_program_needs_to_try_again_stays_in_the_details(code):
    error = api_error_of(code, "No.", retryable=True, details={"message_id": "7", "reason": "?"})
    assert (error.details["message_id"], error.details["reason"]) == ("7", code)
