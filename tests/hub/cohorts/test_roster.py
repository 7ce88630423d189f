import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hub.cohorts.errors import (
    CohortTakenError,
    NameTakenError,
    NotPermittedError,
    SelfDeactivationError,
    UidsExhaustedError,
    UnknownCohortError,
    UnknownPersonError,
)
from hub.cohorts.lessons import CourseShelf
from hub.cohorts.model import Role
from hub.cohorts.service import CohortService
from hub.errors import NotActiveError


def test_a_new_person_has_the_role_and_the_groups_of_the_cohorts_courses(filled: CohortService) -> None:
    assert filled.roster.person("lin.na").roles == ("learner",)
    assert filled.roster.person("lin.na").groups == ("nbgrader-data-processing",)
    assert filled.roster.person("ian").groups == ("formgrade-data-processing",)
    assert filled.roster.person("ada").groups == ()
    assert filled.roster.person("lin.na").display_name == "林娜"


def test_an_existing_name_is_refused_and_the_person_stays_as_they_were(filled: CohortService) -> None:
    bob = filled.roster.person("bob")
    with pytest.raises(NameTakenError, match=r"lin\.na is taken"):
        filled.roster.add_person("lin.na", "Somebody else", "autumn", Role.LEARNER, actor=bob)
    assert filled.roster.person("lin.na").display_name == "林娜"
    with pytest.raises(CohortTakenError):
        filled.roster.add_cohort("spring", "Again")


def test_an_administrator_adds_to_own_cohorts_only(filled: CohortService) -> None:
    ada = filled.roster.person("ada")
    filled.roster.add_person("new", "New", "spring", Role.LEARNER, actor=ada)
    with pytest.raises(UnknownCohortError):
        filled.roster.add_person("other", "Other", "autumn", Role.LEARNER, actor=ada)
    with pytest.raises(UnknownPersonError):
        filled.roster.person("other")


def test_an_administrator_sees_and_manages_the_people_of_own_cohorts_only(filled: CohortService) -> None:
    ada, operator = filled.roster.person("ada"), filled.roster.add_operator("olga", "Olga")
    assert [person.name for person in filled.roster.managed_people(ada)] == ["ada", "ian", "lin.na"]
    assert len(filled.roster.managed_people(operator)) == 6
    assert [cohort.slug for cohort in filled.roster.managed_cohorts(operator)] == ["autumn", "spring"]
    for outsider in ("lea", "bob", "olga"):
        assert not ada.may_manage(filled.roster.person(outsider))
        with pytest.raises(NotPermittedError):
            filled.roster.set_active(outsider, False, actor=ada)
    for role in ("ian", "lin.na"):
        with pytest.raises(NotPermittedError):
            filled.roster.managed_people(filled.roster.person(role))


def test_deactivation_refuses_a_server_and_activation_allows_it_again(filled: CohortService) -> None:
    ada = filled.roster.person("ada")
    before = filled.roster.person("lin.na").credentials_version
    assert filled.roster.set_active("lin.na", False, actor=ada).credentials_version == before + 1
    with pytest.raises(NotActiveError):
        filled.roster.plan_server("lin.na")
    filled.roster.set_active("lin.na", True, actor=ada)
    assert filled.roster.plan_server("lin.na").name == "lin.na"
    with pytest.raises(SelfDeactivationError):
        filled.roster.set_active("ada", False, actor=ada)


def test_a_uid_is_given_once_and_never_again_even_after_deletion(filled: CohortService) -> None:
    assert filled.roster.plan_server("lin.na").uid == 200_000
    assert filled.roster.plan_server("lin.na").uid == 200_000
    assert filled.roster.plan_server("lea").uid == 200_001
    filled.roster.delete_person("lea")
    filled.roster.add_person("lea", "Another Léa", "autumn", Role.LEARNER)
    assert filled.roster.plan_server("lea").uid == 200_002
    with pytest.raises(UidsExhaustedError):
        filled.roster.plan_server("bob")


def test_uids_asked_for_at_the_same_instant_are_distinct_and_stable(filled: CohortService) -> None:
    names = ["lin.na", "lea", "bob"] * 8
    with ThreadPoolExecutor(12) as threads:
        uids = list(threads.map(lambda name: filled.roster.plan_server(name).uid, names))
    by_name = {name: {uid for other, uid in zip(names, uids, strict=True) if other == name} for name in names}
    assert all(len(found) == 1 for found in by_name.values())
    assert set.union(*by_name.values()) == {200_000, 200_001, 200_002}


def test_the_plan_lists_the_released_lessons_and_follows_the_chosen_language(
    filled: CohortService, tmp_path: Path
) -> None:
    assert filled.roster.plan_server("lin.na").lessons == ()
    for language in ("en", "zh-CN"):
        (tmp_path / "courses/data-processing/release" / language / "quality-audit").mkdir(parents=True)
    (tmp_path / "courses/data-labeling/release/en/first").mkdir(parents=True)
    filled.roster.set_language(filled.roster.person("lin.na"), "zh-CN")
    filled.roster.set_language(filled.roster.person("lin.na"), "xx")
    plan = filled.roster.plan_server("lin.na")
    assert [(lesson.course, lesson.assignment) for lesson in plan.lessons] == [("data-processing", "quality-audit")]
    assert plan.language == "zh-CN"


def test_texts_come_from_the_catalogue_and_a_damaged_one_falls_back_to_the_folder_names(tmp_path: Path) -> None:
    for lesson in ("second", "quality-audit", "unlisted-one", ".hidden"):
        (tmp_path / "c-one/release/en" / lesson).mkdir(parents=True)
    shelf = CourseShelf(tmp_path)
    assert shelf.courses(("c-one",))[0].title("zh-CN") == "C one"
    described = {
        "name": "c-one",
        "title": {"en": "One", "zh-CN": "一"},
        "summary": {"en": "First of all"},
        "assignments": [
            {"name": "quality-audit", "title": {"en": "Audit"}, "minutes": 90, "notebook": "audit.ipynb"},
            {"name": "not-released", "title": {"en": "Later"}},
            {"name": "second", "title": {"en": "Second"}, "notebook": "../../../etc/passwd"},
        ],
    }
    (tmp_path / "catalogue.json").write_text(json.dumps([described]), encoding="utf-8")
    (course,) = shelf.courses(("c-one",))
    assert (course.title("zh-CN"), course.summary("zh-CN")) == ("一", "First of all")
    assert [lesson.title("zh-CN") for lesson in course.lessons] == ["Audit", "Second", "Unlisted one"]
    assert [lesson.notebook for lesson in course.lessons] == ["audit.ipynb", "second.ipynb", "unlisted-one.ipynb"]
    assert course.lessons[0].minutes == 90
    for damage in ("{", "7", '[1, {"name": 2}, {"name": "c-one", "title": 3, "assignments": [7, {"name": 8}]}]'):
        (tmp_path / "catalogue.json").write_text(damage, encoding="utf-8")
        (course,) = shelf.courses(("c-one",))
        assert [lesson.title("en") for lesson in course.lessons] == ["Quality audit", "Second", "Unlisted one"]
    assert shelf.courses(("../c-one",))[0].lessons == ()


@pytest.mark.parametrize("name", ["nobody-here", "", "../x", "a\x00", "😀", "\ud800", "x" * 300])
def test_an_unknown_name_of_any_shape_is_a_refusal(filled: CohortService, name: str) -> None:
    for ask in (filled.roster.person, filled.roster.plan_server, filled.invitations.issue, filled.roster.delete_person):
        with pytest.raises(UnknownPersonError):
            ask(name)
