"""Whoever has no usable credential, again and again: after so many 401s a minute, an address gets 429.

Callers that are known are counted by what they are (`CallerThrottle`); those who are not never get so far.
"""

from django.http import HttpRequest
from rest_framework.exceptions import APIException

from config.api.addresses import client_address, ident_of_address
from config.api.throttling import Allowance, atake, take

# By the minute alone: a page whose session has ended asks for several things at once.
LIMITS = {"bucket": "refused", "per_second": 0}


def counted(request: HttpRequest, error: Exception) -> Exception:
    """The error to answer with: the same, or, where a 401 is one too many, what says so."""
    return _or_refusal(error, take(_ident(request), **LIMITS)) if _is_unknown(error) else error  # type: ignore[arg-type]


async def acounted(request: HttpRequest, error: Exception) -> Exception:
    """`counted` for async code."""
    return _or_refusal(error, await atake(_ident(request), **LIMITS)) if _is_unknown(error) else error  # type: ignore[arg-type]


def _is_unknown(error: Exception) -> bool:
    return isinstance(error, APIException) and error.status_code == 401


def _ident(request: HttpRequest) -> str:
    return ident_of_address(client_address(request))


def _or_refusal(error: Exception, allowance: Allowance) -> Exception:
    """While Redis is away nobody is counted, and the plain answer is the true one."""
    if allowance.allowed:
        return error
    refusal = allowance.refusal()
    return refusal if refusal.status_code == 429 else error
