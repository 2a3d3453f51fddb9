"""The record of who read or changed what."""

import json
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model
from django.http import HttpRequest
from rest_framework.request import Request

from config.api import metadata
from config.api.authentication import caller_of
from config.api.models import Account, AuditEntry


def record(
    account: Account | None,
    actor_kind: str,
    actor: str,
    action: str,
    *,
    target: Model | None = None,
    detail: dict[str, Any] | None = None,
    request: HttpRequest | Request | None = None,
) -> AuditEntry:
    """One AuditEntry, in the caller's transaction. `detail` is stored as it is: no secrets, no texts."""
    return AuditEntry.objects.create(
        account=account,
        actor_kind=actor_kind,
        actor=actor[:150],
        action=action[:60],
        target_kind=target._meta.label_lower[:40] if target is not None else "",
        target_id=str(target.pk)[:64] if target is not None else "",
        detail=json.loads(json.dumps(detail or {}, cls=DjangoJSONEncoder)),
        request_id=metadata.request_id(),
    )


def record_by_key(
    request: Request, action: str, target: Model, *, detail: dict[str, Any] | None = None
) -> AuditEntry:
    """The same for what the program that calls has done with something of its own account."""
    caller = caller_of(request)
    kind = AuditEntry.ActorKind.KEY
    return record(caller.account, kind, caller.name, action, target=target, detail=detail, request=request)
