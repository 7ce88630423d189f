"""A centre without a sandbox: root is refused; an ordinary user gets one, with a banner that does not go away."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from hub.state import StateDir
from hub.supervisor.servers import running_uncontained
from tests.centre import free_port, running_centre
from tests.ordinary_user import pytest_as_ordinary_user
from tests.visitor import Notebook, Visitor

AS_ROOT = os.geteuid() == 0
BANNER = "Learner servers run without a sandbox"

pytestmark = pytest.mark.timeout(240)


@pytest.mark.skipif(not AS_ROOT, reason="about root")
def test_root_is_refused_in_one_line(tmp_path: Path) -> None:
    up = [sys.executable, "-m", "hub.cli", "up", "--port", str(free_port()), "--state-dir", str(tmp_path / "state")]
    done = subprocess.run([*up, "--insecure-no-sandbox"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("Start the centre as an ordinary user instead.")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not AS_ROOT, reason="this is the ordinary user's run")
def test_an_ordinary_user_gets_it() -> None:
    done = pytest_as_ordinary_user(__file__)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(AS_ROOT, reason="root is refused")
def test_a_server_starts_with_its_lesson_and_every_page_says_so(tmp_path: Path) -> None:
    with running_centre(tmp_path / "state", "--insecure-no-sandbox") as centre, closing(Visitor(centre.url)) as learner:
        assert BANNER in learner.http.get("/hub/login").text
        learner.redeem(centre.invitations["lin.na"])
        assert BANNER in learner.sign_in("lin.na").text
        learner.start_server("lin.na")
        with closing(Notebook(centre.url, "lin.na", learner.server_token("lin.na"))) as notebook:
            assert "quality-audit.ipynb" in notebook.run("import os; os.listdir('data-processing/quality-audit')")
        (server,) = running_uncontained(StateDir(centre.state_dir))
    assert not server.is_alive(), "it ends with the centre"
