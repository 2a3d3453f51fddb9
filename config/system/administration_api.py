"""GET /admin/health/detailed, /admin/settings and /admin/overview, as the CRM API documents them."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.envelope import answered
from config.api.errors import ApiError
from config.api.openapi import enveloped
from config.system import administration
from config.system.operators import KEY_OR_STAFF, MayOperate


class DetailedHealthSerializer(serializers.Serializer):
    status = serializers.CharField(help_text="healthy, degraded or unhealthy.")
    timestamp = serializers.DateTimeField()
    uptime = serializers.CharField(required=False, help_text='Like "5 days, 12 hours, 30 minutes".')
    version = serializers.CharField(required=False)
    components = serializers.DictField(
        child=serializers.DictField(),
        required=False,
        help_text="database, vector_db, openai_api, memory_usage, disk_space, redis, worker, mail.",
    )


class SettingsSerializer(serializers.Serializer):
    api_config = serializers.DictField()
    ai_config = serializers.DictField()
    rag_config = serializers.DictField()
    system_info = serializers.DictField()
    database_config = serializers.DictField()
    chat_config = serializers.DictField()
    security_config = serializers.DictField()


class InstallationOverviewSerializer(serializers.Serializer):
    system_health = serializers.DictField()
    resource_usage = serializers.DictField()
    recent_errors = serializers.ListField(child=serializers.DictField())
    uptime = serializers.CharField()
    version_info = serializers.DictField()


class AdministrationView(APIView):
    """For a key with the scope `admin`, and for staff who may see the installation."""

    authentication_classes = KEY_OR_STAFF
    permission_classes: Any = (MayOperate,)
    scopes = ("admin",)
    required_scope = "admin"
    staff_permission = "system.view_heartbeat"


class DetailedHealth(AdministrationView):
    """How each part is. Without a credential: only whether all is well."""

    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="health_detailed",
        tags=["Administration"],
        responses=enveloped("DetailedHealthAnswer", DetailedHealthSerializer()),
    )
    def get(self, request: Request) -> Response:
        may_see_all = MayOperate().has_permission(request, self)
        found = administration.detailed_health() if may_see_all else administration.terse_health()
        response = answered(found, "Health.")
        response.status_code = 503 if found["status"] == "unhealthy" else 200
        return response


class Settings(AdministrationView):
    """What the installation runs with; secrets are only named. Read-only: the environment sets them."""

    @extend_schema(
        operation_id="settings",
        tags=["Administration"],
        responses=enveloped("SettingsAnswer", SettingsSerializer()),
    )
    def get(self, request: Request) -> Response:
        return answered(administration.current_settings(), "Settings.")

    def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        raise ApiError(
            "METHOD_NOT_ALLOWED",
            "Settings are read here and changed in the environment (docs/configuration.md). "
            "What one agent does is changed on its page in the admin.",
            status_code=405,
        )


class Overview(AdministrationView):
    """Health, resources and the last failures on one page."""

    @extend_schema(
        operation_id="admin_overview",
        tags=["Administration"],
        responses=enveloped("AdminOverviewAnswer", InstallationOverviewSerializer()),
    )
    def get(self, request: Request) -> Response:
        return answered(administration.overview(), "Overview.")
