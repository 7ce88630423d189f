"""Which assignments are released, to whom and until when; extensions; what learners are called."""

import json
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from grader.exchange.terms import Terms
from grader.store.model import Extension, Offer, Work
from grader.store.tables import extension, learner, offer


class Offers:
    """One per course and assignment; releasing again changes its terms."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, new: Offer) -> None:
        """Store or replace the offer."""
        self.remove(new.course, new.assignment)
        self._connection.execute(
            insert(offer).values(
                course=new.course,
                assignment=new.assignment,
                cohorts=None if new.cohorts is None else json.dumps(new.cohorts),
                due_at=new.terms.due_at,
                grace_s=new.terms.grace.total_seconds(),
                closes_at=new.terms.closes_at,
                attempts=new.terms.attempts,
                late_percent=new.late_percent,
                offered_by=new.offered_by,
                offered_at=new.offered_at,
            )
        )

    def get(self, course: str, assignment: str) -> Offer | None:
        row = self._connection.execute(
            select(offer).where(offer.c.course == course, offer.c.assignment == assignment)
        ).first()
        return None if row is None else _offer(row)

    def of_courses(self, courses: tuple[str, ...]) -> list[Offer]:
        """Every offer of these courses, by course, what is due first first."""
        statement = select(offer).where(offer.c.course.in_(courses))
        found = [_offer(row) for row in self._connection.execute(statement)]
        return sorted(
            found, key=lambda each: (each.course, each.terms.due_at is None, each.terms.due_at, each.assignment)
        )

    def remove(self, course: str, assignment: str) -> None:
        self._connection.execute(delete(offer).where(offer.c.course == course, offer.c.assignment == assignment))


class Extensions:
    """More time for single learners."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, new: Extension) -> None:
        """Store or replace a learner's; one of no time is taken away."""
        mine = (
            extension.c.course == new.work.course,
            extension.c.assignment == new.work.assignment,
            extension.c.learner == new.work.learner,
        )
        self._connection.execute(delete(extension).where(*mine))
        if new.by:
            self._connection.execute(
                insert(extension).values(
                    course=new.work.course,
                    assignment=new.work.assignment,
                    learner=new.work.learner,
                    seconds=new.by.total_seconds(),
                    given_by=new.given_by,
                    given_at=new.given_at,
                )
            )

    def get(self, work: Work) -> Extension | None:
        row = self._connection.execute(
            select(extension).where(
                extension.c.course == work.course,
                extension.c.assignment == work.assignment,
                extension.c.learner == work.learner,
            )
        ).first()
        return None if row is None else _extension(row)

    def of_assignment(self, course: str, assignment: str) -> dict[str, Extension]:
        """By learner."""
        statement = select(extension).where(extension.c.course == course, extension.c.assignment == assignment)
        return {row.learner: _extension(row) for row in self._connection.execute(statement)}

    def of_learner(self, name: str) -> dict[tuple[str, str], Extension]:
        """By (course, assignment)."""
        rows = self._connection.execute(select(extension).where(extension.c.learner == name))
        return {(row.course, row.assignment): _extension(row) for row in rows}


class Learners:
    """What learners are called, as it was when they were last here."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def display_name(self, name: str) -> str | None:
        found: str | None = self._connection.execute(
            select(learner.c.display_name).where(learner.c.name == name)
        ).scalar()
        return found

    def all(self) -> dict[str, str]:
        """By user name."""
        return {row.name: row.display_name for row in self._connection.execute(select(learner))}

    def put(self, name: str, display_name: str) -> None:
        """Store or replace one."""
        changed = self._connection.execute(
            update(learner).where(learner.c.name == name).values(display_name=display_name[:200])
        )
        if not changed.rowcount:
            self._connection.execute(insert(learner).values(name=name, display_name=display_name[:200]))


def _offer(row: Row[Any]) -> Offer:
    return Offer(
        course=row.course,
        assignment=row.assignment,
        cohorts=None if row.cohorts is None else tuple(json.loads(row.cohorts)),
        terms=Terms(row.due_at, timedelta(seconds=row.grace_s), row.closes_at, row.attempts),
        late_percent=row.late_percent,
        offered_by=row.offered_by,
        offered_at=row.offered_at,
    )


def _extension(row: Row[Any]) -> Extension:
    work = Work(row.course, row.assignment, row.learner)
    return Extension(work, timedelta(seconds=row.seconds), row.given_by, row.given_at)
