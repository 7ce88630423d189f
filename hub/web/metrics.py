"""The practicum service's figures for Prometheus, at `/services/practicum/metrics`, for whoever shows the metrics token.

Devices, shares and the queue are as of the moment; grants, ends and times are counted since the service began.
"""

from collections import Counter
from collections.abc import Iterator

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from hub.gpu.model import DeviceStatus
from hub.leases.desk import LeaseDesk
from hub.leases.figures import Figures, Histogram
from hub.leases.model import Lease, LeaseStatus
from hub.web.centre import centre_of
from hub.web.errors import TokenInvalidError
from hub.web.lease_access import shows

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
async def read_metrics(request: Request) -> Response:
    """Everything in Prometheus's text format; 401 without the token."""
    centre = centre_of(request)
    if not shows(request, centre.metrics_token):
        raise TokenInvalidError
    desk = centre.leases
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Now([*_now(desk, await desk.list(limit=None)), *_since_start(desk.figures)]))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Now(Collector):
    """Metrics that have been read already."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


def _now(desk: LeaseDesk, live: list[Lease]) -> Iterator[Metric]:
    shares = GaugeMetricFamily(
        "practicum_shares", "Shares held, offered and waited for.", labels=("pool", "profile", "status")
    )
    for (pool, profile, status), count in sorted(
        Counter((lease.pool, lease.ask.profile, lease.status.value) for lease in live).items()
    ):
        shares.add_metric((pool, profile, status), count)
    yield shares
    views = desk.devices()
    queue = GaugeMetricFamily("practicum_queue_length", "People and jobs that wait for a share.", labels=("pool",))
    waiting = Counter(lease.pool for lease in live if lease.status is LeaseStatus.WAITING)
    for pool in sorted({view.device.pool for view in views} | set(waiting)):
        queue.add_metric((pool,), waiting[pool])
    yield queue
    devices = GaugeMetricFamily("practicum_devices", "Devices, by whether they can be used.", labels=("pool", "status"))
    counts = Counter((view.device.pool, view.device.status) for view in views)
    for pool in sorted({pool for pool, _ in counts}):
        for status in DeviceStatus:
            devices.add_metric((pool, status.value), counts[pool, status])
    yield devices


def _since_start(figures: Figures) -> Iterator[Metric]:
    grants = CounterMetricFamily("practicum_lease_grants", "Shares granted.", labels=("pool", "profile"))
    for labels, count in sorted(figures.grants.items()):
        grants.add_metric(labels, count)
    yield grants
    ends = CounterMetricFamily(
        "practicum_lease_ends", "Shares and places in the queue that ended.", labels=("pool", "profile", "reason")
    )
    for ended, count in sorted(figures.ends.items()):
        ends.add_metric(ended, count)
    yield ends
    waits = HistogramMetricFamily(
        "practicum_lease_wait_seconds", "Time from asking for a share to holding it.", labels=("pool",)
    )
    for pool, histogram in sorted(figures.waits_s.items()):
        waits.add_metric((pool,), _buckets(histogram), histogram.total)
    yield waits
    for name, text, histogram in (
        ("practicum_lease_commit_seconds", "Time of one commit of the allocator.", figures.commits_s),
        ("practicum_lease_commit_requests", "Requests decided in one commit of the allocator.", figures.batches),
    ):
        yield HistogramMetricFamily(name, text, _buckets(histogram), histogram.total)


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Prometheus counts in each bucket what is in the smaller ones too."""
    below, found = 0, []
    for bound, count in zip((*map(str, map(float, histogram.bounds)), "+Inf"), histogram.counts, strict=True):
        below += count
        found.append((bound, float(below)))
    return found
