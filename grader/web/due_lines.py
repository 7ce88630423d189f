"""What the `practicum` service's home page says beside each lesson: when it is due, and how far its reader has come."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from grader.overview import Entry, State
from grader.people import PeopleUnreachableError, Person
from grader.web.access import DeskOf, practicum_only
from grader.web.dates import in_words, written
from grader.web.desk import HOME
from grader.web.learner_pages import address_of
from hub.web.errors import RequestInvalidError
from hub.web.i18n import Translator

router = APIRouter(prefix=f"{HOME}api/v1", tags=["home page"], dependencies=[Depends(practicum_only)])


class DueLine(BaseModel):
    """One assignment."""

    course: str
    assignment: str
    text: str = Field(description="Plain text in the language asked for.")
    url: str = Field(description="Path of its page.")


class DueLines(BaseModel):
    """Everything released to somebody."""

    lines: list[DueLine]


@router.post("/people/{name}/due-lines")
async def read_due_lines(
    name: str, request: Request, desk: DeskOf, language: Annotated[str, Query(max_length=20)] = "en"
) -> DueLines:
    """The lines for somebody whom the body describes, as the roster API does: so nobody has to be asked back."""
    try:
        body = await request.json()
    except ValueError as exc:
        raise RequestInvalidError from exc
    if not isinstance(body, Mapping) or body.get("name") != name:
        raise RequestInvalidError
    try:
        person = Person.from_json(body)
    except PeopleUnreachableError as exc:
        raise RequestInvalidError from exc
    entries = await to_thread.run_sync(desk.overview.of, person)
    translator, now = desk.renderer.translator_of(language), desk.grading.clock.now()
    return DueLines(
        lines=[
            DueLine(
                course=entry.work.course,
                assignment=entry.work.assignment,
                text=line_of(entry, translator, desk.zone, now),
                url=address_of(entry.work.course, entry.work.assignment),
            )
            for entry in entries
        ]
    )


def line_of(entry: Entry, translator: Translator, zone: ZoneInfo, now: datetime) -> str:
    """What matters now: the score once there is one, otherwise the state and how long there is."""
    _ = translator.gettext
    if entry.state is State.FEEDBACK and entry.released is not None:
        fields = {"earned": f"{entry.released.score:g}", "possible": f"{entry.released.max_score:g}"}
        return _("Feedback is here: %(earned)s of %(possible)s points") % fields
    if entry.state is not State.NEW:
        return _("Submitted")
    if entry.terms.due_at is None:
        return _("No due date")
    fields = {
        "when": written(entry.terms.due_at.astimezone(zone), translator.language, now),
        "away": in_words(entry.terms.due_at - now, translator),
    }
    return _("Due %(when)s · %(away)s") % fields
