"""Somebody at a browser, without the browser: real HTTP with cookies, navigation headers and the page's own forms."""

import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import httpx

PASSWORD = "correct horse 电池 staple"

_NAVIGATION = {
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-User": "?1",
    "User-Agent": "Mozilla/5.0 (test visitor)",
    "Accept-Language": "en",
}


@dataclass
class Form:
    """One form of a page: where it goes and what it carries by itself."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(values.get("action", ""), values.get("method", "get").lower()))
        elif tag in {"input", "button"} and self.forms and values.get("name"):
            self.forms[-1].fields[values["name"]] = values.get("value", "")


class Visitor:
    """One person's browser session against a running centre."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.http = httpx.Client(base_url=base_url, headers=_NAVIGATION, follow_redirects=True, timeout=30)

    def close(self) -> None:
        self.http.close()

    def forms(self, page: httpx.Response) -> list[Form]:
        parser = _Forms()
        parser.feed(page.text)
        return parser.forms

    def submit(self, page: httpx.Response, action: str, **values: str) -> httpx.Response:
        """Send the page's form whose action contains `action`, with the given fields filled in."""
        form = next(form for form in self.forms(page) if action in urljoin(str(page.url), form.action))
        return self.http.request(
            form.method,
            urljoin(str(page.url), form.action),
            data={**form.fields, **values},
            headers={"Origin": self.base_url},
        )

    def redeem(self, invitation: str, password: str = PASSWORD) -> httpx.Response:
        """Open an invitation link and choose a password."""
        page = self.http.get(invitation)
        form = next(form for form in self.forms(page) if "password" in form.fields)
        passwords = {name: password for name in form.fields if "password" in name}
        return self.submit(page, form.action or str(page.url), **passwords)

    def sign_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        """Sign in on JupyterHub's page; lands on the person's home page when it works."""
        page = self.http.get("/hub/login")
        return self.submit(page, "/hub/login", username=name, password=password)

    def hub_api(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A call of JupyterHub's API as a page of the hub would make it."""
        headers = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Referer": f"{self.base_url}/hub/home"}
        xsrf = next(
            (cookie.value for cookie in self.http.cookies.jar if cookie.name == "_xsrf" and cookie.path == "/hub/"), ""
        )
        return self.http.request(method, f"/hub/api{path}", headers={**headers, "X-XSRFToken": xsrf or ""}, **options)

    def start_server(self, name: str, timeout_s: float = 60) -> None:
        """Start the person's server and wait until it is ready."""
        started = self.hub_api("POST", f"/users/{name}/server")
        assert started.status_code in {201, 202}, started.text
        began = time.monotonic()
        while time.monotonic() - began < timeout_s:
            servers = self.hub_api("GET", f"/users/{name}").json()["servers"]
            if servers.get("", {}).get("ready"):
                return
            time.sleep(0.1)
        raise AssertionError(f"the server of {name} was not ready after {timeout_s} s")

    def stop_server(self, name: str, timeout_s: float = 30) -> None:
        """Stop the person's server and wait until it is gone."""
        began = time.monotonic()
        stopped = self.hub_api("DELETE", f"/users/{name}/server")
        # A JupyterHub that was just started is still looking at its servers, and refuses to stop one with a 500 ("pending check").
        while stopped.status_code == 500 and time.monotonic() - began < timeout_s:
            time.sleep(0.5)
            stopped = self.hub_api("DELETE", f"/users/{name}/server")
        assert stopped.status_code in {202, 204}, stopped.text
        while time.monotonic() - began < timeout_s:
            if not self.hub_api("GET", f"/users/{name}").json()["servers"]:
                return
            time.sleep(0.1)
        raise AssertionError(f"the server of {name} still ran after {timeout_s} s")

    def server_token(self, name: str) -> str:
        """An API token for the person's own server, as a script of theirs would use."""
        return self._token(name, f"access:servers!user={name}")

    def grader_token(self, name: str) -> str:
        """An API token for handing in, as the person's own server has one."""
        return self._token(name, "access:services!service=grader")

    def _token(self, name: str, scope: str) -> str:
        answer = self.hub_api("POST", f"/users/{name}/tokens", json={"note": "test", "scopes": [scope]})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])


@contextmanager
def signed_in(base_url: str, name: str, invitation: str = "") -> Iterator[Visitor]:
    """The person, signed in; the first time by their invitation."""
    with closing(Visitor(base_url)) as visitor:
        if invitation:
            visitor.redeem(invitation)
        visitor.sign_in(name)
        yield visitor


class Notebook:
    """Runs code in a learner's server as JupyterLab does: a kernel over the server's own HTTP and websocket API."""

    def __init__(self, base_url: str, name: str, token: str) -> None:
        self.name = name
        self.url = f"{base_url}/user/{name}"
        self.headers = {"Authorization": f"token {token}"}
        self.http = httpx.Client(base_url=self.url, headers=self.headers, timeout=60)
        self.kernel_id = ""

    def close(self) -> None:
        self.http.close()

    def start_kernel(self) -> None:
        answer = self.http.post("/api/kernels", json={"name": "python3"})
        assert answer.status_code == 201, answer.text
        self.kernel_id = answer.json()["id"]

    def run(self, code: str, timeout_s: float = 60) -> str:
        """What the code printed, results and tracebacks included."""
        import json
        import uuid

        import websocket

        if not self.kernel_id:
            self.start_kernel()
        socket = websocket.create_connection(
            self.url.replace("http", "ws", 1) + f"/api/kernels/{self.kernel_id}/channels",
            header=[f"{key}: {value}" for key, value in self.headers.items()],
            timeout=timeout_s,
        )
        try:
            message_id = uuid.uuid4().hex
            header = {
                "msg_id": message_id,
                "msg_type": "execute_request",
                "username": "",
                "session": "test",
                "version": "5.3",
                "date": "",
            }
            content = {
                "code": code,
                "silent": False,
                "store_history": False,
                "user_expressions": {},
                "allow_stdin": False,
                "stop_on_error": True,
            }
            socket.send(
                json.dumps(
                    {
                        "header": header,
                        "parent_header": {},
                        "metadata": {},
                        "content": content,
                        "channel": "shell",
                        "buffers": [],
                    }
                )
            )
            printed: list[str] = []
            while True:
                message = json.loads(socket.recv())
                if message["parent_header"].get("msg_id") != message_id:
                    continue
                kind, content = message["msg_type"], message["content"]
                if kind == "stream":
                    printed.append(content["text"])
                elif kind == "execute_result":
                    printed.append(content["data"]["text/plain"])
                elif kind == "error":
                    printed.append(re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(content["traceback"])))
                elif kind == "status" and content["execution_state"] == "idle":
                    return "".join(printed).strip()
        finally:
            socket.close()
