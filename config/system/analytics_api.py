"""GET /admin/analytics/…, as the CRM API documents it: translates, and counts nothing itself."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.envelope import answered
from config.api.models import Account
from config.api.openapi import enveloped
from config.system import analytics, health
from config.system.operators import KEY_OR_STAFF, MayOperate, account_asked_for
from crm import contacts
from crm.api.user_records import no_such_user
from crm.models import Contact

ACCOUNT = OpenApiParameter("account", str, description="Staff only: one account (its slug) instead of all.")


class TotalsSerializer(serializers.Serializer):
    total_users = serializers.IntegerField()
    active_users = serializers.IntegerField(help_text="Not deactivated.")
    total_conversations = serializers.IntegerField()
    total_messages = serializers.IntegerField()
    avg_response_time = serializers.FloatField(help_text="Seconds a reply took, last 30 days.")


class UsageMetricsSerializer(serializers.Serializer):
    messages_per_day = serializers.FloatField(help_text="Mean of the last 30 days.")
    conversations_per_day = serializers.FloatField()
    new_users_per_day = serializers.FloatField()
    avg_session_length = serializers.FloatField(
        help_text="Seconds. A session is messages of one user with gaps under 30 minutes."
    )


class PerformanceMetricsSerializer(serializers.Serializer):
    avg_api_response_time = serializers.FloatField(help_text="Seconds, all requests of seven days.")
    avg_openai_response_time = serializers.FloatField(
        help_text="Seconds a reply worded by a model took, last 30 days; 0 when there was none."
    )
    error_rate = serializers.FloatField(help_text="0 to 1: requests answered with 5xx, seven days.")
    uptime_percentage = serializers.FloatField(help_text="Of the minutes of seven days.")


class DocumentMetricsSerializer(serializers.Serializer):
    total_documents = serializers.IntegerField()
    total_chunks = serializers.IntegerField()
    avg_retrieval_time = serializers.FloatField(help_text="Seconds, of seven days; 0 without any.")


class SystemAnalyticsSerializer(serializers.Serializer):
    overview = TotalsSerializer()
    usage_metrics = UsageMetricsSerializer()
    performance_metrics = PerformanceMetricsSerializer()
    document_metrics = DocumentMetricsSerializer()


class AnalyticsUserSerializer(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField()
    email = serializers.CharField()
    created_at = serializers.DateTimeField()


class ConversationStatsSerializer(serializers.Serializer):
    total_conversations = serializers.IntegerField()
    avg_messages_per_conversation = serializers.FloatField()
    most_active_day = serializers.CharField(allow_null=True, help_text='UTC weekday, like "Monday".')
    preferred_agent = serializers.CharField(allow_null=True, help_text="Who replied most often.")


class EngagementMetricsSerializer(serializers.Serializer):
    total_time_spent = serializers.IntegerField(help_text="Seconds in sessions.")
    avg_session_length = serializers.FloatField(help_text="Seconds.")
    response_satisfaction = serializers.FloatField(
        allow_null=True, help_text="From thumbs: 1 (all down) to 5 (all up); null when nobody rated."
    )
    last_active = serializers.DateTimeField(allow_null=True)


class HistoryItemSerializer(serializers.Serializer):
    id = serializers.CharField()
    title = serializers.CharField()
    created_at = serializers.DateTimeField()
    message_count = serializers.IntegerField()
    category = serializers.CharField()


class UserAnalyticsSerializer(serializers.Serializer):
    user_info = AnalyticsUserSerializer()
    conversation_stats = ConversationStatsSerializer()
    engagement_metrics = EngagementMetricsSerializer()
    conversation_history = HistoryItemSerializer(many=True, help_text="The ten latest.")


class SystemMetricsSerializer(serializers.Serializer):
    total_users = serializers.IntegerField()
    active_users = serializers.IntegerField()
    total_conversations = serializers.IntegerField()
    total_messages = serializers.IntegerField()


class SummarySerializer(serializers.Serializer):
    total_users = serializers.IntegerField()
    total_conversations = serializers.IntegerField()
    total_documents = serializers.IntegerField()
    system_health = serializers.CharField()


class AnalyticsOverviewSerializer(serializers.Serializer):
    system_metrics = SystemMetricsSerializer()
    rag_metrics = DocumentMetricsSerializer()
    summary = SummarySerializer()


class AnalyticsView(APIView):
    """For a key with the scope `analytics` (or `admin`), and for staff who may see contacts."""

    authentication_classes = KEY_OR_STAFF
    permission_classes = (MayOperate,)
    scopes = ("analytics", "admin")
    required_scope = "analytics"
    staff_permission = "crm.view_contact"


class SystemAnalytics(AnalyticsView):
    """How much there is, how much of it is used, and how fast it answers."""

    @extend_schema(
        operation_id="analytics_system",
        tags=["Analytics"],
        parameters=[ACCOUNT],
        responses=enveloped("SystemAnalyticsAnswer", SystemAnalyticsSerializer()),
    )
    def get(self, request: Request) -> Response:
        found = analytics.system(account_asked_for(request))
        return answered(SystemAnalyticsSerializer(found).data, "System analytics.")


class UserAnalytics(AnalyticsView):
    """What one user did, by their id or by the id they have elsewhere."""

    @extend_schema(
        operation_id="analytics_user",
        tags=["Analytics"],
        parameters=[ACCOUNT],
        responses=enveloped("UserAnalyticsAnswer", UserAnalyticsSerializer()),
    )
    def get(self, request: Request, user_id: str) -> Response:
        contact = contact_of(account_asked_for(request), user_id)
        return answered(UserAnalyticsSerializer(analytics.user(contact)).data, "User analytics.")


class AnalyticsOverview(AnalyticsView):
    """The totals alone, for a start page."""

    @extend_schema(
        operation_id="analytics_overview",
        tags=["Analytics"],
        parameters=[ACCOUNT],
        responses=enveloped("AnalyticsOverviewAnswer", AnalyticsOverviewSerializer()),
    )
    def get(self, request: Request) -> Response:
        found = overview(account_asked_for(request))
        return answered(AnalyticsOverviewSerializer(found).data, "Overview.")


def overview(account: Account | None) -> dict[str, Any]:
    found = analytics.system(account)
    metrics, documents = found["overview"], found["document_metrics"]
    return {
        "system_metrics": metrics,
        "rag_metrics": documents,
        "summary": {
            "total_users": metrics["total_users"],
            "total_conversations": metrics["total_conversations"],
            "total_documents": documents["total_documents"],
            "system_health": health.check().status,
        },
    }


def contact_of(account: Account | None, user_id: str) -> Contact:
    """Whom the CRM API calls so: by our id or the caller's own, after a merge the one they became part of.

    An operator who names no account is understood by our ids alone. Raises ApiError (404).
    """
    if account is not None:
        contact = contacts.find(account, user_id)
    else:
        key = contacts.uuid_of(user_id)
        rows = Contact.objects.select_related("account").prefetch_related("addresses")
        found = rows.filter(pk=key).first() if key else None
        contact = contacts.now_part_of(found) if found else None
    if contact is None or contact.erased_at is not None:
        raise no_such_user(user_id)
    return contact
