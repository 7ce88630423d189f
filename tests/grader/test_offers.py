"""Releasing assignments: terms, extensions, penalties, on SQLite and PostgreSQL."""

from datetime import UTC, datetime, timedelta

import pytest

from grader.exchange.terms import Terms
from grader.offers import (
    DeadlinesCrossedError,
    NotOfferedError,
    OfferRules,
    OfferService,
    TooLongError,
)
from grader.store.model import Work
from hub.clock import ManualClock
from hub.database import Database

DUE = datetime(2026, 9, 15, 15, 59, tzinfo=UTC)
LIN = Work("birds", "weigh", "lin.na")


@pytest.fixture
def offers(both: Database) -> OfferService:
    return OfferService(both, ManualClock())


def test_an_offer_comes_back_as_it_was_given(offers: OfferService) -> None:
    terms = Terms(DUE, timedelta(minutes=15), DUE + timedelta(days=3), attempts=5)
    made = offers.put("birds", "weigh", terms, offered_by="ian", cohorts=["spring"], late_percent=10)
    assert offers.find("birds", "weigh") == made
    assert made.is_for(["spring", "autumn"])
    assert not made.is_for(["autumn"])
    assert not made.is_for([])
    assert offers.of_courses(["birds", "fish"]) == [made]
    assert offers.find("birds", "sing") is None


def test_releasing_again_changes_the_terms(offers: OfferService) -> None:
    offers.put("birds", "weigh", Terms(DUE), offered_by="ian")
    offers.put("birds", "weigh", Terms(), offered_by="ian")
    assert [each.terms for each in offers.of_courses(["birds"])] == [Terms()]
    assert not offers.put_if_new("birds", "weigh", Terms(DUE), offered_by="practicum")
    assert offers.put_if_new("birds", "sing", Terms(DUE), offered_by="practicum")


def test_closing_before_the_deadline_is_refused(offers: OfferService) -> None:
    with pytest.raises(DeadlinesCrossedError, match="closes before it is due"):
        offers.put("birds", "weigh", Terms(DUE, closes_at=DUE - timedelta(seconds=1)), offered_by="ian")
    assert offers.find("birds", "weigh") is None


def test_a_release_nobody_answered_can_be_taken_back(offers: OfferService) -> None:
    offers.put("birds", "weigh", Terms(DUE), offered_by="ian")
    offers.take_back("birds", "weigh")
    assert offers.find("birds", "weigh") is None


def test_an_extension_moves_one_learners_deadlines_and_nobody_elses(offers: OfferService, both: Database) -> None:
    offers.put("birds", "weigh", Terms(DUE, closes_at=DUE + timedelta(days=1)), offered_by="ian")
    offers.extend(LIN, timedelta(hours=36), given_by="ian")
    rules = OfferRules(both)
    assert rules.terms(LIN) == Terms(DUE, closes_at=DUE + timedelta(days=1)).extended(timedelta(hours=36))
    assert rules.terms(Work("birds", "weigh", "wang.wei")).due_at == DUE == rules.due_at("birds", "weigh")
    offers.extend(LIN, timedelta(), given_by="ian")
    assert rules.terms(LIN).due_at == DUE
    assert offers.extension(LIN) == timedelta()


@pytest.mark.parametrize("by", [timedelta(seconds=-1), timedelta(days=367)])
def test_an_extension_has_bounds(offers: OfferService, by: timedelta) -> None:
    offers.put("birds", "weigh", Terms(DUE), offered_by="ian")
    with pytest.raises(TooLongError):
        offers.extend(LIN, by, given_by="ian")


def test_only_what_is_released_can_be_extended(offers: OfferService) -> None:
    with pytest.raises(NotOfferedError):
        offers.extend(LIN, timedelta(hours=1), given_by="ian")


@pytest.mark.parametrize(("seconds_late", "taken"), [(1, 1.0), (86_400, 1.0), (86_401, 2.0)])
def test_every_begun_day_costs_its_percentage(
    offers: OfferService, both: Database, seconds_late: float, taken: float
) -> None:
    offers.put("birds", "weigh", Terms(DUE), offered_by="ian", late_percent=10)
    rules = OfferRules(both)
    assert rules.penalty(LIN, score=8, max_score=10, seconds_late=seconds_late) == pytest.approx(taken)
    assert rules.penalty(Work("birds", "sing", "lin.na"), score=8, max_score=10, seconds_late=1) == 0


def test_names_are_kept_and_follow_the_person(offers: OfferService, both: Database) -> None:
    assert OfferRules(both).display_name("lin.na") is None
    offers.remember_learner("lin.na", "林娜")
    offers.remember_learner("lin.na", "林娜 Lin Na")
    assert OfferRules(both).display_name("lin.na") == "林娜 Lin Na"
