"""A plot that a learner saved as SVG is shown as they drew it, and nothing else that SVG can do."""

import base64
import io
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from grader.feedback import sanitize, svg

XMLNS = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 20).decode()
SVG = "{http://www.w3.org/2000/svg}"

ACTS_OR_LOADS = [
    "<script>alert(1)</script>",
    "<script href='https://evil.example/x.js'/>",
    "<circle r='1' onclick='alert(1)' ONLOAD='alert(1)'/>",
    "<a href='javascript:alert(1)'><text>x</text></a>",
    "<a xlink:href='https://evil.example'><circle r='1'/></a>",
    "<foreignObject><body xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script></body></foreignObject>",
    "<image href='https://evil.example/track.png'/>",
    "<image xlink:href='data:image/svg+xml;base64,PHN2Zz4='/>",
    "<use href='https://evil.example/x.svg#a'/>",
    "<use href='data:image/svg+xml,x#a'/>",
    "<set attributeName='href' to='javascript:alert(1)'/><animate attributeName='x' to='1'/>",
    "<style>@import 'https://evil.example/x.css';</style>",
    "<style>* { fill: url(https://evil.example/x) }</style>",
    "<style>* { fill: u\\72l(https://evil.example/x) }</style>",
    "<filter id='f'><feImage href='https://evil.example/x'/></filter>",
    "<x:script xmlns:x='http://www.w3.org/1999/xhtml'>alert(1)</x:script>",
    "<?xml-stylesheet href='https://evil.example/x.css'?><!-- <script>alert(1)</script> -->",
    "<circle r='1' style='filter: blur(9px)'/>",
]
KEPT = {
    *("svg", "g", "defs", "title", "desc", "style", "use", "image", "text", "tspan", "clipPath", "path", "rect"),
    *("circle", "ellipse", "line", "polyline", "polygon", "linearGradient", "radialGradient", "stop"),
}


def drawing(inside: str) -> str:
    return f"<svg {XMLNS} width='10' height='10'>{inside}</svg>"


def check_harmless(text: str) -> None:
    for element in ElementTree.fromstring(text).iter():
        assert element.tag.removeprefix(SVG) in KEPT, element.tag
        for name, value in element.attrib.items():
            assert not name.lower().startswith("on")
            if name.endswith("href"):
                assert value.startswith(("#", "data:image/png;base64,")), value
    for word in ("evil.example", "alert(1)", "javascript:", "@import"):
        assert word not in text


@pytest.mark.parametrize("inside", ACTS_OR_LOADS)
def test_what_acts_or_loads_is_left_out_and_the_drawing_stays(inside: str) -> None:
    made = svg.cleaned(drawing(f"{inside}<rect id='own' width='4' height='4'/>"))
    assert made is not None
    check_harmless(made)
    assert 'id="own"' in made


def test_a_plot_of_matplotlib_stays_whole() -> None:
    figure = Figure()
    left, right = figure.subplots(1, 2)
    left.scatter([181.0, 190.0], [3750.0, 3800.0], label="bird@sea <1>")
    left.legend()
    right.imshow([[1, 2], [3, 4]])
    sink = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none"}):
        figure.savefig(sink, format="svg")
    made = svg.cleaned(sink.getvalue())
    assert made is not None
    check_harmless(made)
    for part in ("path", "use", "text", "clipPath", "image", "style"):
        assert made.count(f"<{part}") == sink.getvalue().count(f"<{part}") > 0
    assert "bird@sea &lt;1&gt;" in made


def test_a_plot_is_shown_as_a_picture_of_its_own() -> None:
    data = {"image/svg+xml": drawing("<circle r='4'/>").splitlines(keepends=True), "text/plain": "<Figure>"}
    html = sanitize.output({"output_type": "display_data", "data": data})
    [image] = BeautifulSoup(html, "html.parser").find_all(True)
    assert image.name == "img"
    kind, _, text = str(image["src"]).partition(";base64,")
    assert kind == "data:image/svg+xml"
    assert base64.b64decode(text).decode() == svg.cleaned(drawing("<circle r='4'/>"))


def test_a_drawing_that_cannot_be_shown_leaves_its_place_to_the_text() -> None:
    data = {"image/svg+xml": "<svg><not closed", "text/plain": "<Figure>"}
    assert sanitize.output({"output_type": "display_data", "data": data}) == "<pre>&lt;Figure&gt;</pre>"


_LAUGHS = "".join(f"<g id='a{n}'>" + f"<use href='#a{n - 1}'/>" * 10 + "</g>" for n in range(1, 12))


@pytest.mark.parametrize(
    "text",
    [
        f"<!DOCTYPE svg [<!ENTITY a 'x'><!ENTITY b '&a;&a;'>]>{drawing('<text>&b;</text>')}",
        drawing(f"<circle id='a0' r='1'/>{_LAUGHS}"),
        drawing("<path id='p' d='" + "M0 0" * 100_000 + "'/>" + "<use href='#p'/>" * 1000),
        drawing("<path id='p' d='" + "M0 0" * 100_000 + "'/>" + "<g clip-path='url( \"#p\" )'/>" * 1000),
        drawing("<g id='a'><use href='#a'/></g>"),
        drawing("<g id='a'/><use href='#%61'/>"),
        drawing("<g id='a'/><use href='#a&#9;b'/>"),
        drawing("<g id='a'/><g id='a'/>"),
        drawing("<g>" * 100 + "</g>" * 100),
        drawing("x" * svg.MAX_CHARACTERS),
        drawing("<circle"),
        "<html><body>no drawing</body></html>",
        "",
    ],
    ids=range(13),
)
def test_what_unfolds_without_end_or_is_none_is_not_shown(text: str) -> None:
    assert svg.cleaned(text) is None


@settings(max_examples=500, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(ACTS_OR_LOADS), st.text(max_size=10)), max_size=6).map("".join))
def test_any_mixture_is_harmless_or_none(inside: str) -> None:
    made = svg.cleaned(drawing(inside))
    for element in ElementTree.fromstring(made).iter() if made else ():
        assert element.tag.removeprefix(SVG) in KEPT
        assert not [name for name in element.attrib if name.lower().startswith("on")]


def test_pixels_inside_a_drawing_are_kept() -> None:
    made = svg.cleaned(drawing(f"<image width='2' height='2' xlink:href='data:image/png;base64,{PNG}'/>"))
    assert made is not None
    assert PNG in made
