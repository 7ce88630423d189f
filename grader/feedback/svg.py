"""A learner's SVG drawing, written anew from elements that only draw.

It is shown as an image, in which browsers run no script and load nothing; that is their rule, and this is ours. A drawing is
small on paper and may be endless on screen: what is drawn by reference is counted, so that no tab of an instructor hangs.
"""

import re
from xml.etree.ElementTree import ParseError, XMLParser
from xml.sax.saxutils import escape, quoteattr

from grader.feedback.raster import is_picture

MAX_CHARACTERS = 2 * 1024 * 1024
MAX_UNFOLDED = 8 * 1024 * 1024
"""Characters of everything that is referred to, as often as it is."""
_MAX_DEPTH = 64

_SVG = "{http://www.w3.org/2000/svg}"
_ELEMENTS = frozenset(
    {
        *("svg", "g", "defs", "title", "desc", "style", "use", "image", "text", "tspan", "clipPath"),
        *("path", "rect", "circle", "ellipse", "line", "polyline", "polygon"),
        *("linearGradient", "radialGradient", "stop"),
    }
)
_NAMESPACED = {
    "{http://www.w3.org/1999/xlink}href": "xlink:href",
    "{http://www.w3.org/XML/1998/namespace}space": "xml:space",
}
_NAME = re.compile(r"(?!on)[A-Za-z][A-Za-z0-9-]*\Z", re.IGNORECASE)
_REFERENCE = re.compile(r"url\(\s*[\"']?#?([^)\"']*)", re.IGNORECASE)
_ID = re.compile(r"[\w.:-]+\Z")
_LAYERS = ("filter", "blend")
_ROOT = ' xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


class _Refused(Exception):  # noqa: N818 - says what happened, and never leaves this module
    """It is no drawing, or one that unfolds."""


def cleaned(text: str) -> str | None:
    """The drawing without anything that acts or loads; None for what is no SVG, or one too large to show."""
    # Entities are the one way in which XML itself grows when it is read; no drawing program needs them.
    if not text.strip() or len(text) > MAX_CHARACTERS or "<!ENTITY" in text:
        return None
    writer = _Writer()
    parser = XMLParser(target=writer)  # noqa: S314 - without entities, and without a tree that could be deep
    try:
        parser.feed(text)
        parser.close()
        return writer.drawing()
    except (ParseError, _Refused, ValueError):
        return None


class _Writer:
    """What the parser tells, written as far as it is on the list."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._skipped = 0
        """How deep inside an element that is left out."""
        self._open: list[str | None] = []
        """Ids of the elements around, outermost first."""
        self._began: dict[str, int] = {}
        self._sizes: dict[str, int] = {}
        self._references: list[tuple[str, frozenset[str]]] = []
        """What is referred to, and the ids of the elements that the reference stands in."""
        self._sheet: list[str] | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.removeprefix(_SVG)
        if self._skipped or name not in _ELEMENTS or not self._fits_here(name):
            self._skipped += 1
            return
        if len(self._open) >= _MAX_DEPTH:
            raise _Refused
        own = attributes.get("id")
        if own is not None and own in self._began:
            raise _Refused  # which of the two a reference draws is for browsers to say
        self._open.append(own)
        if own is not None:
            self._began[own] = self._length
        if name == "style":
            self._sheet = []
        kept = {shown: value for key, value in attributes.items() if (shown := self._kept(name, key, value))}
        written = "".join(f" {key}={quoteattr(value)}" for key, value in kept.items())
        self._write(f"<{name}{'' if len(self._open) > 1 else _ROOT}{written}>")

    def end(self, tag: str) -> None:
        if self._skipped:
            self._skipped -= 1
            return
        if self._sheet is not None:
            self._write_sheet("".join(self._sheet))
            self._sheet = None
        self._write(f"</{tag.removeprefix(_SVG)}>")
        own = self._open.pop()
        if own is not None:
            self._sizes[own] = self._length - self._began[own]

    def data(self, text: str) -> None:
        if self._skipped or not self._open:
            return
        if self._sheet is not None:
            self._sheet.append(text)
        else:
            self._write(escape(text))

    def close(self) -> None:
        """Nothing: `drawing` has the result, once the parser has seen that the text is whole."""

    def drawing(self) -> str:
        """The whole, if what it unfolds to has an end. Raises `_Refused`."""
        holders = {holder for _, around in self._references for holder in around}
        unfolded = 0
        for target, _ in self._references:
            if target in holders:
                raise _Refused  # references to references multiply
            unfolded += self._sizes.get(target, 0)
        if not self._parts or unfolded > MAX_UNFOLDED:
            raise _Refused
        return "".join(self._parts)

    def _fits_here(self, name: str) -> bool:
        return self._sheet is None and (bool(self._open) or (name == "svg" and not self._parts))

    def _kept(self, element: str, key: str, value: str) -> str | None:
        """The attribute's name as it is written, or None to leave it out."""
        shown = _NAMESPACED.get(key, key)
        # CSS reads `u\\72l(` as a reference; a layer drawn apart for each of thousands is endless, too.
        if "\\" in value or any(word in f"{shown} {value}".lower() for word in _LAYERS):
            return None
        if shown in {"href", "xlink:href"}:
            if value.startswith("#"):
                self._refer(value[1:])
            elif element != "image" or not is_picture(value):
                return None
            return shown
        if shown != "xml:space" and not _NAME.match(shown):
            return None
        for target in _REFERENCE.findall(value):
            self._refer(target)
        return shown

    def _write_sheet(self, sheet: str) -> None:
        """A style sheet, unless it refers to something: it could do so for every element at once."""
        if not any(word in sheet.lower() for word in ("url(", "@", "\\", *_LAYERS)):
            self._write(escape(sheet))

    def _refer(self, target: str) -> None:
        target = target.strip()
        if not _ID.match(target):
            raise _Refused  # browsers decode escapes; we would count something else
        self._references.append((target, frozenset(each for each in self._open if each is not None)))

    def _write(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)
