"""The centre's process table on one machine: what ARCHITECTURE.md lists under "Processes on one machine"."""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import hub
from hub.addresses import Addresses
from hub.secrets import Secrets
from hub.settings import Settings
from hub.state import StateDir
from hub.supervisor.process import Listen, ProcessSpec
from hub.supervisor.traefik import traefik_binary

# -I: neither the operator's PYTHONPATH nor the folder they stand in decides what the centre imports.
_PYTHON = (sys.executable, "-I", "-u", "-X", "utf8")
_PACKAGE = Path(hub.__file__).parent


def process_table(
    state: StateDir, settings: Settings, addresses: Addresses, secrets: Secrets, traefik_static: str
) -> list[ProcessSpec]:
    """The processes, the proxy first: they end in reverse order."""
    root = state.root
    told = {"PRACTICUM_STATE_DIR": str(root)}

    def inside(port: int) -> Listen:
        return Listen("127.0.0.1", port, f"End that program, or delete {state.addresses_file} to have others chosen.")

    # Settings and code are read at start: whoever was started with others is not adopted.
    configuration = f"{settings.model_dump_json()} {code_digest()}"
    return [
        ProcessSpec(
            name="traefik",
            title="The proxy (Traefik)",
            argv=(traefik_binary(), "--configfile", str(traefik_static_file(state))),
            environment={},
            health_url=f"{addresses.proxy_api_url}/ping",
            listens=(
                Listen(settings.bind, settings.port, "Choose another with --port, or end that program."),
                inside(addresses.proxy_api),
            ),
            configuration=traefik_static,
            stop_grace_s=2.0,
        ),
        ProcessSpec(
            name="jupyterhub",
            title="JupyterHub",
            argv=(*_PYTHON, "-m", "hub.web.hub_app", "-f", str(_PACKAGE / "jupyterhub_config.py")),
            environment=told,
            health_url=f"http://127.0.0.1:{addresses.hub}/hub/health",
            listens=(inside(addresses.hub),),
            configuration=configuration,
        ),
        ProcessSpec(
            name="practicum",
            title="The practicum service",
            argv=(*_PYTHON, "-m", "hub.wiring", "--state-dir", str(root)),
            environment=told,
            health_url=f"{addresses.practicum_url}/services/practicum/health",
            listens=(inside(addresses.practicum),),
            configuration=configuration,
            stop_grace_s=3.0,
        ),
        ProcessSpec(
            name="grader",
            title="The grader service",
            argv=(*_PYTHON, "-m", "grader.wiring", "--state-dir", str(root)),
            environment=told,
            health_url=f"{addresses.grader_url}/services/grader/health",
            listens=(inside(addresses.grader),),
            configuration=configuration,
            stop_grace_s=3.0,
        ),
        ProcessSpec(
            name="grader-worker",
            title="The grading worker",
            argv=(*_PYTHON, "-m", "grader.worker", "--state-dir", str(root)),
            environment=told,
            configuration=configuration,
            # What it has in hand is graded again by the next one, so nobody waits for it to finish.
            stop_grace_s=3.0,
        ),
        ProcessSpec(
            name="culler",
            title="The idle culler",
            argv=(
                *_PYTHON,
                "-m",
                "jupyterhub_idle_culler",
                f"--url={addresses.hub_api_url}",
                f"--timeout={settings.culler.idle_s}",
                f"--cull-every={settings.culler.every_s}",
            ),
            # A trusted process of ours; other users of the machine cannot read another's environment.
            environment={**told, "JUPYTERHUB_API_TOKEN": secrets.culler_token},
            after=("jupyterhub",),
            stop_grace_s=1.0,
        ),
    ]


def traefik_static_file(state: StateDir) -> Path:
    """Where Traefik's static configuration lies."""
    return state.processes / "traefik.yaml"


def code_digest() -> str:
    """Changes with every file of hub and grader and with what is installed beside it (as `hub.launcher` notes it).

    So an upgrade in place replaces what still runs of the old version.
    """
    digest = hashlib.sha256(hub.__version__.encode())
    installed = Path(sys.prefix) / "practicum.json"
    if installed.exists():
        digest.update(installed.read_bytes())
    for name, size, modified_ns in sorted(_code_files()):
        digest.update(f"{name}:{size}:{modified_ns}\n".encode())
    return digest.hexdigest()[:32]


def _code_files() -> Iterator[tuple[str, int, int]]:
    for package in (_PACKAGE, _PACKAGE.parent / "grader"):
        for path in package.rglob("*"):
            if path.suffix in {".py", ".html", ".po", ".css", ".js"}:
                found = path.stat()
                yield str(path.relative_to(package.parent)), found.st_size, found.st_mtime_ns
