"""`/smtp` and `/scheduler`: where an account's emails leave, and when."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import daily_schedule, smtp_of_account
from campaigns.api.marketing.naming import SCOPE, USER_ID, account_in, noted, while_it_runs
from campaigns.models import Schedule, SmtpServer
from campaigns.smtp_of_account import PORT, RefusedServer, Wanted
from config.api.documented_values import UtcTime, in_utc, private
from config.api.errors import NotFoundError
from config.api.marketing_words import MASK
from config.api.models import Account
from interviews.sessions import wire_id

TAG = "Marketing: sending"


class SmtpSerializer(serializers.Serializer):
    user_id = serializers.CharField(max_length=64)
    username = serializers.CharField(max_length=255)
    password = serializers.CharField(
        max_length=1000, trim_whitespace=False, help_text="The mask that is read back means: as it is."
    )
    host = serializers.RegexField(r"^[A-Za-z0-9._:\[\]-]+\Z", max_length=255)
    created_at = UtcTime()
    port = serializers.IntegerField(min_value=1, max_value=65535, required=False, default=PORT)
    security = serializers.ChoiceField(
        SmtpServer.Security.values, required=False, default=SmtpServer.Security.STARTTLS.value
    )
    from_email = serializers.EmailField(
        max_length=254, required=False, allow_blank=True, default="", help_text="Else the user name."
    )


class SmtpRecordSerializer(SmtpSerializer):
    _id = serializers.CharField()
    server = serializers.CharField(help_text="The host again, by the name that the browser client reads.")


def smtp_record(account: Account, server: SmtpServer) -> dict[str, Any]:
    return {
        "_id": wire_id(server.pk),
        "user_id": account.slug,
        "username": server.username,
        "password": MASK if server.password else "",
        "host": server.host,
        "server": server.host,
        "port": server.port,
        "security": server.security,
        "from_email": server.from_email,
        "created_at": in_utc(server.created_at),
    }


@extend_schema(tags=[TAG])
class Smtp(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="smtp_set",
        summary="Set up the account's SMTP server, or change it",
        request=SmtpSerializer,
        responses=SmtpRecordSerializer,
    )
    def post(self, request: Request) -> Response:
        serializer = SmtpSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        account = account_in(request, given["user_id"])
        names = ("host", "username", "password", "port", "security", "from_email")
        try:
            server = smtp_of_account.set_up(account, Wanted(**{name: given[name] for name in names}))
        except RefusedServer as refusal:
            raise serializers.ValidationError({refusal.field: [str(refusal)]}) from None
        noted(request, account, "set up SMTP", host=server.host, username=server.username)
        # As documented, the time is the caller's own.
        return private({**smtp_record(account, server), "created_at": in_utc(given["created_at"])})


@extend_schema(tags=[TAG], parameters=[USER_ID])
class SmtpOfAccount(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="smtp_read",
        summary="The account's SMTP server; its password is never shown",
        responses=SmtpRecordSerializer,
    )
    def get(self, request: Request, user_id: str) -> Response:
        account = account_in(request, user_id)
        server = smtp_of_account.server_of(account)
        if server is None:
            raise NotFoundError("SMTP server")
        return private(smtp_record(account, server))


class SchedulerSerializer(serializers.Serializer):
    user_id = serializers.CharField(max_length=64)
    max_limit = serializers.IntegerField(
        min_value=1, max_value=1000, help_text="Emails to one person, the invitation counted."
    )
    interval = serializers.IntegerField(
        min_value=1, max_value=525_600, help_text="Minutes between two emails to one person."
    )
    time = serializers.RegexField(
        r"^([01]\d|2[0-3]):[0-5]\d\Z", help_text="HH:MM by the account's clock: when new people are invited."
    )
    created_at = UtcTime()


class SchedulerRecordSerializer(SchedulerSerializer):
    _id = serializers.CharField()
    last_daily_trigger = UtcTime(allow_null=True, help_text="When somebody was last invited.")


def scheduler_record(account: Account, schedule: Schedule) -> dict[str, Any]:
    return {
        "_id": wire_id(schedule.pk),
        "user_id": account.slug,
        "max_limit": schedule.max_emails,
        "interval": schedule.interval_minutes,
        "time": f"{schedule.daily_at:%H:%M}" if schedule.daily_at else "",
        "created_at": in_utc(schedule.created_at),
        "last_daily_trigger": in_utc(daily_schedule.last_invited_at(schedule)),
    }


@extend_schema(tags=[TAG])
class Scheduler(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="scheduler_set",
        summary="When and how often people on the list are written to. From then on emails leave",
        request=SchedulerSerializer,
        responses=SchedulerRecordSerializer,
    )
    def post(self, request: Request) -> Response:
        serializer = SchedulerSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        account = account_in(request, given["user_id"])
        when = {"interval_minutes": given["interval"], "daily_at": given["time"]}
        with while_it_runs():
            schedule = daily_schedule.set_up(account, max_emails=given["max_limit"], **when)
        noted(request, account, "set up the scheduler", max_limit=given["max_limit"], time=given["time"])
        return private({**scheduler_record(account, schedule), "created_at": in_utc(given["created_at"])})


@extend_schema(tags=[TAG], parameters=[USER_ID])
class SchedulerOfAccount(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="scheduler_read", summary="The account's scheduler", responses=SchedulerRecordSerializer
    )
    def get(self, request: Request, user_id: str) -> Response:
        account = account_in(request, user_id)
        schedule = daily_schedule.schedule_of(account)
        if schedule is None:
            raise NotFoundError("scheduler")
        return private(scheduler_record(account, schedule))
