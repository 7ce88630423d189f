"""`bench leases`: durable leases over HTTP. The real service on SQLite, the load beside it on the same machine.

    practicum bench leases [--seconds 20] [--connections 64] [--rate 500] [--devices 1000]

Closed loop: pairs of asking and giving back as fast as they are answered. Open loop: pairs arrive at random at `--rate`, and a
request's time counts from when it was due; three rounds, each beside one of reads. Every answer is checked, and at the end the
database: no lease is left, each pair is in it, no fencing token is twice.
"""

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import psutil
import yaml

from bench.lease_load import Order, Outcome
from bench.result import Result, Series
from hub.addresses import load_or_choose_addresses
from hub.errors import HubError
from hub.secrets import load_or_create_secrets
from hub.state import StateDir

LEAST_PAIRS_PER_S = 1000.0
MOST_P99_MS = 50.0
PROFILE = "h100-80gb.eighth"
KUBE_SCHEDULER_FLOORS = (180.0, 810.0)
"""Pods a second: the lowest and the highest `threshold` of scheduler_perf's integration tests, as its own source states them."""
START_S = 30.0
WARM_S = 2.0
ROUNDS = 3


class LoadFailedError(HubError):
    """The service answered something wrong, or the database does not hold what was answered."""


@dataclass(frozen=True, slots=True)
class Service:
    """The service under test."""

    process: psutil.Process
    port: int
    token: str
    database: Path

    def cpu_s(self) -> float:
        """Processor time it has used."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of this benchmark alone."""
    parser.add_argument("--seconds", type=float, default=20.0, help="length of a load (20)")
    parser.add_argument("--connections", type=int, default=64, help="kept connections of the load (64)")
    parser.add_argument("--rate", type=float, default=500.0, help="pairs a second in the open loop (500)")
    parser.add_argument(
        "--devices", type=int, default=1000, help="simulated H100, of which eighths are asked for (1000)"
    )


def run(options: argparse.Namespace) -> list[Result]:
    """Pairs a second, and how long a request takes at `--rate`; the peer of the latter reads a lease at the same rate."""
    with tempfile.TemporaryDirectory(prefix="practicum-bench-") as scratch:
        with running_service(StateDir(Path(scratch) / "state"), options.devices) as service:
            warm = loaded(service, options, "closed", WARM_S)
            before_s = service.cpu_s()
            closed = loaded(service, options, "closed", options.seconds)
            busy = (service.cpu_s() - before_s) / options.seconds
            opened, reads = [], []
            for _ in range(ROUNDS):
                opened.append(loaded(service, options, "open", options.seconds))
                reads.append(loaded(service, options, "reads", options.seconds / 2))
            load_average = os.getloadavg()[0]
        in_database = checked(service.database, sum(each.pairs for each in (warm, closed, *opened, *reads)))
    return [
        Result(
            what="acquire and release of a share over HTTP, SQLite with synchronous=FULL, closed loop",
            unit="pairs/s",
            ours=Series("practicum", [float(pairs) for pairs in closed.per_second]),
            peer=Series("kube-scheduler's own floors, pods/s (quoted, not measured)", KUBE_SCHEDULER_FLOORS),
            least=LEAST_PAIRS_PER_S,
            higher_is_better=True,
            notes=(
                f"{options.connections} connections, {options.devices} simulated devices; one value per second",
                f"service {busy:.2f} and load {closed.cpu_s / options.seconds:.2f} processors",
                f"load average {load_average:.1f} on {os.cpu_count()} processors",
                in_database,
            ),
        ),
        Result(
            what=f"99th percentile of a request at {options.rate:g} pairs/s, open loop, from when it was due",
            unit="ms",
            ours=Series("acquire and release", [_quantile(each.latencies_ms, 0.99) for each in opened]),
            peer=Series("reading a lease, as many requests/s", [_quantile(each.latencies_ms, 0.99) for each in reads]),
            most=MOST_P99_MS,
            notes=(
                *(
                    f"acquire and release, round {number}: {_spread(each.latencies_ms)}"
                    for number, each in enumerate(opened, 1)
                ),
                *(
                    f"reading a lease, round {number}: {_spread(each.latencies_ms)}"
                    for number, each in enumerate(reads, 1)
                ),
            ),
        ),
    ]


@contextmanager
def running_service(state: StateDir, devices: int) -> Iterator[Service]:
    state.prepare()
    settings = {"devices": {"simulate": f"{devices}xH100-80GB", "cpu_percent": 0}}
    state.settings_file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    secrets, addresses = load_or_create_secrets(state.secrets_file), load_or_choose_addresses(state.addresses_file)
    log = state.logs / "bench.log"
    with (
        log.open("w", encoding="utf-8") as said,
        subprocess.Popen(
            [sys.executable, "-m", "hub.wiring", "--state-dir", str(state.root)], stdout=said, stderr=said
        ) as process,
    ):
        try:
            _wait(f"{addresses.practicum_url}/services/practicum/health", process, log)
            yield Service(
                psutil.Process(process.pid),
                addresses.practicum,
                secrets.hub_token,
                state.databases / "practicum.sqlite",
            )
        finally:
            process.terminate()
            process.wait(START_S)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url, timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise LoadFailedError("The service did not come up: %(log)s", log=log.read_text(encoding="utf-8")[-2000:])


def loaded(service: Service, options: argparse.Namespace, kind: str, seconds: float) -> Outcome:
    order = Order(kind, service.port, service.token, PROFILE, seconds, options.connections, options.rate)
    done = subprocess.run(
        [sys.executable, "-m", "bench.lease_load"],
        input=json.dumps(asdict(order)),
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent,
    )
    if done.returncode:
        raise LoadFailedError("%(kind)s loop: %(said)s", kind=kind, said=done.stderr.strip()[-2000:])
    return Outcome(**json.loads(done.stdout))


def checked(database: Path, pairs: int) -> str:
    """What the database says of so many pairs, once the service has ended. Raises `LoadFailedError` if that is something else."""
    with closing(sqlite3.connect(database)) as connection:
        leases, ended, fences = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE status = 'ended'), count(DISTINCT fence) FROM lease"
        ).fetchone()
    if not leases == ended == fences == pairs:
        raise LoadFailedError(
            "Of %(pairs)s pairs the database holds %(leases)s leases, %(ended)s ended, %(fences)s fencing tokens.",
            pairs=pairs,
            leases=leases,
            ended=ended,
            fences=fences,
        )
    return f"checked in the database: {leases} leases, none live, each with a fencing token of its own"


def _spread(latencies_ms: Sequence[float]) -> str:
    shown = [
        f"{name} {_quantile(latencies_ms, part):.1f}" for name, part in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
    ]
    return f"{', '.join(shown)}, most {max(latencies_ms):.1f} ms, mean {statistics.fmean(latencies_ms):.1f}"


def _quantile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
