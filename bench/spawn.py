"""Start of a learner's server, from asking the hub until the server answers through the proxy."""

import tempfile
from contextlib import closing
from pathlib import Path

from bench.hubs import Learner, our_centre, plain_jupyterhub
from bench.result import Result, Series

ROUNDS = 9
LIMIT = 1.1


def run(rounds: int = ROUNDS) -> Result:
    """Both hubs run side by side; each round starts a server of ours, then one of the peer's."""
    ours: list[float] = []
    peer: list[float] = []
    with (
        tempfile.TemporaryDirectory(prefix="practicum-bench-") as scratch,
        our_centre(Path(scratch) / "ours") as centre,
        plain_jupyterhub(Path(scratch) / "plain") as plain,
        closing(Learner(centre)) as our_learner,
        closing(Learner(plain)) as plain_learner,
    ):
        for round_number in range(rounds + 1):
            for learner, seconds in ((our_learner, ours), (plain_learner, peer)):
                started_s = learner.start_server()
                learner.stop_server()
                # The first of each makes the home and fills the page cache.
                if round_number > 0:
                    seconds.append(started_s)
    return Result(
        what="start of a server, from asking the hub until it answers through the proxy",
        unit="s",
        ours=Series("practicum (sandboxed)", ours),
        peer=Series("JupyterHub with SimpleLocalProcessSpawner", peer),
        limit=LIMIT,
        notes=(
            "same JupyterHub, Traefik, Python environment and Jupyter configuration; one server at a time",
            "the first start of each is not counted",
        ),
    )
