"""The shape that views of an account's own rows share: a list of them, one of them, what is given for one."""

from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from rest_framework import generics, serializers
from rest_framework.request import Request

from config.api.authentication import account_of
from config.api.errors import NotFoundError
from config.api.models import Account

S = TypeVar("S", bound=serializers.BaseSerializer[Any])


def one_of(rows: "QuerySet[Any]", key: UUID | int, what: str) -> Any:
    """The row, or NotFoundError: `rows` are the account's own, so a stranger's is not there either."""
    found = rows.filter(pk=key).first()
    if found is None:
        raise NotFoundError(what)
    return found


def given(kind: type[S], request: Request, instance: Model | None = None) -> S:
    """The valid serializer of the request's body: for a new row, or a change of some of a row's fields.

    Its context names the account. Raises ValidationError.
    """
    context = {"account": account_of(request)}
    serializer = kind(instance, data=request.data, partial=instance is not None, context=context)
    serializer.is_valid(raise_exception=True)
    return serializer


def uuid_in(name: str, text: str) -> UUID:
    """The id that the query parameter `name` gives. Raises ValidationError."""
    try:
        return UUID(text)
    except ValueError:
        raise serializers.ValidationError({name: "Must be a UUID."}) from None


class OwnedList(generics.ListAPIView):
    """The account's rows, newest first. `queryset` (empty) names the model for the schema."""

    ordering = "-created_at"

    def rows_of(self, account: Account) -> "QuerySet[Any]":
        raise NotImplementedError

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):  # the schema is drawn without a caller
            return super().get_queryset()
        return self.rows_of(account_of(self.request))
