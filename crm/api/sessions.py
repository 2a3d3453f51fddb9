"""Sessions of chat users: /sessions/… as documented, without what was dangerous in it.

A token is shown once, to an integration that made it; lists name sessions by id.
"""

from typing import Any, cast
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.authentication import Caller
from config.api.documented_lists import DocumentedPages, union
from config.api.envelope import answered
from config.api.errors import ApiError
from config.api.models import Account
from crm import sessions
from crm.api.user_records import SCOPE, flag, noted, user_of
from crm.contacts import reference_of
from crm.models import Contact, SessionToken
from crm.session_authentication import KEY_OR_SESSION, own_contact
from crm.sessions import SessionRefused

TOKEN = OpenApiParameter("token", OpenApiTypes.STR, OpenApiParameter.PATH, description="The session token.")


class NewSessionSerializer(serializers.Serializer):
    user_id = serializers.CharField(max_length=320, error_messages={"required": "user_id is required."})


class SessionSerializer(serializers.Serializer):
    session_id = serializers.UUIDField(source="pk")
    user_id = serializers.SerializerMethodField()
    expires_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()

    def get_user_id(self, session: SessionToken) -> str:
        return reference_of(session.contact)


class StartedSessionSerializer(SessionSerializer):
    session_token = serializers.CharField()


class ValidSerializer(serializers.Serializer):
    """Of a session that is not in force, `valid` alone."""

    valid = serializers.BooleanField()
    session_id = serializers.UUIDField(required=False)
    user_id = serializers.CharField(required=False)
    created_at = serializers.DateTimeField(required=False)
    expires_at = serializers.DateTimeField(required=False)


class ListedSessionSerializer(serializers.Serializer):
    """Without the token, which nobody can read again."""

    id = serializers.UUIDField()
    user_id = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    is_active = serializers.SerializerMethodField()

    def get_user_id(self, session: SessionToken) -> str:
        return str(self.context["user_id"])

    def get_is_active(self, session: SessionToken) -> bool:
        return session.pk in self.context["active"]


class ExtendSerializer(serializers.Serializer):
    extend_hours = serializers.IntegerField(
        min_value=1, max_value=sessions.MOST_EXTENSION_HOURS, required=False, default=24
    )


def _given(request: Request, names: tuple[str, ...]) -> dict[str, Any]:
    """Values of the JSON body, else of the query: clients of either kind exist."""
    body = request.data if isinstance(request.data, dict) else {}
    return {
        name: body.get(name, request.query_params.get(name))
        for name in names
        if name in body or name in request.query_params
    }


@extend_schema(tags=["Sessions"])
class SessionCreate(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="sessions_create",
        summary="Begin a session for a user. Its token is shown this once; other sessions go on",
        request=NewSessionSerializer,
        parameters=[OpenApiParameter("user_id", OpenApiTypes.STR, description="Instead of the body.")],
        responses=union("SessionCreateResponse", StartedSessionSerializer()),
    )
    def post(self, request: Request) -> Response:
        serializer = NewSessionSerializer(data=_given(request, ("user_id",)))
        serializer.is_valid(raise_exception=True)
        user_id = serializer.validated_data["user_id"]
        contact = user_of(request, user_id)
        try:
            session, token = sessions.begin(contact)
        except SessionRefused as error:
            raise ApiError("FORBIDDEN", str(error), status_code=403, details={"user_id": user_id}) from None
        noted(request, "began session", contact)
        # The user as the caller named them, so that its own books agree.
        data = {**SessionSerializer(session).data, "user_id": user_id, "session_token": token}
        return answered(data, "Session created")


class _OfToken(APIView):
    """The token in the path is a credential by itself; an integration sees its own account's alone."""

    authentication_classes = KEY_OR_SESSION
    permission_classes: tuple[()] = ()

    def session(self, request: Request, token: str) -> SessionToken | None:
        """Raises NotAuthenticated when nobody is known: no other credential, and not this token."""
        caller = cast(Caller | None, request.auth)
        if caller is None:
            session = sessions.session_for_token(token)
            if session is None:
                raise NotAuthenticated
            return session
        return _known_session(token, caller)


