"""What config/asgi.py is measured against: the same project, served in the two usual ways by daphne."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from a2wsgi import WSGIMiddleware
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

django_asgi = get_asgi_application()
_wrapped = WSGIMiddleware(get_wsgi_application(), workers=settings.WEB_THREADS)


async def a2wsgi(scope, receive, send):
    # daphne calls with keyword arguments, which a2wsgi names otherwise.
    await _wrapped(scope, receive, send)
