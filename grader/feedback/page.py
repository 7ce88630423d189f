"""One learner's feedback as one HTML page that needs nothing else.

Instructor's cells appear as they were released, the learner's with the outputs that the learner handed in: outputs of the
grading run, which has seen hidden tests, are never shown. What failed is said in the words of a run without hidden tests,
or in the author's public sentence, or in a neutral one.
"""

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from html import escape

from grader.autograde.assignment import GradedAssignment, SourceCell
from grader.autograde.rebuild import Answer, Origin, Rebuilt, RebuiltCell
from grader.exchange.terms import Verdict
from grader.feedback import sanitize
from grader.feedback.words import say
from grader.gradebook.recording import Marks
from grader.store.model import CellResult, Outcome

STYLE = """
:root{color-scheme:light dark;--ink:#1f2328;--soft:#59636e;--line:#d1d9e0;--ground:#fff;--well:#f6f8fa;--good:#1a7f37;--bad:#b3261e;--half:#8a5a00}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--line:#3d444d;--ground:#0d1117;--well:#151b23;--good:#57d27a;--bad:#ff8f88;--half:#e0b34c}}
*{box-sizing:border-box}body{margin:0 auto;max-width:54rem;padding:1rem;overflow-wrap:break-word;color:var(--ink);background:var(--ground);font:1rem/1.55 system-ui,"Noto Sans CJK SC",sans-serif}
header{border-bottom:1px solid var(--line);margin-bottom:1rem}h1{font-size:1.4rem;margin:.2rem 0}.score{font-size:1.2rem;font-weight:600}.soft{color:var(--soft)}
pre{overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere;background:var(--well);border:1px solid var(--line);border-radius:.4rem;padding:.6rem;margin:.5rem 0;font:.875rem/1.45 ui-monospace,monospace}
table{border-collapse:collapse;display:block;overflow-x:auto;max-width:100%}td,th{border:1px solid var(--line);padding:.2rem .5rem;text-align:left}img{max-width:100%}
section{margin:.8rem 0}.answer{border-left:.25rem solid var(--line);padding-left:.8rem}.verdict{border:1px solid var(--line);border-left-width:.4rem;border-radius:.4rem;padding:.4rem .8rem}
caption{text-align:left;font-weight:600;padding-bottom:.3rem}.num{font-variant-numeric:tabular-nums;white-space:nowrap}summary{cursor:pointer;color:var(--soft)}
.good-ink{color:var(--good)}.bad-ink{color:var(--bad)}.half-ink{color:var(--half)}a{color:inherit}.good{border-left-color:var(--good)}.bad{border-left-color:var(--bad)}.half{border-left-color:var(--half)}.verdict p{margin:.2rem 0}.label{font-size:.875rem;font-weight:600;color:var(--soft)}
.k,.kn,.kd,.kc,.ow{color:#8250df}.s1,.s2,.sd,.sa{color:#0a6b2d}.c1{color:var(--soft);font-style:italic}.nf,.nc{color:#0550ae}
@media(prefers-color-scheme:dark){.k,.kn,.kd,.kc,.ow{color:#d2a8ff}.s1,.s2,.sd,.sa{color:#7ee787}.nf,.nc{color:#79c0ff}}
"""

_HEADING = re.compile(r"^#{1,4}\s+(.+?)\s*#*$", re.MULTILINE)

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode("utf-8")).digest()).decode("ascii")
_POLICY = f"default-src 'none'; img-src data:; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'"

