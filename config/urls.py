"""Every path of the product: each app keeps its own in its `urls.py`."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    # First: /admin/analytics/…, /admin/health/detailed and /admin/settings are documented APIs.
    path("", include("config.system.urls")),
    path("admin/", admin.site.urls),
    # Each path before the right one is tried in vain. Those asked a hundred times a second come early:
    # webhooks of voice, then the chats of crm.
    path("", include("voice.urls")),
    path("", include("crm.urls")),
    path("", include("interviews.urls")),
    path("", include("campaigns.urls")),
    path("", include("knowledge.urls")),
    path("", include("personas.urls")),
]

handler400 = "config.api.handler.bad_request"
handler403 = "config.api.handler.permission_denied"
handler404 = "config.api.handler.not_found"
handler500 = "config.api.handler.server_error"
