"""From a server plan to the sandbox a learner's server runs in: which software, which home, which limits, which doors."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import courses.kit
import hub
from hub.errors import HubError
from hub.roster_client import Lesson, ServerPlan
from hub.sandbox.running import RunningSandbox
from hub.sandbox.software import python_software
from hub.sandbox.spec import Mount, Network, SandboxSpec, User, Way
from hub.settings import SandboxSettings
from hub.spawn import entry
from hub.spawn.running import RunningServer, forget, note, running_servers
from hub.spawn.share_file import FOLDER_INSIDE, write_share
from hub.spawn.shares import CpuPins, server_limits, share_environment
from hub.state import StateDir

INSIDE_HUB_PORT = 8081
INSIDE_GRADER_PORT = 8082
INSIDE_SERVER_PORT = 8888
"""Each sandbox has a loopback of its own, so every server listens on the same port inside."""

_HOME = "/home/learner"
"""The same for everybody: a home named after its owner could lie over software that is installed in somebody's home."""
_ENTRY = "/opt/practicum/entry.py"
SIGN_IN_KEPT_S = 30
"""How long a server believes a cookie without asking the hub again, and so the longest a copied one outlives signing out
(the browser's own end at once, hub/web/door.py). Each question costs the hub and the roster 20 ms of processor time, at
most once in this time for each open page; JupyterHub's own choice is 300 s."""
OPTIONS = ("--KernelManager.transport=ipc", f"--HubOAuth.cache_max_age={SIGN_IN_KEPT_S}")
_RUNTIME = "/run/user/jupyter"  # short, because the paths of ipc sockets end at about 100 characters
_JUPYTER_CONFIG = Path(courses.kit.__file__).parent / "jupyter"


class HomeUnusableError(HubError):
    """The learner's home cannot be made or is not theirs."""

    code = "home-unusable"
    sentence = "Your home directory cannot be opened. Nothing is lost; tell your administrator."


@dataclass(frozen=True, slots=True)
class ServerHost:
    """This machine as a place for learners' servers."""

    state: StateDir
    limits: SandboxSettings
    hub_port: int
    grader_port: int
    pins: CpuPins = field(default_factory=CpuPins)

    def prepare(self, plan: ServerPlan, environment: Mapping[str, str], cpus: tuple[int, ...] = ()) -> SandboxSpec:
        """Make the home where it is missing, and describe the sandbox; `cpus` are those of `reserve_cpus`.

        Raises `HomeUnusableError`, and `OSError` when the state directory takes no more files.
        """
        home = self.home(plan)
        user = None if plan.uid is None else User(plan.uid, plan.uid, plan.name)
        software = python_software(
            user,
            home=_HOME,
            read_only=[Path(courses.kit.__file__).parent],
            hidden=[*_not_for_learners(), self.state.root],
        )
        return SandboxSpec(
            argv=(sys.executable, "-I", _ENTRY, plan.language, *OPTIONS),
            environment={**environment, **server_environment(plan)},
            working_dir=_HOME,
            home=Mount(str(home), _HOME, writable=True),
            mounts=(
                *software.mounts,
                Mount(entry.__file__, _ENTRY),
                Mount(str(self.tell_share(plan)), FOLDER_INSIDE),
                *self._lessons(plan),
            ),
            links=software.links,
            files=software.files,
            masks=software.masks,
            user=user,
            limits=server_limits(self.limits, plan.share, cpus),
            network=Network(
                (
                    Way(INSIDE_HUB_PORT, ("127.0.0.1", self.hub_port)),
                    Way(INSIDE_GRADER_PORT, ("127.0.0.1", self.grader_port)),
                ),
                INSIDE_SERVER_PORT,
            ),
            log_file=str(self.state.servers / f"{plan.name}.log"),
            outcome_file=str(self.state.servers / f"{plan.name}.outcome.json"),
        )

    def tell_share(self, plan: ServerPlan) -> Path:
        """The folder in which the server is told its share, written anew. Raises `OSError`."""
        lease, profile = (plan.share.lease, plan.share.profile) if plan.share else (None, None)
        return write_share(self.state, plan.name, lease=lease, profile=profile)

    def reserve_cpus(self, plan: ServerPlan) -> tuple[int, ...]:
        """The CPUs the plan's share is to be kept to, none if it may run anywhere; given back with `release_cpus`.

        Raises `ServersUnlistableError`.
        """
        if plan.share is None or plan.share.cpu_milli == 0:
            return ()
        return self.pins.reserve(plan.name, plan.share.cpu_milli, running_servers(self.state))

    def release_cpus(self, plan: ServerPlan) -> None:
        """The plan's server runs and is noted, or it failed to start."""
        self.pins.release(plan.name)

    def note(self, plan: ServerPlan, spec: SandboxSpec, running: RunningSandbox) -> None:
        """Write down that the plan's server runs, for whoever compares leases with what runs. Raises `OSError`."""
        lease, fence = (plan.share.lease, plan.share.fence) if plan.share else (None, None)
        server = RunningServer(plan.name, lease, fence, spec.limits.cpu_milli, spec.limits.cpus, running)
        note(self.state, server)

    def forget(self, name: str, running: RunningSandbox) -> None:
        """That server has ended."""
        forget(self.state, name, running)

    def home(self, plan: ServerPlan) -> Path:
        """The person's home on this machine, made if it is missing; raises `HomeUnusableError`."""
        # Names on the roster hold no slash and start with a letter, so this stays one step below `homes`.
        home = self.state.homes / plan.name
        try:
            home.mkdir(mode=0o700, exist_ok=True)
            if plan.uid is not None and home.lstat().st_uid != plan.uid:
                os.chown(home, plan.uid, plan.uid, follow_symlinks=False)
        except OSError as exc:
            raise HomeUnusableError from exc
        return home

    def _lessons(self, plan: ServerPlan) -> list[Mount]:
        return [
            Mount(str(release), str(entry.LESSONS / lesson.course / lesson.assignment))
            for lesson, release in self.releases(plan)
        ]

    def releases(self, plan: ServerPlan) -> list[tuple[Lesson, Path]]:
        """The plan's lessons and where they lie, in the person's language."""
        places = [
            (lesson, self.state.courses / lesson.course / "release" / plan.language / lesson.assignment)
            for lesson in plan.lessons
        ]
        return [(lesson, place) for lesson, place in places if place.is_dir()]


def server_environment(plan: ServerPlan) -> dict[str, str]:
    """What a server is told besides what JupyterHub tells it."""
    return {
        "HOME": _HOME,
        "USER": plan.name,
        "LOGNAME": plan.name,
        "SHELL": "/bin/bash",
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "JUPYTER_RUNTIME_DIR": _RUNTIME,
        "JUPYTER_CONFIG_PATH": str(_JUPYTER_CONFIG),
        "PRACTICUM_LANGUAGE": plan.language,
        "PRACTICUM_GRADER_URL": f"http://127.0.0.1:{INSIDE_GRADER_PORT}/services/grader",
        "MPLCONFIGDIR": f"{_HOME}/.config/matplotlib",
        **share_environment(plan.share),
    }


def _not_for_learners() -> list[Path]:
    """Our own packages and the courses' sources, solutions and hidden tests, wherever an installation puts them."""
    here = Path(hub.__file__).parent
    courses_root = Path(courses.kit.__file__).parent.parent
    folders = [path for path in courses_root.iterdir() if path.is_dir() and path.name != "kit"]
    return [here, here.parent / "grader", *folders]