CONTENT_SECURITY_POLICY = f"{_POLICY}; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
"""To be sent with every feedback page: it is then of no origin, and would run no script even if one had slipped in."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """Everything a page is made of."""

    title: str
    assignment: GradedAssignment
    marks: Marks
    rebuilt: Mapping[str, Rebuilt | None]
    messages: Mapping[tuple[str, str], str]

    @property
    def language(self) -> str:
        return self.assignment.language


def page(feedback: Feedback) -> str:
    """The page. Holds no hidden test, no traceback, no script."""
    body = "\n".join([_head(feedback), _summary(feedback), *_notebooks(feedback)])
    title = escape(f"{say('Feedback', feedback.language)}: {feedback.title}")
    return (
        f'<!doctype html>\n<html lang="{escape(feedback.language)}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _head(feedback: Feedback) -> str:
    marks, language = feedback.marks, feedback.language
    moment = marks.submission.submitted_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    late = marks.submission.verdict is Verdict.LATE
    when = say("Handed in {moment}, late." if late else "Handed in {moment}, on time.", language, moment=moment)
    lines = [when, say("Attempt {number}.", language, number=marks.submission.attempt)]
    if taken := sum(marks.penalties.values()):
        lines.append(say("{points} points were taken off for being late.", language, points=f"{taken:g}"))
    score = say("{score} of {most} points", language, score=f"{marks.score:g}", most=f"{marks.max_score:g}")
    between = "" if language.startswith("zh") else " "
    return (
        f'<header><p class="soft">{escape(say("Feedback", language))}</p><h1>{escape(feedback.title)}</h1>'
        f'<p class="score">{escape(score)}</p><p class="soft">{escape(between.join(lines))}<br>'
        f"{escape(say('You see this page as your instructor released it.', language))}</p></header>"
    )


def _summary(feedback: Feedback) -> str:
    """Every counted cell with its points and a way down to it: a phone shows little of a notebook at once."""
    rows = []
    for notebook in feedback.assignment.notebooks:
        heading = notebook.name
        results = {each.grade_id: each for each in feedback.marks.results if each.notebook == notebook.name}
        for cell in notebook.cells:
            if cell.cell_type == "markdown" and (found := _HEADING.findall(cell.released)):
                heading = found[-1]
            if (result := results.get(cell.grade_id or "")) is not None:
                kind, state = _state(feedback, cell, result)
                label = _label(feedback, cell) if cell.is_by_hand or cell.is_hidden_test else ""
                words = " · ".join(filter(None, (label, state)))
                points = f"{feedback.marks.points(result):g} / {result.max_points:g}"
                rows.append(
                    f'<tr><td><a href="#{_anchor(result)}">{escape(heading)}</a></td>'
                    f'<td class="num">{points}</td><td class="{kind}-ink">{escape(words)}</td></tr>'
                )
    caption = escape(say("Your points", feedback.language))
    return f"<table><caption>{caption}</caption><tbody>{''.join(rows)}</tbody></table>"


def _anchor(result: CellResult) -> str:
    # Ours alone: nothing of a learner's gets an id, and names of cells may hold anything.
    return "c" + hashlib.sha256(f"{result.notebook}/{result.grade_id}".encode()).hexdigest()[:12]


def _notebooks(feedback: Feedback) -> Iterator[str]:
    several = len(feedback.assignment.notebooks) > 1
    for notebook in feedback.assignment.notebooks:
        if several:
            yield f"<h2>{escape(notebook.name)}</h2>"
        rebuilt = feedback.rebuilt.get(notebook.name)
        if rebuilt is None:
            yield f"<p>{escape(say('This notebook was not handed in.', feedback.language))}</p>"
            continue
        results = {each.grade_id: each for each in feedback.marks.results if each.notebook == notebook.name}
        seen: set[str] = set()
        for cell in rebuilt.cells:
            yield _cell(feedback, rebuilt, cell, results)
            if cell.source is not None and cell.source.grade_id:
                seen.add(cell.source.grade_id)
        for grade_id, result in results.items():
            if grade_id not in seen:  # an answer that was deleted still has a mark and perhaps a comment
                yield _verdict(feedback, notebook.cell(grade_id), result)


def _cell(feedback: Feedback, rebuilt: Rebuilt, cell: RebuiltCell, results: Mapping[str, CellResult]) -> str:
    source = cell.source
    if cell.origin is Origin.LEARNER:
        outputs = cell.learner.outputs if cell.learner is not None else ()
        return f'<section class="answer">{_text(cell.cell_type, cell.text)}{_outputs(outputs)}</section>'
    assert source is not None
    if source.is_hidden_test:
        shown = ""
    elif source.is_test:
        label = escape(say("Show the test", feedback.language))
        shown = f"<details><summary>{label}</summary>{sanitize.code(source.released)}</details>"
    elif cell.origin is Origin.SOURCE:
        outputs = cell.learner.outputs if cell.learner is not None else ()
        shown = _text(cell.cell_type, source.released) + _outputs(outputs)
    else:
        shown = _answer(feedback, cell, rebuilt.answers[source.grade_id or ""])
    result = results.get(source.grade_id or "")
    return f"<section>{shown}{_verdict(feedback, source, result) if result else ''}</section>"


def _answer(feedback: Feedback, cell: RebuiltCell, answer: Answer) -> str:
    if answer.is_untouched:
        return f'<p class="soft">{escape(say("You left this as it was.", feedback.language))}</p>'
    outputs = [each for learner in answer.cells for each in learner.outputs]
    label = escape(say("Your answer", feedback.language))
    return (
        f'<div class="answer"><p class="label">{label}</p>{_text(cell.cell_type, answer.text)}{_outputs(outputs)}</div>'
    )


def _state(feedback: Feedback, source: SourceCell | None, result: CellResult) -> tuple[str, str]:
    """How well it went, as a class of the style sheet and in a word; colour alone tells nobody anything."""
    by_hand, points = source is not None and source.is_by_hand, feedback.marks.points(result)
    if feedback.marks.needs_person(result):
        return "half", say("not marked yet", feedback.language)
    if points >= result.max_points:
        return "good", "" if by_hand else say("passed", feedback.language)
    kind, word = ("bad", "not passed") if points == 0 else ("half", "partly passed")
    return kind, "" if by_hand else say(word, feedback.language)


def _label(feedback: Feedback, source: SourceCell | None) -> str:
    """Where the points of a cell come from."""
    if source is not None and source.is_by_hand:
        return say("Read by your instructor", feedback.language)
    hidden = source is not None and source.is_hidden_test
    return say("Hidden test" if hidden else "Test", feedback.language)


def _verdict(feedback: Feedback, source: SourceCell | None, result: CellResult) -> str:
    language = feedback.language
    manual = feedback.marks.manual.get((result.notebook, result.grade_id))
    by_hand, points = source is not None and source.is_by_hand, feedback.marks.points(result)
    kind, state = _state(feedback, source, result)
    label = _label(feedback, source)
    score = say("{score} of {most} points", language, score=f"{points:g}", most=f"{result.max_points:g}")
    parts = [f'<p><span class="label">{escape(label)}</span> {escape(" · ".join(filter(None, (state, score))))}</p>']
    if not by_hand and points < result.max_points and (manual is None or manual.points is None):
        parts.append(sanitize.markdown(_why(feedback, source, result)))
    if manual is not None and manual.comment:
        parts.append(f'<p class="label">{escape(say("Comment", language))}</p>{sanitize.markdown(manual.comment)}')
    return f'<div class="verdict {kind}" id="{_anchor(result)}">{"".join(parts)}</div>'


def _why(feedback: Feedback, source: SourceCell | None, result: CellResult) -> str:
    message = feedback.messages.get((result.notebook, result.grade_id))
    if message:
        return message
    public = source.hidden_sentence(feedback.language) if source is not None else None
    if public:
        return public
    hidden = source is not None and source.hidden_lines and result.outcome is not Outcome.NO_RESPONSE
    neutral = "A hidden test did not pass. Try your code with other values than those in the notebook."
    return say(neutral, feedback.language) if hidden else ""


def _text(cell_type: str, text: str) -> str:
    if cell_type == "code":
        return sanitize.code(text)
    return sanitize.markdown(text) if cell_type == "markdown" else sanitize.plain(text)


def _outputs(outputs: Sequence[Mapping[str, object]]) -> str:
    return "".join(sanitize.output(each) for each in outputs[:50])
