"""Request id, times and query counts of each request."""

from django.utils.deprecation import MiddlewareMixin


class RequestMetadataMiddleware(MiddlewareMixin):
    pass
