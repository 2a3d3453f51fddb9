"""What keeps other web pages and hosts away."""

from django.utils.deprecation import MiddlewareMixin


class DemoGuardMiddleware(MiddlewareMixin):
    pass
