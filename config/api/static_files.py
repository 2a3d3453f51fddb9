"""Static files, without a thread for each request that waits for a model."""

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from whitenoise.middleware import WhiteNoiseMiddleware


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """WhiteNoise's, which knows synchronous chains alone: in an asynchronous one Django runs it, and all that
    comes after it, on a thread that is held until the answer. No model-bound path is a static file
    (config/asgi.py), so there it steps aside.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any], **options: Any) -> None:
        self.steps_aside = iscoroutinefunction(get_response)
        super().__init__(get_response, **options)
        if self.steps_aside:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request) if self.steps_aside else super().__call__(request)
