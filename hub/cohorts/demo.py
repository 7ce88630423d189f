"""A small cohort to look around in: who is in it, and one invitation link for each."""

from collections.abc import Sequence
from dataclasses import dataclass

from hub.cohorts.model import IssuedLink, Role
from hub.cohorts.service import CohortService

COHORT = "demo"

PEOPLE = (
    ("chen.min", "陈敏 Chen Min", Role.ADMINISTRATOR, ""),
    ("zhao.yun", "赵云 Zhao Yun", Role.INSTRUCTOR, ""),
    ("lin.na", "林娜 Lin Na", Role.LEARNER, "青禾数据 Qinghe Data"),
    ("wang.wei", "王伟 Wang Wei", Role.LEARNER, "青禾数据 Qinghe Data"),
    ("maria.silva", "Maria Silva", Role.LEARNER, "Silva & Filhos"),
)
"""Name, shown name, role, and the organisation that sends them."""


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Somebody of the demo cohort and the link they sign in by first."""

    name: str
    display_name: str
    role: Role
    invitation: IssuedLink


def make_demo(service: CohortService, courses: Sequence[str]) -> tuple[DemoPerson, ...]:
    """The demo cohort's people with fresh invitations; empty, and nothing done, where anybody is on the roster."""
    if not service.roster.is_empty():
        return ()
    service.roster.add_cohort(COHORT, "Demo", courses)
    made = []
    for name, display_name, role, organisation in PEOPLE:
        service.roster.add_person(name, display_name, COHORT, role, organisation=organisation)
        made.append(DemoPerson(name, display_name, role, service.invitations.issue(name)))
    return tuple(made)
