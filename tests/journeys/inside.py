"""Run by a test in a terminal of a real learner's server (and, as a control, outside): what only a real centre has to lose.

As `tests/hub/sandbox/attempts.py`, which lies beside it then and whose attempts it adds to. Standard library only.
"""

# ruff: noqa: PTH100, PTH108, PTH112, PTH114, PTH120, PTH123, PTH207, PTH208, PTH211 -- a script for a bare interpreter

import glob
import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from attempts import FACTS, attempt, main, read  # type: ignore[import-not-found]

# Files


@attempt
def read_what_the_centre_keeps() -> str:
    roots = ["", *(f"/proc/{pid}/root" for pid in ("1", "2", "self", FACTS["host_pid"], FACTS["other_kernel_pid"]))]
    return " ".join(path for path in FACTS["private_files"] if any(_opens(root + path) for root in roots))


@attempt
def read_it_through_links_in_the_own_home() -> str:
    found = []
    for number, path in enumerate(FACTS["private_files"]):
        link = os.path.abspath(f"link-{os.getpid()}-{number}")
        os.symlink(path, link)
        if _opens(link):
            found.append(path)
        os.unlink(link)
    return " ".join(found)


@attempt
def list_what_the_centre_keeps() -> str:
    return " ".join(path for path in FACTS["private_folders"] if os.path.isdir(path) and os.listdir(path))


@attempt
def find_what_only_solutions_and_hidden_tests_say() -> str:
    needles = "\n".join(each[::-1] for each in FACTS["needles_backwards"]).encode()
    done = subprocess.run(["grep", "-IrlF", "-f", "-", *_searched()], input=needles, capture_output=True, check=False)
    return done.stdout.decode()


def _searched() -> list[str]:
    """Everything to be seen but what the kernel makes up and what the distribution installed."""
    if FACTS.get("search"):
        return list(FACTS["search"])
    top = [
        f"/{name}"
        for name in os.listdir("/")
        if name not in {"proc", "sys", "dev", "usr"} and not os.path.islink(f"/{name}")
    ]
    return [*top, "/usr/local", *glob.glob("/usr/lib/python3*"), *glob.glob("/usr/share/*practicum*")]


def _opens(path: str) -> bool:
    try:
        return bool(read(path))
    except OSError:
        return False


# Processes


def _processes() -> list[str]:
    return [pid for pid in os.listdir("/proc") if pid.isdigit()]


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


@attempt
def see_the_centres_processes() -> str:
    parts = ("traefik", "hub.wiring", "hub.web.hub_app", "keeper.py", "jupyterhub_idle_culler")
    # This program's own arguments, the facts, name them all.
    lines = [line for pid in _processes() if "inside.py" not in (line := _read(f"/proc/{pid}/cmdline"))]
    return " ".join(part for part in parts if any(part in line for line in lines))


@attempt
def read_the_centres_environments() -> str:
    return " ".join(pid for pid in _processes() if "PRACTICUM_STATE_DIR=" in _read(f"/proc/{pid}/environ"))


@attempt
def see_another_kernel() -> str:
    return " ".join(
        pid for pid in _processes() if FACTS["other_kernel_backwards"][::-1] in _read(f"/proc/{pid}/cmdline")
    )


@attempt
def find_another_kernels_keys() -> str:
    name = f"kernel-{FACTS['other_kernel_backwards'][::-1]}"
    roots = ["", f"/proc/{FACTS['other_kernel_pid']}/root"]
    return " ".join(path for root in roots for path in glob.glob(f"{root}/run/user/jupyter/{name}*"))


# Ports


def _says(address: str, port: int, request: str) -> str:
    with socket.create_connection((address, port), timeout=10) as connection:
        connection.sendall(request.encode())
        said = b""
        # Head and body may come apart.
        while len(said) < 65536 and (part := connection.recv(65536)):
            said += part
        return said.decode("utf-8", "replace")


@attempt
def reach_ports_of_the_machine() -> str:
    reached = set()
    for address in ("127.0.0.1", "localhost", "127.0.0.2", *FACTS["machine_addresses"]):
        for port in FACTS["ports"]:
            try:
                if _says(address, port, "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):
                    reached.add(port)
            except OSError:
                continue
    return " ".join(str(port) for port in sorted(reached))


@attempt
def reach_services_through_the_door_to_the_hub() -> str:
    port = FACTS["service_port"]
    targets = (
        "GET /services/practicum/health",
        f"GET http://127.0.0.1:{port}/services/practicum/health",
        "GET //services/practicum/health",
        "GET /hub/../services/practicum/health",
        "GET /hub/api/../../services/practicum/health",
        f"CONNECT 127.0.0.1:{port}",
    )
    heads = (
        "Host: 127.0.0.1",
        f"Host: 127.0.0.1:{port}",
        "Host: x\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: y",
    )
    for target in targets:
        for head in heads:
            said = _says("127.0.0.1", FACTS["door_port"], f"{target} HTTP/1.1\r\n{head}\r\nConnection: close\r\n\r\n")
            if '"version"' in said and '"status"' in said:
                return f"{target} {head}"
    return ""


if __name__ == "__main__":
    main()
