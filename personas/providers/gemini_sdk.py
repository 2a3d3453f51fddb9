"""google-generativeai, the only module that knows it. Its makers ended support in November 2025.

Imported by the first call, on a thread of the pool: it takes more than a second and much memory. Over REST it
is synchronous, and reads a streamed JSON array one character at a time.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from personas.providers import gemini_line
from personas.providers.gemini_pieces import Piece

with warnings.catch_warnings():
    # It warns at import that it is no longer supported: known, and the reason for this module's loneliness.
    warnings.simplefilter("ignore")
    import google.generativeai as genai
    from google.ai.generativelanguage import GenerativeServiceClient
    from google.ai.generativelanguage_v1beta.services.generative_service.transports.rest import (
        DEFAULT_CLIENT_INFO,
    )
    from google.auth.api_key import Credentials

PUBLIC_URL = "https://generativelanguage.googleapis.com"


class _Session:
    """Takes the place of the SDK's own, which asks three times with a refused key and follows redirects."""

    def __init__(self, key: str, timeout: tuple[float, float]) -> None:
        self._key, self._timeout = key, timeout

    def post(self, url: str, *, headers: Mapping[str, str], timeout: object, **more: Any) -> Any:
        # The SDK's time-out is one number for all; ours are to connect, and between two pieces.
        return gemini_line.session().post(
            url,
            headers={**headers, "x-goog-api-key": self._key},
            timeout=self._timeout,
            allow_redirects=False,
            **more,
        )


class GeminiSdk:
    """One key at one address. Raises whatever the SDK and its transport raise (gemini_errors.py)."""

    def __init__(self, base_url: str, key: str, timeout: tuple[float, float]) -> None:
        # The SDK wants a key, also for a local server that needs none.
        transport_class: Any = GenerativeServiceClient.get_transport_class("rest")
        credentials = Credentials(key or "none")  # type: ignore[no-untyped-call]
        transport = transport_class(host=base_url or PUBLIC_URL, credentials=credentials)
        transport._session = _Session(key or "none", timeout)
        # Again: it tells its methods apart by the session.
        transport._prep_wrapped_messages(DEFAULT_CLIENT_INFO)
        self._client = GenerativeServiceClient(transport=transport)

    def stream(self, request: Mapping[str, Any]) -> Iterator[Piece]:
        """The reply in pieces. `request` is in the API's own words (ai.google.dev/api/generate-content)."""
        asked = genai.protos.GenerateContentRequest(request)
        # No retries of its own: the persona's chain decides what is tried next.
        chunks: Any = self._client.stream_generate_content(asked, retry=None)
        try:
            for chunk in chunks:
                yield _piece(chunk)
        finally:
            chunks.cancel()

    def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        """One vector for each text; at most 100 of them."""
        asked = [{"model": model, "content": {"parts": [{"text": text}]}} for text in texts]
        request = genai.protos.BatchEmbedContentsRequest(model=model, requests=asked)
        answer = self._client.batch_embed_contents(request, retry=None)
        return [list(one.values) for one in answer.embeddings]


def _piece(chunk: Any) -> Piece:
    """Numbers of an enumeration that the SDK does not know stay numbers."""
    candidates = list(chunk.candidates)
    first = candidates[0] if candidates else None
    usage = chunk.usage_metadata
    # Thinking is counted in the total alone, and paid for.
    answered = max(usage.candidates_token_count, usage.total_token_count - usage.prompt_token_count)
    return Piece(
        text="".join(part.text for part in first.content.parts) if first is not None else "",
        finish=int(first.finish_reason) if first is not None else 0,
        block=int(chunk.prompt_feedback.block_reason),
        has_candidate=first is not None,
        prompt_tokens=usage.prompt_token_count or None,
        completion_tokens=answered or None,
    )
