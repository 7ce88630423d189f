import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import pytest
from sqlalchemy import func, select

from hub.clock import ManualClock
from hub.cohorts.errors import (
    PasswordIsNameError,
    PasswordTooLongError,
    PasswordTooShortError,
    PasswordTooSimpleError,
    ThrottledError,
    WrongPasswordError,
)
from hub.cohorts.service import CohortService
from hub.cohorts.tables import sign_in_attempts
from hub.database import Database
from hub.errors import NotActiveError
from tests.hub.cohorts.conftest import PASSWORD, give_password


@pytest.fixture
def lin(filled: CohortService) -> CohortService:
    give_password(filled, "lin.na")
    return filled


def test_the_right_password_signs_in_whatever_the_case_of_the_name(lin: CohortService) -> None:
    person = lin.sign_ins.sign_in(" Lin.Na ", PASSWORD, "zh-CN")
    assert (person.name, person.language) == ("lin.na", "zh-CN")
    assert person.last_sign_in_at is not None
    assert lin.sign_ins.sign_in("lin.na", PASSWORD, "en").language == "zh-CN"


def test_the_same_password_composed_differently_is_the_same_password(filled: CohortService) -> None:
    give_password(filled, "lea", "caf\u00e9 au lait noir")
    assert filled.sign_ins.sign_in("lea", "cafe\u0301 au lait noir").name == "lea"


@pytest.mark.parametrize(("name", "password"), [
    ("lin.na", "wrong"), ("lin.na", ""), ("lin.na", "\ud800"), ("lin.na", "x" * 100_000), ("nobody", PASSWORD),
    ("lea", PASSWORD), ("", ""), ("😀", "x"), ("\ud800", "x"), ("a\x00", "x"), ("../..", "x"), ("x" * 300, "x"),
])  # fmt: skip
def test_anything_else_is_wrong_and_does_not_say_why(lin: CohortService, name: str, password: str) -> None:
    with pytest.raises(WrongPasswordError):
        lin.sign_ins.sign_in(name, password)


def test_not_active_is_said_only_after_the_right_password(lin: CohortService) -> None:
    lin.roster.set_active("lin.na", False)
    with pytest.raises(WrongPasswordError):
        lin.sign_ins.sign_in("lin.na", "wrong")
    with pytest.raises(NotActiveError):
        lin.sign_ins.sign_in("lin.na", PASSWORD)


@pytest.mark.parametrize("name", ["lin.na", "nobody"])
def test_the_sixth_failure_waits_and_so_does_the_right_password(
    lin: CohortService, clock: ManualClock, name: str
) -> None:
    for _ in range(5):
        with pytest.raises(WrongPasswordError):
            lin.sign_ins.sign_in(name, "wrong")
    with pytest.raises(ThrottledError, match="Wait 5 seconds") as refused:
        lin.sign_ins.sign_in(name, PASSWORD)
    assert refused.value.wait_s == 5
    clock.advance(5)
    with pytest.raises(WrongPasswordError):
        lin.sign_ins.sign_in(name, "wrong")
    with pytest.raises(ThrottledError, match="Wait 10 seconds"):
        lin.sign_ins.sign_in(name, PASSWORD)


def test_success_and_a_reset_link_both_clear_the_count(lin: CohortService) -> None:
    for _ in range(4):
        with pytest.raises(WrongPasswordError):
            lin.sign_ins.sign_in("lin.na", "wrong")
    lin.sign_ins.sign_in("lin.na", PASSWORD)
    for _ in range(5):
        with pytest.raises(WrongPasswordError):
            lin.sign_ins.sign_in("lin.na", "wrong")
    give_password(lin, "lin.na", "another good one")
    assert lin.sign_ins.sign_in("lin.na", "another good one").name == "lin.na"


def test_a_clock_that_goes_back_a_year_costs_one_wait(lin: CohortService, clock: ManualClock) -> None:
    for _ in range(5):
        with pytest.raises(WrongPasswordError):
            lin.sign_ins.sign_in("lin.na", "wrong")
    clock.step_wall(-365 * 86_400)
    with pytest.raises(ThrottledError):
        lin.sign_ins.sign_in("lin.na", PASSWORD)
    clock.advance(5)
    assert lin.sign_ins.sign_in("lin.na", PASSWORD).name == "lin.na"


