"""What a learner may hide in a notebook so that it runs in somebody else's browser; every way says by name that it ran."""

import time
from typing import Any

from playwright.sync_api import Page

_NOTICED_WITHIN_S = 10.0

WAYS = {
    "script": "<script>ran('script')</script>",
    "image": "<img src='data:,' onerror=\"ran('image')\">",
    "svg": "<svg onload=\"ran('svg')\"><script>ran('svg')</script></svg>",
    "details": "<details open ontoggle=\"ran('details')\"><summary>more</summary>x</details>",
    "frame": "<iframe srcdoc=\"<script>parent.ran('frame')</script>\"></iframe>",
    "focus": "<input autofocus onfocus=\"ran('focus')\">",
    "link": "<a href=\"javascript:ran('link')\">my sources</a>",
}
MARKUP = "\n".join(WAYS.values())
PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="120" height="40" onload="ran(\'picture\')">'
    '<script>ran(\'picture\')</script><circle cx="20" cy="20" r="18" fill="#1a7f37"/></svg>'
)
MEMO = f"""Dear Ms Lin, see [my sources](javascript:ran('link')).

{MARKUP}

**That is all.**"""

OUTPUTS: list[dict[str, Any]] = [
    {"output_type": "display_data", "metadata": {}, "data": {"text/html": MARKUP, "text/plain": "a table"}},
    {"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": PICTURE, "text/plain": "a plot"}},
    {"output_type": "display_data", "metadata": {}, "data": {"text/markdown": MEMO, "text/plain": "a memo"}},
    {"output_type": "display_data", "metadata": {}, "data": {"application/javascript": "ran('javascript')"}},
]


def listen(page: Page, ran: list[str]) -> None:
    """Let every document of the page's browser context say `ran(name)`."""

    def note(name: str) -> None:
        ran.append(name)

    page.context.expose_function("ran", note)


def show_unprotected(page: Page, ran: list[str]) -> None:
    """Every way in a page that nobody protects: the proof that each of them would be noticed."""
    page.goto("about:blank")
    page.set_content(f"<!doctype html><title>control</title><body>{MARKUP}</body>")
    page.click("text=my sources")
    until = time.monotonic() + _NOTICED_WITHIN_S
    while set(ran) != set(WAYS):
        assert time.monotonic() < until, f"not noticed: {set(WAYS) - set(ran)}"
        page.wait_for_timeout(50)
    ran.clear()
