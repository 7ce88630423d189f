"""A course as its author describes it in `course.yaml`, checked on reading.

Every text that people see is given per language; a course speaks the languages its title is given in.
"""

import re
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from grader.errors import CourseError, UnknownLessonError

SOURCE_LANGUAGE = "en"
"""Language of source notebooks and of every message id."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=48)]
LanguageTag = Annotated[str, Field(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")]
Text = Annotated[dict[LanguageTag, Annotated[str, Field(min_length=1)]], Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Outcome(_Part):
    """Something a learner can do afterwards, where the occupational standard asks for it, and what measures it."""

    id: Name
    text: Text
    standard: list[str] = Field(min_length=1)
    measured_by: list[str] = Field(min_length=1, description="grade_ids of the cells whose points show it")


class DataFile(_Part):
    """One file of data that travels with a lesson, with everything a lawyer and a careful reader would ask."""

    file: str
    title: Text
    licence: str
    licence_url: str
    source: str
    citation: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    rows: int = Field(ge=0)
    columns: int = Field(ge=1)


class Assignment(_Part):
    """One lesson: a folder under `source/` with one notebook of the same name."""

    name: Name
    title: Text
    summary: Text
    minutes: int = Field(gt=0, description="time a learner should plan")
    outcomes: list[Outcome] = Field(min_length=1)
    data: list[DataFile] = Field(default_factory=list)

    @property
    def notebook(self) -> str:
        return f"{self.name}.ipynb"


class Course(_Part):
    """A course and where it lies."""

    name: Name
    title: Text
    summary: Text
    standard: str = Field(description="code of the occupational standard that outcomes refer to")
    assignments: list[Assignment] = Field(min_length=1)
    root: Path

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(self.title)

    def assignment(self, name: str) -> Assignment:
        """The assignment of that name; raises `UnknownLessonError`."""
        for assignment in self.assignments:
            if assignment.name == name:
                return assignment
        raise UnknownLessonError("The course %(course)s has no assignment %(name)s.", course=self.name, name=name)

    def source_dir(self, assignment: Assignment) -> Path:
        return self.root / "source" / assignment.name

    @model_validator(mode="after")
    def _speaks_every_language_everywhere(self) -> Self:
        if SOURCE_LANGUAGE not in self.title:
            raise ValueError(f"title has no {SOURCE_LANGUAGE} text")
        wanted = set(self.languages)
        for where, text in self._texts():
            if set(text) != wanted:
                raise ValueError(f"{where} must be given in {', '.join(self.languages)}")
        return self

    def _texts(self) -> list[tuple[str, dict[str, str]]]:
        texts = [("summary", self.summary)]
        for assignment in self.assignments:
            texts += [
                (f"{assignment.name} title", assignment.title),
                (f"{assignment.name} summary", assignment.summary),
            ]
            texts += [(f"{assignment.name} outcome {outcome.id}", outcome.text) for outcome in assignment.outcomes]
            texts += [(f"{assignment.name} data {data.file}", data.title) for data in assignment.data]
        return texts


def load_course(root: Path) -> Course:
    """The course described by `root/course.yaml`. Raises `CourseError` with one sentence that names the place."""
    path = root / "course.yaml"
    try:
        described = yaml.safe_load(path.read_text(encoding="utf-8"))
        course = Course.model_validate({**described, "root": root})
    except OSError as exc:
        raise CourseError("%(path)s cannot be read: %(cause)s.", path=path, cause=exc.strerror) from exc
    except (yaml.YAMLError, UnicodeDecodeError, TypeError) as exc:
        raise CourseError("%(path)s is not a YAML file of `key: value` lines.", path=path) from exc
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "course"
        cause = re.sub("^Value error, ", "", first["msg"])
        raise CourseError("%(path)s: %(where)s: %(cause)s.", path=path, where=where, cause=cause) from exc
    if course.name != root.name:
        raise CourseError(
            "%(path)s says the course is %(name)s; rename the folder or the course.", path=path, name=course.name
        )
    return course
