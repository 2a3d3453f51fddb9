"""Paths of the installation itself: health, figures, documentation."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