def test_of_many_guesses_at_the_same_instant_only_the_free_ones_are_looked_at(lin: CohortService) -> None:
    def attempt(_: int) -> type[Exception]:
        with pytest.raises((WrongPasswordError, ThrottledError)) as refused:
            lin.sign_ins.sign_in("lin.na", "wrong")
        return refused.type

    with ThreadPoolExecutor(10) as threads:
        kinds = list(threads.map(attempt, range(40)))
    assert kinds.count(WrongPasswordError) == 5
    assert kinds.count(ThrottledError) == 35


def test_ten_thousand_attempts_on_one_account_cost_little(lin: CohortService, database: Database) -> None:
    if database.engine.dialect.name != "sqlite":
        pytest.skip("measured once, on SQLite")
    began = time.process_time()
    refused = 0
    for _ in range(10_000):
        try:
            lin.sign_ins.sign_in("lin.na", "wrong")
        except ThrottledError:
            refused += 1
        except WrongPasswordError:
            pass
    cpu_s = time.process_time() - began
    assert refused == 9_995
    assert cpu_s < 60, f"{cpu_s:.1f} s; hashing all of them would take about 200 s"


def test_inventing_names_fills_a_bounded_number_of_rows(lin: CohortService, database: Database) -> None:
    for number in range(20):
        with pytest.raises(WrongPasswordError):
            lin.sign_ins.sign_in(f"invented{number}", "x")
    with database.reading() as connection:
        rows = connection.execute(select(func.count()).select_from(sign_in_attempts)).scalar_one()
    assert rows <= 20


def test_an_unknown_name_takes_as_long_as_a_known_one(lin: CohortService, clock: ManualClock) -> None:
    def seconds(name: str) -> float:
        began = time.perf_counter()
        with pytest.raises(WrongPasswordError):
            lin.sign_ins.sign_in(name, "wrong")
        return time.perf_counter() - began

    known, unknown = [], []
    for number in range(15):
        clock.advance(90_000)
        known.append(seconds("lin.na"))
        unknown.append(seconds(f"nobody{number}"))
    assert 0.6 < median(known) / median(unknown) < 1.7


@pytest.mark.parametrize(("password", "refusal"), [
    ("", PasswordTooShortError), ("short", PasswordTooShortError), ("x" * 257, PasswordTooLongError),
    ("Lin.Na", PasswordTooShortError), ("aaaaaaaaaaab", PasswordTooSimpleError),
])  # fmt: skip
def test_a_weak_password_is_refused_and_the_link_can_be_used_again(
    filled: CohortService, password: str, refusal: type[Exception]
) -> None:
    token = filled.invitations.issue("lin.na").token
    with pytest.raises(refusal):
        filled.invitations.redeem(token, password)
    assert filled.invitations.redeem(token, PASSWORD).name == "lin.na"


def test_the_user_name_is_no_password(filled: CohortService) -> None:
    from hub.cohorts.model import Role

    filled.roster.add_person("maria.silva", "Maria", "spring", Role.LEARNER)
    with pytest.raises(PasswordIsNameError):
        give_password(filled, "maria.silva", "Maria.Silva")


def test_changing_the_password_needs_the_old_one_and_ends_every_session(lin: CohortService) -> None:
    person = lin.roster.person("lin.na")
    session_id = lin.sessions.open(person, "hub-token")
    with pytest.raises(WrongPasswordError):
        lin.sign_ins.change_password(person, "wrong", "another good one")
    assert lin.sessions.find(session_id) is not None
    lin.sign_ins.change_password(person, PASSWORD, "another good one")
    assert lin.sessions.find(session_id) is None
    assert lin.roster.person("lin.na").credentials_version == person.credentials_version + 1
    with pytest.raises(WrongPasswordError):
        lin.sign_ins.sign_in("lin.na", PASSWORD)
    assert lin.sign_ins.sign_in("lin.na", "another good one").name == "lin.na"
