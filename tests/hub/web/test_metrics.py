"""The service's figures as Prometheus reads them."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from hub.clock import ManualClock
from hub.leases.desk import LeaseDesk
from hub.leases.model import Ask, Session, SessionKind
from tests.hub.web.conftest import GRADER_TOKEN, HUB_TOKEN, METRICS_TOKEN

METRICS = "/services/practicum/metrics"
GPU = "h100-80gb-slice"

Figure = Callable[..., float]


@pytest.fixture
async def prometheus(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {METRICS_TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1", headers=headers) as client:
        yield client


async def figures(prometheus: httpx.AsyncClient) -> Figure:
    """A way to look up one sample of what Prometheus reads now; 0 where there is none."""
    answer = await prometheus.get(METRICS)
    assert answer.status_code == 200
    samples = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    return lambda name, **labels: samples.get((f"practicum_{name}", frozenset(labels.items())), 0.0)


def ask(name: str, profile: str = "h100-80gb.half") -> Ask:
    return Ask(f"key-{name}", Session(SessionKind.SERVER, name), name, "spring", "", profile)


async def test_shares_queue_and_devices_are_as_of_now(prometheus: httpx.AsyncClient, leases: LeaseDesk) -> None:
    for number in range(6):
        await leases.acquire(ask(f"learner-{number}"))
    await leases.acquire(ask("lin.na", "cpu.half"))
    figure = await figures(prometheus)
    assert figure("shares", pool=GPU, profile="h100-80gb.half", status="held") == 4
    assert figure("shares", pool=GPU, profile="h100-80gb.half", status="waiting") == 2
    assert figure("shares", pool="cpu", profile="cpu.half", status="held") == 1
    assert figure("queue_length", pool=GPU) == 2
    assert figure("queue_length", pool="cpu") == 0
    assert figure("devices", pool=GPU, status="ok") == 2
    assert figure("devices", pool=GPU, status="lost") == 0


async def test_grants_ends_and_waits_are_counted_once(
    prometheus: httpx.AsyncClient, leases: LeaseDesk, clock: ManualClock
) -> None:
    held = [await leases.acquire(ask(f"holder-{number}")) for number in range(4)]
    waiting = await leases.acquire(ask("lin.na"))
    await leases.heartbeat(held[0].id, held[0].fence or 0)  # a change of a lease that is no grant
    clock.advance(20)
    await leases.release(held[0].id)
    await leases.claim(waiting.id)
    await leases.release(waiting.id)
    await leases.release(waiting.id)  # has ended already
    figure = await figures(prometheus)
    assert figure("lease_grants_total", pool=GPU, profile="h100-80gb.half") == 5
    assert figure("lease_ends_total", pool=GPU, profile="h100-80gb.half", reason="released") == 2
    assert figure("lease_wait_seconds_count", pool=GPU) == 5
    assert figure("lease_wait_seconds_sum", pool=GPU) == 20
    assert figure("lease_wait_seconds_bucket", pool=GPU, le="15.0") == 4
    assert figure("lease_wait_seconds_bucket", pool=GPU, le="60.0") == 5
    assert figure("lease_commit_seconds_count") == figure("lease_commit_requests_count") == 9
    assert figure("lease_commit_requests_sum") == 9


@pytest.mark.parametrize("token", ["", HUB_TOKEN, GRADER_TOKEN, f"{METRICS_TOKEN}x"])
async def test_figures_are_for_whoever_shows_their_token(prometheus: httpx.AsyncClient, token: str) -> None:
    answer = await prometheus.get(METRICS, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert "practicum_" not in answer.text
