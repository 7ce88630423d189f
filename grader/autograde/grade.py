"""One submission from its files to its points. Trusted: reads, rebuilds and counts; runs nothing itself.

What a learner may read of why points were lost comes from a second run that holds no hidden test, and is only made when
points were lost: no message, however clever the code that raised it, can then carry what it never saw.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from grader.autograde.assignment import GradedAssignment, SourceCell, SourceNotebook
from grader.autograde.errors import GradingUnavailableError, UnreadableNotebookError
from grader.autograde.learner_notebook import read_notebook
from grader.autograde.rebuild import Origin, Rebuilt, RebuiltCell, rebuild
from grader.autograde.run import CellOutcome, CellToRun, End, Place, RunLimits, Running, Session
from grader.autograde.scores import explained, points_of, sentence
from grader.store.model import CellResult, Grading, JobStatus, Note, Outcome

_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # SHA-256 of no byte
_MAX_DETAIL = 2000

Choices = Mapping[str, Mapping[str, int]]
"""A person's decisions: notebook -> grade_id -> candidate."""


class Watcher:
    """Told about every runner while it is alive, so that a successor can end it; and asked before each cell."""

    def started(self, running: Running | None) -> None:
        """A runner was started, or has ended (None)."""

    def go_on(self) -> None:
        """Raises whatever should stop the grading, such as a lost lease."""


@dataclass(frozen=True, slots=True)
class Grader:
    """Grades submissions in a place, within limits. Holds no state; one may be used by many threads."""

    place: Place
    limits: RunLimits

    def grade(
        self,
        assignment: GradedAssignment,
        files: Mapping[str, bytes],
        choices: Choices | None = None,
        watcher: Watcher | None = None,
    ) -> Grading:
        """Results of every graded cell, or the reason why a person is needed first.

        `files` are the submission's, by path. Raises `GradingUnavailableError` if nothing could be run.
        """
        choices, watcher = choices or {}, watcher or Watcher()
        try:
            rebuilt = [
                (notebook, _rebuilt(notebook, files, choices.get(notebook.name, {})))
                for notebook in assignment.notebooks
            ]
        except UnreadableNotebookError as exc:
            return Grading(JobStatus.NEEDS_PERSON, reason=exc.code, detail=str(exc), source_sha256=assignment.sha256)
        notes = [note for _, each in rebuilt if each is not None for note in each.notes]
        notes += _strays(assignment, files)
        if questions := [
            (each.name, question) for _, each in rebuilt if each is not None for question in each.questions
        ]:
            detail = "; ".join(f"{name}: {question.grade_id}" for name, question in questions)
            return Grading(
                JobStatus.NEEDS_PERSON,
                notes=tuple(notes),
                reason="ambiguous-answer",
                detail=detail,
                source_sha256=assignment.sha256,
            )
        results: list[CellResult] = []
        messages: list[tuple[str, str, str]] = []
        for notebook, each in rebuilt:
            if each is None:
                notes.append(Note(notebook.name, None, "missing-notebook", "This notebook was not handed in."))
                results += _not_handed_in(notebook)
                continue
            happened, memory_ran_out = self._run(assignment, each.cells, watcher, hidden=True)
            found = _results(notebook, each, happened, memory_ran_out=memory_ran_out)
            results += found
            notes += _doubts(notebook, found)
            messages += self._messages(assignment, notebook, each, happened, watcher)
        return Grading(
            JobStatus.GRADED,
            tuple(results),
            tuple(messages),
            tuple(notes),
            source_sha256=assignment.sha256,
        )

    def _messages(
        self,
        assignment: GradedAssignment,
        notebook: SourceNotebook,
        rebuilt: Rebuilt,
        happened: Mapping[str, CellOutcome],
        watcher: Watcher,
    ) -> list[tuple[str, str, str]]:
        """What the learner may read, by cell; nothing for a cell whose visible part passes."""
        lost = [grade_id for grade_id, outcome in happened.items() if outcome.end is not End.OK]
        if not lost:
            return []
        if notebook.has_hidden_tests:
            happened, _ = self._run(assignment, rebuilt.cells, watcher, hidden=False)
        return [
            (notebook.name, grade_id, _message(happened[grade_id]))
            for grade_id in lost
            if happened[grade_id].end is not End.OK
        ]

    def _run(
        self, assignment: GradedAssignment, cells: Sequence[RebuiltCell], watcher: Watcher, *, hidden: bool
    ) -> tuple[dict[str, CellOutcome], bool]:
        """Outcomes of the test cells by grade_id, and whether memory ran out."""
        happened: dict[str, CellOutcome] = {}
        with Session(self.place, assignment.files, assignment.file_names, self.limits) as session:
            watcher.started(session.running)
            for cell in cells:
                if cell.cell_type != "code":
                    continue
                watcher.go_on()
                source = cell.source if cell.origin is Origin.SOURCE else None
                text = cell.text if hidden or source is None else source.released
                outcome = session.run(CellToRun(text, is_test=source is not None and source.is_test))
                if not session.has_answered:
                    raise GradingUnavailableError(cause="the runner did not come up.")
                if source is not None and source.is_test and source.grade_id is not None:
                    happened[source.grade_id] = outcome
        watcher.started(None)
        return happened, session.memory_ran_out


