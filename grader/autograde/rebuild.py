"""The notebook that is run: the instructor's cells in the instructor's order, with the learner's answers put in. Pure.

Rules, in the order they are tried:

1. A cell the instructor marked and that is not an answer (tests, locked cells, tasks) comes from the source, always.
2. An answer is the text of the learner's cell of that `grade_id`. Two of them: equal ones are one; an untouched copy
   does not count; neighbours are a cell that was split, and are joined; anything else a person decides.
3. No cell of that `grade_id`: the answer is empty. If it is graded by hand and the learner wrote cells of the same kind
   in its place, a person decides which of them is meant.
4. Cells the instructor did not mark come from the learner, who may change them. One that is gone comes back, unless a
   cell of the learner's without a home could be its changed version.
5. Cells the learner added are run where they stand: after the marked cell before them. They are learner's code like any
   answer, and may hold an import or a function that an answer needs.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from grader.autograde.assignment import SourceCell, SourceNotebook
from grader.autograde.learner_notebook import LearnerCell
from grader.store.model import Note

NO_ANSWER = -1
"""A person's choice that none of the candidates is the answer."""


class Origin(StrEnum):
    """Whose text a cell of the rebuilt notebook holds."""

    SOURCE = "source"
    ANSWER = "answer"
    LEARNER = "learner"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the learner wrote for one marked cell, after the rules. `cells` are the learner's, for their outputs."""

    text: str
    is_missing: bool
    is_untouched: bool
    cells: tuple[LearnerCell, ...] = ()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode("utf-8")).hexdigest()


@dataclass(frozen=True, slots=True)
class RebuiltCell:
    """One cell of the rebuilt notebook."""

    origin: Origin
    cell_type: str
    text: str
    source: SourceCell | None = None
    learner: LearnerCell | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """A question only a person can answer: which of these texts is the answer?"""

    grade_id: str
    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The notebook to run, the answers by `grade_id`, and what a person should know or decide."""

    name: str
    cells: tuple[RebuiltCell, ...]
    answers: Mapping[str, Answer]
    notes: tuple[Note, ...] = ()
    questions: tuple[Open, ...] = ()


@dataclass(slots=True)
class _Workbench:
    """The learner's cells sorted into what they claim to be and where they stand."""

    source: SourceNotebook
    learner: Sequence[LearnerCell]
    choices: Mapping[str, int]
    claims: dict[str, list[int]] = field(default_factory=dict)
    """Positions of the learner's cells by the grade_id they claim."""
    gaps: dict[int, list[int]] = field(default_factory=dict)
    """Positions of the other cells, by the position in the source of the last marked cell before them."""
    taken: set[int] = field(default_factory=set)
    """Unmarked cells that turned out to be answers."""
    notes: list[Note] = field(default_factory=list)
    questions: list[Open] = field(default_factory=list)
    own_ids: frozenset[str] = frozenset()
    own_texts: frozenset[str] = frozenset()

    def note(self, grade_id: str | None, code: str, detail: str, *, needs_person: bool = False) -> None:
        self.notes.append(Note(self.source.name, grade_id, code, detail, needs_person))

    def is_added(self, index: int) -> bool:
        """Whether an unmarked cell is the learner's own and not one the source has too, moved or not."""
        cell = self.learner[index]
        return cell.cell_id not in self.own_ids and cell.text.strip() not in self.own_texts


def rebuild(
    source: SourceNotebook, learner: Sequence[LearnerCell], choices: Mapping[str, int] | None = None
) -> Rebuilt:
    """The notebook to run. `choices` are a person's answers to earlier questions, by `grade_id`."""
    unmarked = [cell for cell in source.cells if cell.grade_id is None]
    bench = _Workbench(
        source,
        learner,
        choices or {},
        own_ids=frozenset(cell.cell_id for cell in unmarked if cell.cell_id),
        own_texts=frozenset(cell.text.strip() for cell in unmarked),
    )
    _sort(bench)
    answers = {
        cell.grade_id: _answer(bench, position, cell)
        for position, cell in enumerate(source.cells)
        if cell.grade_id and (cell.is_solution or cell.is_task)
    }
    cells = tuple(_assembled(bench, answers))
    return Rebuilt(source.name, cells, answers, tuple(bench.notes), tuple(bench.questions))


def _sort(bench: _Workbench) -> None:
    """Claims by grade_id; every other cell by the position of the last marked cell before it, -1 before the first."""
    marked = {cell.grade_id: position for position, cell in enumerate(bench.source.cells) if cell.grade_id}
    anchor = -1
    for index, cell in enumerate(bench.learner):
        if cell.grade_id in marked:
            anchor = marked[cell.grade_id]
            bench.claims.setdefault(cell.grade_id, []).append(index)
            continue
        if cell.grade_id is not None:
            bench.note(cell.grade_id, "unknown-cell", "The learner's notebook has a marked cell this assignment lacks.")
        bench.gaps.setdefault(anchor, []).append(index)


def _answer(bench: _Workbench, position: int, cell: SourceCell) -> Answer:
    assert cell.grade_id is not None
    if cell.is_task:
        return _work_below(bench, position, cell)
    indexes = bench.claims.get(cell.grade_id, [])
    if not indexes:
        return _missing(bench, position, cell)
    chosen = [bench.learner[index] for index in indexes]
    distinct = {each.text.strip(): each for each in chosen}
    touched = {text: each for text, each in distinct.items() if not _is_untouched(text, cell)}
    if len(distinct) == 1 or len(touched) <= 1:
        best = next(iter((touched or distinct).values()))
        if len(indexes) > 1:
            bench.note(cell.grade_id, "duplicate-cell", "The cell exists more than once; the copies say the same.")
        return _of((best,), cell)
    if indexes == list(range(indexes[0], indexes[0] + len(indexes))):
        bench.note(cell.grade_id, "split-cell", "The cell was split; its parts were put together again.")
        return _of(tuple(chosen), cell)
    candidates = tuple(each.text for each in chosen)
    choice = _choice(bench, cell.grade_id, candidates, "The cell exists more than once with different text.")
    return _of((chosen[choice],) if choice != NO_ANSWER else (), cell)


