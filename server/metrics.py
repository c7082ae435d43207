"""Metrics: gauges of the rate windows that something waits for, in the words of Prometheus."""

from litestar import Response, get
from litestar.di import NamedDependency
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from core.governor.asks import Reading
from core.governor.meter import RateMeter
from server.auth import access

LABELS = ("app", "owner", "category", "seconds")
"""Whose window it is: `app` as platform and app, `owner` the grant, or `app` where all of an app share it."""


@get(
    "/metrics",
    opt=access("admin"),
    tags=["Health"],
    operation_id="metrics",
    summary="Gauges for Prometheus",
    media_type="text/plain",
)
async def metrics(rate_meter: NamedDependency[RateMeter]) -> Response[bytes]:
    """The limit, the calls that count, those that are booked, and the seconds until the next may go."""
    return Response(exposition(await rate_meter.busy()), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def exposition(readings: list[tuple[str, Reading]]) -> bytes:
    """Readings in the text format of Prometheus."""
    registry = CollectorRegistry()
    gauges = {
        name: Gauge(f"fingerpost_rate_window_{name}", words, LABELS, registry=registry)
        for name, words in (
            ("limit", "Calls that a window allows."),
            ("used", "Calls that count in a window."),
            ("booked", "Calls that have their moment in a window."),
            ("free_in_seconds", "Seconds until the next call may go."),
        )
    }
    for app, reading in readings:
        owner, category, seconds = reading.window.name.split(":")
        labels = (app, owner, category, seconds)
        values = {
            "limit": reading.limit,
            "used": reading.used,
            "booked": reading.booked,
            "free_in_seconds": reading.free_in,
        }
        for name, value in values.items():
            gauges[name].labels(*labels).set(value)
    return generate_latest(registry)