def _results(
    notebook: SourceNotebook, rebuilt: Rebuilt, happened: Mapping[str, CellOutcome], *, memory_ran_out: bool
) -> list[CellResult]:
    results = []
    for cell in notebook.cells:
        if not cell.is_counted:
            continue
        assert cell.grade_id is not None
        if cell.is_by_hand:
            results.append(_by_hand(notebook.name, cell, rebuilt))
            continue
        outcome = happened[cell.grade_id]
        points, kind = points_of(outcome, cell.points)
        detail = explained(outcome)
        if kind is Outcome.DEAD and memory_ran_out:
            detail = "the memory limit was reached while the cell ran"
        if outcome.line in cell.hidden_lines:
            detail += ", hidden"
        results.append(
            CellResult(notebook.name, cell.grade_id, cell.points, points, kind, detail[:_MAX_DETAIL], _NOTHING)
        )
    return results


def _rebuilt(notebook: SourceNotebook, files: Mapping[str, bytes], choices: Mapping[str, int]) -> Rebuilt | None:
    data = files.get(notebook.file)
    return None if data is None else rebuild(notebook, read_notebook(data, notebook.file), choices)


def _strays(assignment: GradedAssignment, files: Mapping[str, bytes]) -> list[Note]:
    known = assignment.notebook_files
    return [
        Note(
            name.removesuffix(".ipynb")[:128],
            None,
            "unknown-notebook",
            "The assignment has no such notebook; not read.",
        )
        for name in sorted(files)
        if name.endswith(".ipynb") and "/" not in name and name not in known
    ]


def _not_handed_in(notebook: SourceNotebook) -> list[CellResult]:
    return [
        CellResult(notebook.name, cell.grade_id, cell.points, 0.0, Outcome.NO_RESPONSE, "not handed in", _NOTHING)
        for cell in notebook.cells
        if cell.is_counted and cell.grade_id
    ]


def _by_hand(name: str, cell: SourceCell, rebuilt: Rebuilt) -> CellResult:
    assert cell.grade_id is not None
    answer = rebuilt.answers.get(cell.grade_id)
    if answer is None:  # a marked, graded text cell without a solution: nbgrader leaves it to a person too
        return CellResult(name, cell.grade_id, cell.points, None, Outcome.BY_HAND, "", _NOTHING)
    if answer.is_untouched and not cell.is_task:
        return CellResult(name, cell.grade_id, cell.points, 0.0, Outcome.NO_RESPONSE, "no response", answer.sha256)
    return CellResult(name, cell.grade_id, cell.points, None, Outcome.BY_HAND, "", answer.sha256)


def _doubts(notebook: SourceNotebook, results: Iterable[CellResult]) -> list[Note]:
    return [
        Note(
            notebook.name,
            each.grade_id,
            "points-out-of-range",
            f"The test's {each.detail} is not from 0 to {each.max_points:g}; it gave no points.",
            needs_person=True,
        )
        for each in results
        if each.outcome is Outcome.OUT_OF_RANGE
    ]


def _message(happened: CellOutcome) -> str:
    if happened.end is End.TIMEOUT:
        return "This test did not end in time: some code of yours runs for too long or for ever."
    if happened.end in {End.DEAD, End.NOT_RUN}:
        return "Python ended before this test was done: too much memory was used, or the program ended itself."
    return sentence(happened)[:_MAX_DETAIL]
