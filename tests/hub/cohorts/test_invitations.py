from concurrent.futures import ThreadPoolExecutor

import pytest

from hub.clock import ManualClock
from hub.cohorts.demo import make_demo
from hub.cohorts.errors import (
    LinkExpiredError,
    LinkUnknownError,
    LinkUsedError,
    NotPermittedError,
)
from hub.cohorts.model import LinkKind
from hub.cohorts.service import CohortService
from hub.cohorts.tables import invitation
from hub.database import Database
from hub.errors import NotActiveError
from tests.hub.cohorts.conftest import PASSWORD, give_password


def test_a_link_sets_the_password_once(filled: CohortService) -> None:
    link = filled.invitations.issue("lin.na", actor=filled.roster.person("ada"))
    assert link.kind is LinkKind.INVITATION
    assert filled.invitations.read(link.token).display_name == "林娜"
    filled.invitations.redeem(link.token, PASSWORD)
    assert filled.sign_ins.sign_in("lin.na", PASSWORD).has_password
    for use in (lambda: filled.invitations.read(link.token), lambda: filled.invitations.redeem(link.token, PASSWORD)):
        with pytest.raises(LinkUsedError):
            use()


def test_of_two_posts_at_the_same_instant_one_wins(filled: CohortService) -> None:
    token = filled.invitations.issue("lin.na").token
    passwords = [f"{PASSWORD} {number}" for number in range(8)]

    def redeem(password: str) -> str | None:
        try:
            filled.invitations.redeem(token, password)
        except LinkUsedError:
            return None
        return password

    with ThreadPoolExecutor(8) as threads:
        winners = [password for password in threads.map(redeem, passwords) if password]
    assert len(winners) == 1
    assert filled.sign_ins.sign_in("lin.na", winners[0]).name == "lin.na"


def test_a_link_expires(filled: CohortService, clock: ManualClock) -> None:
    token = filled.invitations.issue("lin.na").token
    clock.advance(7 * 86_400 - 1)
    assert filled.invitations.read(token).person_name == "lin.na"
    clock.advance(1)
    with pytest.raises(LinkExpiredError):
        filled.invitations.redeem(token, PASSWORD)


def test_a_new_link_replaces_an_unused_one(filled: CohortService) -> None:
    old, new = filled.invitations.issue("lin.na"), filled.invitations.issue("lin.na")
    with pytest.raises(LinkUnknownError):
        filled.invitations.read(old.token)
    assert filled.invitations.read(new.token).person_name == "lin.na"


def test_a_reset_ends_the_sign_ins_made_with_the_lost_password(filled: CohortService) -> None:
    give_password(filled, "lin.na")
    session_id = filled.sessions.open(filled.roster.person("lin.na"), "hub-token")
    link = filled.invitations.issue("lin.na")
    assert link.kind is LinkKind.RESET
    filled.invitations.redeem(link.token, "another good one")
    assert filled.sessions.find(session_id) is None


@pytest.mark.parametrize("token", ["", "x", "😀", "\ud800", "\x00", "../..", "a" * 10_000])
def test_a_link_of_any_other_shape_is_unknown(filled: CohortService, token: str) -> None:
    with pytest.raises(LinkUnknownError):
        filled.invitations.read(token)


def test_only_who_manages_all_of_a_persons_cohorts_makes_their_link(filled: CohortService) -> None:
    ada = filled.roster.person("ada")
    for name in ("bob", "lea"):
        with pytest.raises(NotPermittedError):
            filled.invitations.issue(name, actor=ada)
    for actor in ("ian", "lin.na"):
        with pytest.raises(NotPermittedError):
            filled.invitations.issue("lin.na", actor=filled.roster.person(actor))


def test_an_inactive_person_can_neither_get_nor_redeem_a_link(filled: CohortService) -> None:
    token = filled.invitations.issue("lin.na").token
    filled.roster.set_active("lin.na", False)
    with pytest.raises(NotActiveError):
        filled.invitations.issue("lin.na")
    with pytest.raises(NotActiveError):
        filled.invitations.redeem(token, PASSWORD)


def test_the_database_holds_no_token_and_repr_shows_none(filled: CohortService, database: Database) -> None:
    link = filled.invitations.issue("lin.na")
    with database.reading() as connection:
        stored = repr(connection.execute(invitation.select()).all())
    assert link.token not in stored
    assert link.token not in repr(link)


def test_the_demo_is_made_once_on_an_empty_roster(service: CohortService) -> None:
    people = make_demo(service, ["data-processing"])
    assert [person.role.value for person in people] == ["administrator", "instructor", "learner", "learner", "learner"]
    assert len({person.invitation.token for person in people}) == 5
    assert service.roster.person("lin.na").courses == ("data-processing",)
    assert make_demo(service, ["data-processing"]) == ()


def test_page_sessions_expire_and_close(filled: CohortService, clock: ManualClock) -> None:
    person = filled.roster.person("lin.na")
    one, two = filled.sessions.open(person, "t1"), filled.sessions.open(person, "t2")
    found = filled.sessions.find(one)
    assert found is not None
    assert (found.person.name, found.hub_token) == ("lin.na", "t1")
    assert "t1" not in repr(found)
    filled.sessions.close(one)
    assert filled.sessions.find(one) is None
    clock.advance(14 * 86_400)
    assert filled.sessions.find(two) is None
    assert filled.sessions.find("\ud800") is None
