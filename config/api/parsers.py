"""Bodies of requests, read so that nothing in them can break what comes after."""

import json
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

# Databases hold 64 bits; a longer whole number would be a failure deep inside.
LARGEST_NUMBER = 2**63 - 1


def whole_number(text: str) -> int:
    if len(text) > 20 or abs(number := int(text)) > LARGEST_NUMBER:
        raise ValueError("a whole number is too large")
    return number


def no_number(text: str) -> None:
    raise ValueError(f"{text} is not a number in JSON")


def parse_json(body: bytes) -> Any:
    """The value of a JSON text. Raises ParseError, also for NUL and half surrogates."""
    try:
        value = json.loads(body.decode("utf-8"), parse_int=whole_number, parse_constant=no_number)
        if b"\\u" in body:
            _refuse_unstorable(value)
    except UnicodeDecodeError:
        raise ParseError("The body is not UTF-8.") from None
    except RecursionError:
        raise ParseError("The JSON is nested too deeply.") from None
    except ValueError as error:
        raise ParseError(f"The body is not JSON: {error}.") from None
    return value


def _refuse_unstorable(value: Any) -> None:
    """Raises ValueError. Only an escape can bring these in: unescaped they are no UTF-8 and no JSON."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair is no character") from None
    # json.dumps writes NUL as an escape; a backslash before it would be doubled.
    if "\\u0000" in text.replace("\\\\", ""):
        raise ValueError("it holds the character NUL")


def json_body(request: HttpRequest) -> dict[str, Any]:
    """The JSON object in the body of a plain Django request. Raises ParseError; Django limits the size."""
    value = parse_json(request.body or b"{}")
    if not isinstance(value, dict):
        raise ParseError("The body must be a JSON object.")
    return value


class JSONParser(BaseParser):
    """REST framework's reads a body of any size; this one stops at DATA_UPLOAD_MAX_MEMORY_SIZE."""

    media_type = "application/json"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        most: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(most + 1)
        if len(body) > most:
            raise RequestDataTooBig(f"A JSON body may have {most} bytes.")
        return parse_json(body)
