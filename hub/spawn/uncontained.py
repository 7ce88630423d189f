"""Servers without a sandbox (`up --insecure-no-sandbox`): for trying things out alone where a machine cannot contain code.

Learner code then runs with the rights of whoever started the centre, and every page says so. Root is refused.
"""

import os
import sys
import tempfile
from pathlib import Path

from jupyterhub.spawner import SimpleLocalProcessSpawner

from hub.errors import HubError
from hub.roster_client import RosterClient, ServerPlan
from hub.spawn import entry
from hub.spawn.server import OPTIONS, ServerHost, server_environment
from hub.spawn.spawner import refusal


class UncontainedSpawner(SimpleLocalProcessSpawner):
    """JupyterHub's plain local spawner, with the person's home, lessons and language."""

    roster: RosterClient
    server_host: ServerHost
    """Both set once by jupyterhub_config.py."""

    async def start(self) -> tuple[str, int]:
        """The address of the new server; refuses with a sentence."""
        assert os.geteuid() != 0, "`up` refuses to start like this as root"
        try:
            plan = await self.roster.plan_server(self.user.name)
            home = self.server_host.home(plan)
        except HubError as exc:
            raise refusal(str(exc), exc.code) from exc
        self.home_dir = str(home)
        self.cmd = [sys.executable, "-I", entry.__file__, plan.language, *OPTIONS]
        # Short, wherever the state lies: the paths of ipc sockets end at about 100 characters.
        runtime = tempfile.mkdtemp(prefix="practicum-")
        self.environment = {
            **server_environment(plan),
            "HOME": str(home),
            "JUPYTER_RUNTIME_DIR": runtime,
            "MPLCONFIGDIR": str(home / ".config/matplotlib"),
            "PRACTICUM_LESSONS": str(self._gathered_lessons(plan)),
            "PRACTICUM_GRADER_URL": f"http://127.0.0.1:{self.server_host.grader_port}/services/grader",
        }
        address: tuple[str, int] = await super().start()
        return address

    def _gathered_lessons(self, plan: ServerPlan) -> Path:
        """The lessons in one folder of links, as the entry point finds them in a sandbox."""
        folder = self.server_host.state.servers / f"{plan.name}-lessons"
        for lesson, release in self.server_host.releases(plan):
            link = folder / lesson.course / lesson.assignment
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(release)
        return folder
