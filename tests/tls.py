"""A TLS proxy in front of a centre, as operators run one, with a certificate made for the moment."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from hub.supervisor.traefik import traefik_binary


@contextmanager
def tls_in_front_of(target_port: int, port: int, host: str, place: Path) -> Iterator[None]:
    """Listens on `port` by TLS as `host` and every name below it, and passes everything on to `target_port`."""
    certificate, key = _certificate(host, place)
    static, dynamic = place / "tls.yaml", place / "tls-routes.yaml"
    static.write_text(
        yaml.safe_dump(
            {
                "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
                "entryPoints": {"tls": {"address": f"127.0.0.1:{port}"}},
                "providers": {"file": {"filename": str(dynamic)}},
            }
        ),
        encoding="utf-8",
    )
    target = {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{target_port}"}]}}
    dynamic.write_text(
        yaml.safe_dump(
            {
                "http": {
                    "routers": {"all": {"rule": "PathPrefix(`/`)", "service": "centre", "tls": {}}},
                    "services": {"centre": target},
                },
                "tls": {"certificates": [{"certFile": str(certificate), "keyFile": str(key)}]},
            }
        ),
        encoding="utf-8",
    )
    with (place / "tls.log").open("w", encoding="utf-8") as log:
        proxy = subprocess.Popen([traefik_binary(), "--configfile", str(static)], stdout=log, stderr=log)
    try:
        _wait_until_it_listens(port)
        yield
    finally:
        proxy.kill()
        proxy.wait()


def _wait_until_it_listens(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < deadline, "the TLS proxy does not listen"
        time.sleep(0.05)


def _certificate(host: str, place: Path) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine: `apt-get install openssl`")
    certificate, key = place / "certificate.pem", place / "key.pem"
    names = f"subjectAltName=DNS:{host},DNS:*.{host}"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={host}"]
    command += ["-addext", names, "-out", str(certificate), "-keyout", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key
