"""A browser's side of our application, in process: cookies, the headers of a navigation, the forms of a page."""

import asyncio
import html
import json
import re
from collections.abc import MutableMapping
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from fastapi import FastAPI

from tests.hub.web.fake_jupyterhub import FakeJupyterHub

ORIGIN = "http://127.0.0.1:8000"
HOME = "/services/practicum/"

NAVIGATION = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "same-origin"}
SCRIPT = {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty", "sec-fetch-site": "same-origin"}


class Browser(httpx.AsyncClient):
    """One person's browser. Redirects are followed by `open` and `submit` alone, and JupyterHub's part is played."""

    def __init__(self, app: FastAPI, jupyterhub: FakeJupyterHub, language: str = "en") -> None:
        super().__init__(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url=ORIGIN,
            headers={**NAVIGATION, "accept-language": language},
        )
        self._app = app
        self._jupyterhub = jupyterhub
        self.signs_in_as = ""
        self.page = httpx.Response(200)

    async def open(self, path: str) -> httpx.Response:
        """Navigate there, signing in at JupyterHub on the way if that is asked for."""
        return await self._follow(await self.get(path))

    async def submit(self, action: str, **values: str) -> httpx.Response:
        """Submit the form of the present page that goes to `action`."""
        target, fields = form_of(self.page, action)
        return await self._follow(await self.post(target, data={**fields, **values}))

    async def events(self, most: int = 1) -> list[dict[str, Any]]:
        """The first events of the present page's stream, which may never end: httpx's transport would wait for its end."""
        url = html.unescape(self.page.text.split('data-events="')[1].split('"')[0])
        request = self.build_request("GET", url, headers=SCRIPT)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": request.url.path,
            "raw_path": request.url.raw_path.split(b"?")[0],
            "query_string": request.url.query,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "server": ("127.0.0.1", 8000),
            "client": ("127.0.0.1", 1),
        }
        found: list[dict[str, Any]] = []
        enough = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await enough.wait()
            return {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                assert message["status"] == 200
            lines = message.get("body", b"").decode().splitlines()
            found.extend(json.loads(line[6:]) for line in lines if line.startswith("data: "))
            if len(found) >= most:
                enough.set()

        async with asyncio.timeout(20):
            await self._app(scope, receive, send)
        return found[:most]

    async def _follow(self, response: httpx.Response) -> httpx.Response:
        for _ in range(10):
            if not response.has_redirect_location:
                break
            target = response.headers["location"]
            if urlsplit(target).path == "/hub/api/oauth2/authorize" and self.signs_in_as:
                query = {key: values[0] for key, values in parse_qs(urlsplit(target).query).items()}
                self._jupyterhub.codes["code"] = (self.signs_in_as, query["code_challenge"])
                target = f"{query['redirect_uri']}?code=code&state={query['state']}"
            elif not urlsplit(target).path.startswith("/services/"):
                break
            response = await self.get(target)
        self.page = response
        return response


def form_of(page: httpx.Response, action: str) -> tuple[str, dict[str, str]]:
    """Address and fields of the page's form that goes to `action`, as they stand."""
    parser = _Forms()
    parser.feed(page.text)
    for target, fields in parser.forms:
        if re.search(action, target or page.url.path):
            return target or page.url.path, fields
    raise AssertionError(f"no form for {action} in {page.url}: {[target for target, _ in parser.forms]}\n{page.text}")


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((values.get("action", ""), {}))
        elif tag == "input" and self.forms and "name" in values:
            self.forms[-1][1][values["name"]] = values.get("value", "")
