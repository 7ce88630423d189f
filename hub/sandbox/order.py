"""What a keeper is told on its standard input: the spec worked out to the last argument.

The keeper and the sandbox's init run once per learner, so they are given answers, not the modules that find them. Only
values that JSON holds; written by `order`, read by `keeper` and, the part named "errand", by `init`.
"""

import base64
from pathlib import Path
from typing import Any

from hub.sandbox.arguments import WORLDWIDE_PROC_FILES, bubblewrap_arguments, init_command
from hub.sandbox.limits import Containment
from hub.sandbox.seccomp import filter_program
from hub.sandbox.software import interpreter
from hub.sandbox.spec import SandboxSpec

_INIT_FILE = str(Path(__file__).with_name("init.py"))


def order(spec: SandboxSpec, *, bubblewrap: str, privileged: bool, containment: Containment) -> dict[str, Any]:
    """The keeper's order. Holds the program's environment: it may go through a pipe, never into argv or a log."""
    proc_files = tuple(path for path in WORLDWIDE_PROC_FILES if Path(path).exists())
    arguments = bubblewrap_arguments(spec, privileged=privileged, init_file=_INIT_FILE, proc_files=proc_files)
    user = None if spec.user is None else {"uid": spec.user.uid, "gid": spec.user.gid}
    network = spec.network
    return {
        "bubblewrap": bubblewrap,
        "arguments": arguments,
        "command": init_command(interpreter()),
        "seccomp": base64.b64encode(filter_program(affinity_holds=bool(containment.affinity))).decode("ascii"),
        "texts": [each.text for each in spec.files],
        "user": user,
        "cgroups": [{"parent": each.parent, "values": dict(each.values)} for each in containment.cgroups],
        "affinity": list(containment.affinity),
        "held_limits": list(containment.sentences),
        "ways": [list(way.address) for way in network.ways] if network else [],
        "inside_server_port": network.inside_server_port if network else None,
        "log_file": spec.log_file,
        "log_bytes": spec.log_mib * 1024 * 1024,
        "outcome_file": spec.outcome_file,
        "stop_grace_s": spec.stop_grace_s,
        "errand": {
            "argv": list(spec.argv),
            "environment": dict(spec.environment),
            "working_dir": spec.working_dir,
            "user": user,
            "resources": [list(each) for each in containment.resources],
            "inside_ports": [way.inside_port for way in network.ways] if network else [],
            "stop_grace_s": spec.stop_grace_s,
        },
    }
