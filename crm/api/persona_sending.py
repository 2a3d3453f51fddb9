"""What a user sends to an influencer, read from the body of the request: every complaint with its place."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from crm import talk
from crm.models import Message
from crm.persona_messages import LONGEST_CLIENT_ID, Sent

Type = Message.Type
MOST_FILES = 10
LONGEST_REFERENCE = 2_000  # characters of an address or a storage key
LONGEST_SECONDS = 300  # of a voice message
WITH_PICTURES = (Type.IMAGE, Type.MULTIMODAL)


class SpokenField(serializers.CharField):
    """Text; programs also send numbers and other JSON, which is taken as it is written."""

    def to_internal_value(self, data: Any) -> str:
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        return str(super().to_internal_value(text))


class TypeField(serializers.ChoiceField):
    """In upper or lower case."""

    def to_internal_value(self, data: Any) -> str:
        return str(super().to_internal_value(data.strip().lower() if isinstance(data, str) else data))


class ReferencesField(serializers.ListField):
    """A list; a bare text is a list of one."""

    def to_internal_value(self, data: Any) -> list[str]:
        return list(super().to_internal_value([data] if isinstance(data, str) else data))


class SendSerializer(serializers.Serializer):
    message_type = TypeField(choices=Type.choices)
    content = SpokenField(max_length=talk.LONGEST_TEXT, required=False, allow_null=True, allow_blank=True)
    media_urls = ReferencesField(
        child=serializers.CharField(max_length=LONGEST_REFERENCE),
        required=False,
        allow_null=True,
        max_length=MOST_FILES,
        help_text="Storage keys or addresses of the user's own uploads.",
    )
    audio_url = serializers.CharField(
        max_length=LONGEST_REFERENCE, required=False, allow_null=True, allow_blank=True
    )
    audio_duration_seconds = serializers.IntegerField(
        min_value=0, max_value=LONGEST_SECONDS, required=False, allow_null=True, help_text="Ours is measured."
    )
    client_message_id = serializers.CharField(
        max_length=LONGEST_CLIENT_ID,
        required=False,
        allow_null=True,
        allow_blank=True,
        help_text="The same again is the same message, and costs nothing.",
    )

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        kind = given["message_type"]
        if kind == Type.TEXT and not given.get("content"):
            raise _needed("content", "A text message needs content.")
        if kind in WITH_PICTURES and not given.get("media_urls"):
            raise _needed("media_urls", f"A message of type {kind} needs media_urls.")
        if kind == Type.AUDIO and not given.get("audio_url"):
            raise _needed("audio_url", "A voice message needs audio_url.")
        return given


def _needed(name: str, words: str) -> ValidationError:
    return ValidationError({name: [words]}, code="required")


@lru_cache(maxsize=1)
def _reader() -> SendSerializer:
    """It keeps nothing of what it reads, and its fields take longer to make than to use."""
    return SendSerializer()


def sent_in(body: Mapping[str, Any]) -> Sent:
    """Raises ValidationError."""
    given = _reader().run_validation(body)
    kind = str(given["message_type"])
    return Sent(
        type=kind,
        text="" if kind == Type.IMAGE else given.get("content") or "",
        client_message_id=given.get("client_message_id") or None,
        media=_references(kind, given),
    )


def _references(kind: str, given: Mapping[str, Any]) -> tuple[str, ...]:
    if kind == Type.AUDIO:
        return (given["audio_url"],)
    return tuple(given.get("media_urls") or ()) if kind in WITH_PICTURES else ()
