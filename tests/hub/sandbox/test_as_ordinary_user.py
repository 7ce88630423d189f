"""Run by root, everything in this directory runs once more as an ordinary user."""

import sys
from pathlib import Path

import pytest

from tests.hub.sandbox.conftest import AS_ROOT
from tests.ordinary_user import pytest_as_ordinary_user


@pytest.mark.skipif(not AS_ROOT, reason="this is the ordinary user's run")
@pytest.mark.timeout(600)
def test_everything_holds_for_an_ordinary_user_too() -> None:
    done = pytest_as_ordinary_user(str(Path(__file__).parent), f"--ignore={__file__}")
    sys.stdout.write(done.stdout)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
