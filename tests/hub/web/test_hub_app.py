"""JupyterHub's process: what it does otherwise than JupyterHub."""

import asyncio
import socket

from jupyterhub.services.service import Service

from hub.web.hub_app import PracticumHub


async def test_a_service_that_is_down_delays_nobody_s_sign_in() -> None:
    with socket.socket() as taken:  # bound, so that nobody else can answer there; nobody listens
        taken.bind(("127.0.0.1", 0))
        service = Service(name="grader", url=f"http://127.0.0.1:{taken.getsockname()[1]}/")
        async with asyncio.timeout(5):  # JupyterHub's own waits for 30
            assert await PracticumHub().start_service("grader", service)
