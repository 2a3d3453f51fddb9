"""Why nobody spoke, as an API says it."""

from collections.abc import Mapping
from typing import Any

from config.api.errors import ApiError, BudgetExhaustedError, ModelError
from personas import budget


def api_error_of(
    code: str,
    message: str,
    *,
    retryable: bool,
    retry_after_seconds: float | None = None,
    details: Mapping[str, Any] | None = None,
) -> ApiError:
    """From the fields of a ProviderError, or of a reply that is stored as failed with its code.

    `details` is what a program needs to try again; the reason is added to it.
    """
    if code == budget.EXHAUSTED:
        wait = retry_after_seconds or budget.seconds_to_midnight()
        return BudgetExhaustedError(message, retry_after_seconds=wait, details=details)
    return ModelError(
        code,
        message,
        is_retryable=retryable,
        retry_after_seconds=retry_after_seconds,
        details=details,
    )
