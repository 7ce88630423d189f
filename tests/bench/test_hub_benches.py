"""That the comparisons of hubs run, with one round each: what they say about speed is no test's business."""

import pytest

from bench import centre, spawn
from bench.run import names


def test_a_started_server_is_measured_on_both_hubs() -> None:
    result = spawn.run(rounds=1)
    assert len(result.ours.values) == len(result.peer.values) == 1
    # A server takes the better part of a second to import; less would mean that none was started.
    assert min(*result.ours.values, *result.peer.values) > 0.2


@pytest.mark.all
def test_start_and_memory_of_a_centre_are_measured_on_both_hubs() -> None:
    first, later, memory = centre.run(rounds=1, settle_s=0.0)
    for result in (first, later):
        assert min(*result.ours.values, *result.peer.values) > 0.2
    # JupyterHub alone is more, and ours is JupyterHub and three processes beside it.
    assert memory.ours.median > memory.peer.median > 50
    said = "\n".join(memory.notes)
    for part in ("supervisor", "jupyterhub", "traefik", "practicum", "culler", "keeper"):
        assert f"{part}: " in said


@pytest.mark.parametrize("name", ["spawn", "centre"])
def test_both_are_on_the_command_line(name: str) -> None:
    assert name in names()
