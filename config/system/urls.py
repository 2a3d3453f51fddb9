"""Paths of the installation itself: health, figures, documentation."""

from django.urls import URLPattern, URLResolver, path

from config.system import documentation, signing_in, views
from config.system.administration_api import DetailedHealth, Overview, Settings
from config.system.analytics_api import AnalyticsOverview, SystemAnalytics, UserAnalytics
from config.system.metrics import Metrics

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.start, name="start"),
    path("live", views.live, name="live"),
    path("ready", views.ready, name="ready"),
    path("health", views.service_health, name="health"),
    path("api/v1/health", views.webhook_health, name="webhook-health"),
    # Documented paths below Django's own /admin/, which is mounted after them.
    path("admin/analytics/system", SystemAnalytics.as_view(), name="analytics-system"),
    path("admin/analytics/overview", AnalyticsOverview.as_view(), name="analytics-overview"),
    path("admin/analytics/user/<str:user_id>", UserAnalytics.as_view(), name="analytics-user"),
    path("admin/health/detailed", DetailedHealth.as_view(), name="health-detailed"),
    path("admin/settings", Settings.as_view(), name="admin-settings"),
    path("admin/overview", Overview.as_view(), name="admin-overview"),
    path("admin/login/", signing_in.login, name="login"),
    path("metrics", Metrics.as_view(), name="metrics"),
    path("openapi.json", documentation.openapi, name="openapi"),
    path("docs", documentation.docs, name="docs"),
    path("redoc", documentation.reference, name="reference"),
]
