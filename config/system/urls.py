"""Paths of the installation itself: health, figures, documentation."""

from django.urls import URLPattern, URLResolver, path

from config.system import documentation, views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.start, name="start"),
    path("live", views.live, name="live"),
    path("ready", views.ready, name="ready"),
    path("health", views.service_health, name="health"),
    path("api/v1/health", views.webhook_health, name="webhook-health"),
    path("openapi.json", documentation.openapi, name="openapi"),
    path("docs", documentation.docs, name="docs"),
    path("redoc", documentation.reference, name="reference"),
]