def _missing(bench: _Workbench, position: int, cell: SourceCell) -> Answer:
    assert cell.grade_id is not None
    nearby = [
        index
        for index in _around(bench, position)
        if bench.is_added(index)
        and bench.learner[index].cell_type == cell.cell_type
        and bench.learner[index].text.strip()
    ]
    if not (cell.is_grade and nearby):
        bench.note(cell.grade_id, "missing-cell", "The cell was deleted; the answer counts as empty.")
        return _of((), cell)
    texts = tuple(bench.learner[index].text for index in nearby)
    choice = _choice(bench, cell.grade_id, texts, "The cell was deleted, but the answer may stand in a cell nearby.")
    if choice == NO_ANSWER:
        return _of((), cell)
    bench.taken.add(nearby[choice])
    return _of((bench.learner[nearby[choice]],), cell)


def _around(bench: _Workbench, position: int) -> list[int]:
    """Unmarked cells of the learner between the marked cells before and after `position`."""
    before = [at for at in range(position) if bench.source.cells[at].grade_id in bench.claims]
    first = before[-1] if before else -1
    return [index for at in range(first, position + 1) for index in bench.gaps.get(at, [])]


def _work_below(bench: _Workbench, position: int, cell: SourceCell) -> Answer:
    """What a learner adds below a task is the answer to it: everything up to the next marked cell."""
    cells = tuple(bench.learner[index] for index in bench.gaps.get(position, []) if bench.is_added(index))
    text = "\n\n".join(each.text for each in cells)
    return Answer(text, is_missing=not cells, is_untouched=not text.strip(), cells=cells)


def _choice(bench: _Workbench, grade_id: str, candidates: tuple[str, ...], detail: str) -> int:
    """What a person chose, or the last candidate, as nbgrader takes it, with the question still open."""
    choice = bench.choices.get(grade_id)
    if choice is not None and NO_ANSWER <= choice < len(candidates):
        bench.note(grade_id, "chosen-cell", "An instructor decided which text is the answer.")
        return choice
    bench.note(grade_id, "ambiguous-cell", detail, needs_person=True)
    bench.questions.append(Open(grade_id, candidates))
    return len(candidates) - 1


def _of(cells: tuple[LearnerCell, ...], cell: SourceCell) -> Answer:
    text = ("\n" if cell.cell_type == "code" else "\n\n").join(each.text for each in cells)
    return Answer(text, is_missing=not cells, is_untouched=_is_untouched(text, cell), cells=cells)


def _is_untouched(text: str, cell: SourceCell) -> bool:
    return not text.strip() or any(text.strip() == stub.strip() for stub in cell.stubs)


def _assembled(bench: _Workbench, answers: Mapping[str, Answer]) -> list[RebuiltCell]:
    cells = _gap(bench, -1)
    for position, cell in enumerate(bench.source.cells):
        if cell.grade_id is None:
            continue
        answer = answers.get(cell.grade_id)
        if answer is not None and not cell.is_task:
            if not answer.is_missing:
                text, first = answer.text, answer.cells[0]
                cells.append(RebuiltCell(Origin.ANSWER, cell.cell_type, text, cell, first))
        else:
            cells.append(RebuiltCell(Origin.SOURCE, cell.cell_type, cell.text, cell))
        cells += _gap(bench, position)
    return cells


def _gap(bench: _Workbench, anchor: int) -> list[RebuiltCell]:
    """The unmarked cells after a marked one: the learner's as they stand, before them those that got lost."""
    indexes = [index for index in bench.gaps.get(anchor, []) if index not in bench.taken]
    theirs = [bench.learner[index] for index in indexes]
    everywhere = {each.cell_id for each in bench.learner}
    texts = [each.text.strip() for each in theirs]
    lost = []
    for cell in _unmarked_after(bench.source, anchor):
        if cell.text.strip() in texts:
            texts.remove(cell.text.strip())
        elif not cell.cell_id or cell.cell_id not in everywhere:
            lost.append(cell)
    for index in indexes:
        # Each cell without a home may be the changed version of one that seems lost.
        maybe = next((cell for cell in lost if cell.cell_type == bench.learner[index].cell_type), None)
        if maybe is not None and bench.is_added(index):
            lost.remove(maybe)
    restored = [RebuiltCell(Origin.SOURCE, cell.cell_type, cell.text, cell) for cell in lost]
    return restored + [_unmarked(bench, each) for each in theirs]


def _unmarked(bench: _Workbench, cell: LearnerCell) -> RebuiltCell:
    """An unmarked cell of the learner's notebook: the source's own where nothing was changed."""
    same = (each for each in bench.source.cells if each.grade_id is None and each.text.strip() == cell.text.strip())
    source = next((each for each in same if each.cell_type == cell.cell_type), None)
    origin = Origin.LEARNER if source is None else Origin.SOURCE
    return RebuiltCell(origin, cell.cell_type, cell.text, source, cell)


def _unmarked_after(source: SourceNotebook, anchor: int) -> list[SourceCell]:
    found = []
    for cell in source.cells[anchor + 1 :]:
        if cell.grade_id is not None:
            break
        found.append(cell)
    return found
