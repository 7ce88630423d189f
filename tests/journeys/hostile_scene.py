"""A centre in which two people's servers have become hostile, and browsers to visit them with."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page

from tests.centre import Centre
from tests.visitor import Notebook, signed_in

_HERE = Path(__file__).parent

_BECOME_HOSTILE = """
from pathlib import Path
home = Path.home()
(home / "hostile.py").write_text({server!r})
_ = (home / ".jupyter/jupyter_server_config.py").write_text(
    "import os, sys; os.execv(sys.executable, [sys.executable, os.path.expanduser('~/hostile.py')])"
)
"""


def make_hostile(centre: Centre, name: str) -> None:
    """Replace the person's server by one that answers anything, with what its owner may do: write in the own home."""
    with signed_in(centre.url, name, centre.invitations[name]) as visitor:
        visitor.start_server(name)
        notebook = Notebook(centre.url, name, visitor.server_token(name))
        with closing(notebook.http):
            said = notebook.run(
                _BECOME_HOSTILE.format(server=(_HERE / "hostile_server.py").read_text(encoding="utf-8"))
            )
        assert said == "", said
        visitor.stop_server(name)
        visitor.start_server(name)


@dataclass
class HostilePage:
    """A page of the person's own hostile server in the person's own browser."""

    page: Page
    url: str

    @classmethod
    def open(cls, page: Page, base_url: str, name: str, query: str = "") -> "HostilePage":
        """Go there; the page must really be the hostile one."""
        url = f"{base_url}/user/{name}"
        page.goto(f"{url}/page{query}")
        assert page.inner_text("p") == "hostile"
        page.evaluate(f"window.hostile = {(_HERE / 'hostile.js').read_text(encoding='utf-8')}; 0")
        return cls(page, url)

    def call(self, function: str, *arguments: Any) -> Any:
        """The result of one of hostile.js's functions."""
        return self.page.evaluate(f"(given) => hostile.{function}(...given)", list(arguments))

    @property
    def context(self) -> BrowserContext:
        return self.page.context


NewPage = Callable[..., Page]
