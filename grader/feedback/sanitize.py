"""Learner-made text, HTML and outputs as HTML that runs nothing and loads nothing.

An allow-list of elements and attributes: no style, no class, no id, no event, no form, no frame, no SVG, no MathML. Links
lead out in a window of their own; pictures are data that was checked to be one, drawings (SVG outputs) are written anew
and shown as pictures. What is not allowed is dropped or shown as text. A second line is the page's Content-Security-Policy (see `page`), which forbids scripts altogether.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import mistune
from bleach.html5lib_shim import Filter  # type: ignore[import-untyped]
from bleach.sanitizer import Cleaner  # type: ignore[import-untyped]
from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]

from grader.feedback import svg
from grader.feedback.raster import KINDS, encoded, is_picture

_ELEMENTS = frozenset(
    {
        *("p", "br", "hr", "div", "span", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "details", "summary"),
        *(
            "a",
            "abbr",
            "b",
            "code",
            "del",
            "em",
            "i",
            "kbd",
            "q",
            "s",
            "samp",
            "small",
            "strong",
            "sub",
            "sup",
            "u",
            "var",
        ),
        *("ul", "ol", "li", "dl", "dt", "dd", "pre", "img"),
        *("table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "td", "th"),
    }
)
_ATTRIBUTES: dict[str, list[str]] = {
    "a": ["href", "title"],
    "abbr": ["title"],
    "img": ["src", "alt", "title"],
    "ol": ["start"],
    "td": ["colspan", "rowspan"],
    "th": ["colspan", "rowspan", "scope"],
}
_PROTOCOLS = frozenset({"http", "https", "mailto", "data"})
_ABSOLUTE = re.compile(r"(?:https?://|mailto:)[^\s\\]+\Z", re.IGNORECASE)
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.")
_DOLLARS = re.compile(r"(\${1,2})(?!\s)([^$]+?)(?<!\s)\1", re.DOTALL)

MAX_TEXT = 20_000
"""Characters of one text or output that are shown; a page is read by people."""
MAX_HTML = 400_000
_MAX_HIGHLIGHTED = 20_000

_markdown = mistune.create_markdown(escape=False, plugins=["table", "strikethrough", "task_lists"])
_formatter = HtmlFormatter(nowrap=True)


class _OnlySafeUrls(Filter):  # type: ignore[misc]
    """Links open elsewhere and tell nobody where from; only data that is a picture stays a picture."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for token in super().__iter__():
            if token["type"] in {"StartTag", "EmptyTag"}:
                attributes = token["data"]
                if token["name"] == "a":
                    _make_link_safe(attributes)
                elif token["name"] == "img" and not is_picture(attributes.get((None, "src"), "")):
                    yield {"type": "Characters", "data": f"[{attributes.get((None, 'alt'), '') or '…'}]"}
                    continue
            yield token


def _make_link_safe(attributes: dict[tuple[None, str], str]) -> None:
    # Absolute ones only: a link to our own paths would be followed with the reader's rights, `/hub/logout` for one.
    if not _ABSOLUTE.match(attributes.get((None, "href"), "")):
        attributes.pop((None, "href"), None)
    attributes[None, "rel"] = "nofollow noopener noreferrer"
    attributes[None, "target"] = "_blank"


def clean(html: str) -> str:
    """HTML with nothing in it that is not on the list."""
    if len(html) > MAX_HTML:
        return plain(html)
    # A new one each time: html5lib's parser keeps state and is not for threads.
    cleaner = Cleaner(
        tags=_ELEMENTS,
        attributes=_ATTRIBUTES,
        protocols=_PROTOCOLS,
        strip=True,
        strip_comments=True,
        filters=[_OnlySafeUrls],
    )
    return str(cleaner.clean(html))


def markdown(text: str) -> str:
    """Markdown as safe HTML. Formulas stay as they were typed, `$` and all."""
    if len(text) > MAX_TEXT:
        return plain(text)
    formulas: list[str] = []

    def keep(match: re.Match[str]) -> str:
        formulas.append(match[0])
        return f"\ue000{len(formulas) - 1}\ue001"  # private use: not in anybody's text, not changed by Markdown

    protected = _DOLLARS.sub(keep, text.replace("\ue000", "").replace("\ue001", ""))
    html = clean(str(_markdown(protected)))
    return re.sub("\ue000(\\d+)\ue001", lambda match: escape(formulas[int(match[1])]), html)


def code(text: str) -> str:
    """Python as coloured HTML inside `<pre>`."""
    shown = text[:MAX_TEXT]
    if len(text) > _MAX_HIGHLIGHTED:
        return f"<pre><code>{escape(shown)}\n…</code></pre>"
    return f"<pre><code>{highlight(shown, PythonLexer(), _formatter).rstrip()}</code></pre>"


def plain(text: str) -> str:
    """Text as it is, colours of terminals left out, cut where it is long."""
    shown = _ANSI.sub("", text[: 2 * MAX_TEXT])[:MAX_TEXT]
    return f"<pre>{escape(shown)}{'…' if len(text) > MAX_TEXT else ''}</pre>"


def output(found: Mapping[str, Any]) -> str:
    """One output of a learner's cell, as the notebook holds it, as safe HTML; empty if there is nothing to show."""
    kind = found.get("output_type")
    if kind == "stream":
        return plain(text) if (text := _joined(found.get("text"))) else ""
    if kind in ("error", "pyerr"):  # not a set: a list from JSON has no hash
        return plain(f"{_joined(found.get('ename'))}: {_joined(found.get('evalue'))}")
    data = found.get("data")
    return _rich(data) if isinstance(data, Mapping) else ""


def _rich(data: Mapping[str, Any]) -> str:
    """The best of a bundle of representations that can be shown."""
    for mime in KINDS:
        if (picture := encoded(mime, _joined(data.get(mime)))) is not None:
            return f'<img alt="" src="data:{mime};base64,{picture}">'
    if (drawing := svg.cleaned(_joined(data.get("image/svg+xml")))) is not None:
        return f'<img alt="" src="data:image/svg+xml;base64,{base64.b64encode(drawing.encode()).decode()}">'
    if html := _joined(data.get("text/html")):
        return f"<div>{clean(html)}</div>"
    if text := _joined(data.get("text/markdown")):
        return markdown(text)
    return plain(text) if (text := _joined(data.get("text/plain"))) else ""


def _joined(value: Any) -> str:
    if isinstance(value, list):
        value = "".join(part for part in value if isinstance(part, str))
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else ""
