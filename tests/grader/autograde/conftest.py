"""The sample course and a grader with a real sandbox."""

import pytest

from grader.autograde.containment import Sandboxed
from grader.autograde.grade import Grader
from grader.autograde.run import RunLimits
from tests.grader.autograde.samples import Birds

LIMITS = RunLimits(cell_s=10, total_s=60, memory_mib=512)


@pytest.fixture(scope="session")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Birds:
    return Birds(tmp_path_factory.mktemp("birds"))


@pytest.fixture(scope="session")
def engine() -> Grader:
    return Grader(Sandboxed(LIMITS), LIMITS)
