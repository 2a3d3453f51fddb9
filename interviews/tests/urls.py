"""The paths these tests need: the admin, and the interviews' own."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls), path("", include("interviews.urls"))]
