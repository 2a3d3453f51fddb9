"""GET /metrics, in Prometheus' text format: how the installation is, and what waits.

All of it comes from rows that every process writes, so that it is the same whichever process is asked, and an
alarm needs no other address. Figures of a last minute are gauges: the rows of older ones are taken away.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from rest_framework.request import Request

from campaigns.models import Delivery
from config.system import attention, health, heartbeats
from config.system.administration_api import AdministrationView
from config.system.models import Heartbeat, RequestFigure


class Installation(Collector):
    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("rapport", "The release.", value={"version": settings.VERSION})
        yield from _parts()
        yield from _last_minute()
        yield from _waiting()


def _parts() -> Iterator[Metric]:
    up = GaugeMetricFamily("rapport_part_up", "Whether a part answers.", labels=["part"])
    for part in health.check().parts:
        up.add_metric([part.name], float(part.is_up))
    yield up
    fresh = Heartbeat.objects.filter(at__gte=timezone.now() - heartbeats.FRESH)
    running = GaugeMetricFamily("rapport_processes", "Processes that beat lately.", labels=["part"])
    for name, number in fresh.order_by("part").values_list("part").annotate(Count("pk")):
        running.add_metric([name], number)
    yield running


def _last_minute() -> Iterator[Metric]:
    """Of the last whole minute. No row: nobody asked, or no process was there to count."""
    minute = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=1)
    found = RequestFigure.objects.filter(minute=minute).first() or RequestFigure(minute=minute)
    about = "of the last whole minute."
    yield GaugeMetricFamily("rapport_requests_last_minute", f"Requests {about}", found.requests)
    yield GaugeMetricFamily(
        "rapport_request_errors_last_minute", f"Answers of 500 and more {about}", found.errors
    )
    yield GaugeMetricFamily(
        "rapport_request_seconds_last_minute",
        f"Time that all requests took together {about}",
        found.total_milliseconds / 1000,
    )


def _waiting() -> Iterator[Metric]:
    due = attention.counted(Delivery.objects.due())
    yield GaugeMetricFamily("rapport_emails_due", "Emails whose time has come, 9,999 and one at most.", due)
    waiting = GaugeMetricFamily(
        "rapport_attention", "What stays as it is until a person looks at it.", labels=["what"]
    )
    for _model, figure in attention.WAITING:
        waiting.add_metric([figure.__name__], figure().number)
    yield waiting


class Metrics(AdministrationView):
    """For Prometheus and what understands its format. The key goes into `authorization` of the scrape."""

    @extend_schema(
        operation_id="metrics",
        summary="Figures of the installation for Prometheus",
        tags=["Administration"],
        responses={(200, "text/plain"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponse:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(Installation())
        return HttpResponse(
            generate_latest(registry),
            content_type=CONTENT_TYPE_PLAIN_0_0_4,
            headers={"Cache-Control": "no-store"},
        )

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """One form, whatever is asked for."""
        return super().perform_content_negotiation(request, force=True)
