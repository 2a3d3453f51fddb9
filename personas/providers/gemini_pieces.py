"""What comes of a reply of Gemini's, piece by piece, as plain values."""

from dataclasses import dataclass

from personas.providers.failures import failure
from personas.providers.own_voice import OwnVoice

LONGEST_REPLY = 200_000  # characters; a server that streams on for ever is cut off
# FinishReason in ai.google.dev/api/generate-content
STOP, MAX_TOKENS = 1, 2
# SAFETY, RECITATION, LANGUAGE, BLOCKLIST, PROHIBITED_CONTENT, SPII, IMAGE_SAFETY
REFUSALS = frozenset({3, 4, 6, 7, 8, 9, 11})
# What the SDK puts in the place of bytes that are no UTF-8.
_NOT_UTF8 = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class Piece:
    text: str = ""
    finish: int = 0  # 0: more is to come
    block: int = 0  # why the prompt was refused; 0: it was not
    has_candidate: bool = False
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Reply:
    """What has come of one reply. `raw`: the text is data, and may hold what looks like another's part."""

    def __init__(self, provider: str, *, raw: bool = False) -> None:
        self.finish = 0
        self.prompt_tokens: int | None = None
        self.completion_tokens: int | None = None
        self._provider = provider
        self._raw = raw
        self._length = 0
        self._began = self._said = self._blocked = False
        self._voice = OwnVoice()

    @property
    def over(self) -> bool:
        """Nothing more is wanted of the stream."""
        return self._blocked or self._voice.ended

    def take(self, piece: Piece) -> str:
        """The text that may be shown. Raises ProviderError."""
        self._began = True
        self.prompt_tokens = piece.prompt_tokens or self.prompt_tokens
        self.completion_tokens = piece.completion_tokens or self.completion_tokens
        if piece.block or piece.finish in REFUSALS:
            self._blocked = True
            return ""
        # An error inside the stream has none of the fields that the SDK knows: it comes as an empty piece.
        if not piece.has_candidate and piece.prompt_tokens is None:
            raise failure("unavailable", self._provider)
        self.finish = self.finish or piece.finish
        self._length += len(piece.text)
        if self._length > LONGEST_REPLY or _NOT_UTF8 in piece.text:
            raise failure("bad_response", self._provider)
        shown = piece.text if self._raw else self._voice.take(piece.text) if piece.text else ""
        self._said = self._said or bool(shown)
        return shown

    def rest(self) -> str:
        # A reply that broke off is not completed by what was held back.
        if self._raw or self._blocked or not (self.finish or self._voice.ended):
            return ""
        rest = self._voice.rest()
        self._said = self._said or bool(rest)
        return rest

    def raise_unless_whole(self) -> None:
        if self._blocked:
            raise failure("content_filter", self._provider)
        if not self._began:
            raise failure("bad_response", self._provider)
        if not self.finish and not self._voice.ended:
            raise failure("truncated", self._provider)
        if self.finish not in (0, STOP, MAX_TOKENS):
            raise failure("bad_response", self._provider)
        if not self._said and not self._raw:
            raise failure("empty", self._provider)
