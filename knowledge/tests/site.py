"""The paths of knowledge and the admin alone."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls), path("", include("knowledge.urls"))]

handler400 = "config.api.handler.bad_request"
handler403 = "config.api.handler.permission_denied"
handler404 = "config.api.handler.not_found"
handler500 = "config.api.handler.server_error"
