"""Whatever a learner writes becomes HTML that runs nothing and loads nothing."""

import base64
import re

import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.feedback import sanitize
from grader.feedback.raster import is_picture

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 20).decode()

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><a xlink:href='javascript:alert(1)'><text>x</text></a></svg>",
    "<math><mi xlink:href='javascript:alert(1)'>x</mi></math>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='JaVaScRiPt&colon;alert(1)'>x</a>",
    "<a href='&#1;javascript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<a href='vbscript:x'>x</a>",
    "<a href='/hub/logout'>x</a>",
    "<iframe src='https://evil.example'></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data='x'></object><embed src='x'>",
    "<form action='/hub/logout' method=post><input name=a><button>ok</button></form>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href='https://evil.example/'>",
    "<link rel=stylesheet href='https://evil.example/x.css'>",
    "<style>@import 'https://evil.example/x.css'; body{display:none}</style>",
    "<p style='background:url(https://evil.example/x)'>x</p>",
    "<p class='verdict good' id='score'>20 of 20 points</p>",
    "<img src='https://evil.example/track.png'>",
    "<img src='//evil.example/x'>",
    "<img src='data:image/svg+xml;base64,PHN2Zz4='>",
    f"<img src='data:image/png;base64,{base64.b64encode(b'<svg onload=alert(1)>').decode()}'>",
    "<video src='https://evil.example/x' autoplay></video><audio src=x></audio>",
    "<details open ontoggle=alert(1)>x</details>",
    "<textarea autofocus onfocus=alert(1)>",
    "<template><script>alert(1)</script></template>",
    "<!--[if IE]><script>alert(1)</script><![endif]-->",
    "<x-y onclick=alert(1)>x</x-y>",
    "<a href='https://ok.example' target=_self rel=opener onclick=alert(1)>x</a>",
    "</div></body></html><script>alert(1)</script>",
    "<plaintext>",
    "<table background='https://evil.example'><td background='x'>1</td></table>",
    "[x](javascript:alert(1))",
    "![x](https://evil.example/a.png)",
    "[x]: javascript:alert(1)\n\n[x]",
    "<https://ok.example> <javascript:alert(1)>",
    "`<script>alert(1)</script>`",
    "$<script>alert(1)</script>$",
    "$$\\href{javascript:alert(1)}{x}$$",
    "\ue0000\ue001 $a$",
]

ALLOWED = {"href", "title", "src", "alt", "start", "colspan", "rowspan", "scope", "rel", "target", "class"}


def check_harmless(html: str) -> None:
    soup = BeautifulSoup(html, "html.parser")
    for element in soup.find_all(True):
        assert element.name in sanitize._ELEMENTS, element
        assert set(element.attrs) <= ALLOWED, element
        if "class" in element.attrs:
            assert element.name == "span", element  # the colours of code are ours
        assert re.match(r"https?://|mailto:", element.attrs.get("href", "https://")), element
        if element.name == "a":
            assert element.attrs["rel"] == ["nofollow", "noopener", "noreferrer"]
            assert element.attrs["target"] == "_blank"
        if "src" in element.attrs:
            assert is_picture(element.attrs["src"]), element


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_becomes_harmless(text: str) -> None:
    check_harmless(sanitize.clean(text))
    check_harmless(sanitize.markdown(text))
    check_harmless(sanitize.code(text))
    check_harmless(sanitize.plain(text))
    for data in ({"text/html": text}, {"text/markdown": [text]}, {"text/plain": text}, {"image/png": text}):
        check_harmless(sanitize.output({"output_type": "execute_result", "data": data}))
    check_harmless(sanitize.output({"output_type": "stream", "text": [text]}))
    check_harmless(sanitize.output({"output_type": "error", "ename": text, "evalue": text, "traceback": [text]}))


@pytest.mark.parametrize("text", HOSTILE)
def test_what_was_cleaned_stays_clean_when_it_is_parsed_again(text: str) -> None:
    once = sanitize.clean(text)
    check_harmless(sanitize.clean(once))


def test_honest_writing_keeps_its_shape() -> None:
    html = sanitize.markdown(
        "# Title\n\n*Why*: see [here](https://ok.example), `x<1`.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- one"
    )
    for part in (
        "<h1>Title</h1>",
        "<em>Why</em>",
        'href="https://ok.example"',
        "<code>x&lt;1</code>",
        "<td>1</td>",
        "<li>one",
    ):
        assert part in html


def test_formulas_stay_as_they_were_typed() -> None:
    assert "$x_i * y_i$" in sanitize.markdown("We have $x_i * y_i$ and $z_i * w_i$.")
    assert "5 $ and 6 $" in sanitize.markdown("5 $ and 6 $")


def test_a_table_of_pandas_and_a_picture_are_shown() -> None:
    table = (
        "<div><style scoped>td{color:red}</style><table border='1' class='dataframe'><tr><th>a</th></tr></table></div>"
    )
    html = sanitize.output({"output_type": "execute_result", "data": {"text/html": table, "text/plain": "a"}})
    assert "<table><tbody><tr><th>a</th></tr></tbody></table>" in html
    assert "class" not in html
    picture = sanitize.output({"output_type": "display_data", "data": {"image/png": PNG, "text/plain": "<Figure>"}})
    assert picture == f'<img alt="" src="data:image/png;base64,{PNG}">'


def test_colours_of_terminals_and_endless_texts_are_cut() -> None:
    assert sanitize.plain("\x1b[31mred\x1b[0m") == "<pre>red</pre>"
    assert len(sanitize.plain("x" * 10**6)) < 21_000
    assert len(sanitize.markdown("x" * 10**6)) < 21_000
    assert len(sanitize.clean("<b>" * 10**6)) < 100_000


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20)), max_size=5).map("".join))
def test_any_mixture_is_harmless(text: str) -> None:
    check_harmless(sanitize.clean(text))
    check_harmless(sanitize.markdown(text))


OUTPUTS = st.recursive(
    st.none() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["output_type", "data", "text/html", "text/plain", "image/png", "text", "ename", "evalue"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@settings(max_examples=1000, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["output_type", "data", "text", "ename"]), OUTPUTS, max_size=4),
    st.sampled_from(["stream", "error", "display_data"]),
)
def test_any_output_is_harmless(found: dict[str, object], kind: str) -> None:
    check_harmless(sanitize.output({**found, "output_type": kind}))
    check_harmless(sanitize.output(found))