def _known_session(token: str, caller: Caller) -> SessionToken | None:
    if not caller.allows(SCOPE):
        return None
    session = sessions.session_for_token(token, account=caller.account) or _by_id(token, caller.account)
    own = getattr(caller, "contact", None)
    return None if session is None or (own is not None and session.contact_id != own.pk) else session


def _by_id(text: str, account: Account) -> SessionToken | None:
    """An integration, or the user themself, may name a session by the id that lists show."""
    try:
        key = UUID(text)
    except ValueError:
        return None
    return sessions.in_force().select_related("contact", "account").filter(account=account, pk=key).first()


@extend_schema(tags=["Sessions"], parameters=[TOKEN])
class SessionValidate(_OfToken):
    @extend_schema(
        operation_id="sessions_validate",
        summary="Whether a token is good, and whose it is",
        responses=union("SessionValidateResponse", ValidSerializer()),
    )
    def get(self, request: Request, token: str) -> Response:
        session = self.session(request, token)
        if session is None:
            # The one documented "no" with status 200: the question was answered.
            return answered({"valid": False}, "Invalid or expired session token", succeeded=False)
        return answered({"valid": True, **SessionSerializer(session).data}, "Session is valid")


@extend_schema(tags=["Sessions"], parameters=[TOKEN])
class SessionRevoke(_OfToken):
    @extend_schema(
        operation_id="sessions_revoke",
        summary="End a session, named by its token or its id",
        request=None,
        responses=union("SessionRevokeResponse", serializers.DictField(child=serializers.BooleanField())),
    )
    def post(self, request: Request, token: str) -> Response:
        session = self.session(request, token)
        revoked = session is not None and sessions.revoke(session)
        words = "Session revoked" if revoked else "Session not found"
        return answered({"revoked": revoked}, words, succeeded=revoked)


@extend_schema(tags=["Sessions"], parameters=[TOKEN])
class SessionExtend(_OfToken):
    @extend_schema(
        operation_id="sessions_extend",
        summary="Prolong a session in force, by at most a week and never beyond 30 days from its beginning",
        request=ExtendSerializer,
        parameters=[OpenApiParameter("extend_hours", OpenApiTypes.INT, description="Else 24.")],
        responses=union("SessionExtendResponse", serializers.DictField()),
    )
    def post(self, request: Request, token: str) -> Response:
        session = self.session(request, token)
        serializer = ExtendSerializer(data=_given(request, ("extend_hours",)))
        serializer.is_valid(raise_exception=True)
        if session is None or not sessions.extend(session, hours=serializer.validated_data["extend_hours"]):
            return answered({"extended": False}, "Session not found", succeeded=False)
        ends = SessionSerializer(session).data["expires_at"]
        return answered({"extended": True, "expires_at": ends}, "Session extended")


@extend_schema(tags=["Sessions"])
class UserSessions(APIView):
    required_scope = SCOPE
    authentication_classes = KEY_OR_SESSION

    @extend_schema(
        operation_id="sessions_of_user",
        summary="Sessions of a user, the newest first; never their tokens",
        parameters=[
            OpenApiParameter("active_only", OpenApiTypes.BOOL, description="Else true."),
            OpenApiParameter("page", OpenApiTypes.INT),
            OpenApiParameter("per_page", OpenApiTypes.INT),
            OpenApiParameter("cursor", OpenApiTypes.STR),
        ],
        responses=union("UserSessionsResponse", serializers.DictField()),
    )
    def get(self, request: Request, user_id: str) -> Response:
        contact = user_of(request, user_id, own=own_contact(request))
        active_only = flag(request, "active_only", default=True)
        pages = DocumentedPages()
        rows = pages.paginate_queryset(_sessions_of(contact, active_only=active_only), request, self)
        keys = [row.pk for row in rows]
        active = set(sessions.in_force().filter(pk__in=keys).values_list("pk", flat=True))
        context = {"user_id": reference_of(contact), "active": active}
        listed = ListedSessionSerializer(rows, many=True, context=context).data
        return answered({"sessions": listed, "total": pages.total}, pagination=pages.pagination())

    ordering = "-created_at"


def _sessions_of(contact: Contact, *, active_only: bool) -> Any:
    rows = sessions.in_force() if active_only else SessionToken.objects.all()
    return rows.filter(contact=contact)
