"""A centre that an operator has configured otherwise: PostgreSQL, another authenticator, mistakes in settings.yaml."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from tests.centre import Centre, running_centre
from tests.postgres import PostgresServer, postgres
from tests.visitor import Notebook, Visitor

__all__ = ["postgres"]

pytestmark = pytest.mark.timeout(240)


def write_settings(state_dir: Path, **settings: object) -> None:
    state_dir.mkdir(mode=0o700, exist_ok=True)
    (state_dir / "settings.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


@pytest.fixture
def on_postgres(tmp_path: Path, postgres: PostgresServer) -> Iterator[Centre]:
    hub_url, practicum_url = postgres.new_databases(2)
    write_settings(tmp_path / "state", database={"hub_url": hub_url, "practicum_url": practicum_url})
    with running_centre(tmp_path / "state") as centre:
        yield centre


def test_a_learner_works_on_postgresql_and_comes_back(on_postgres: Centre) -> None:
    centre = on_postgres
    with closing(Visitor(centre.url)) as learner:
        check_work_on_postgresql(centre, learner)


def check_work_on_postgresql(centre: Centre, learner: Visitor) -> None:
    learner.redeem(centre.invitations["lin.na"])
    learner.sign_in("lin.na")
    learner.start_server("lin.na")
    with closing(Notebook(centre.url, "lin.na", learner.server_token("lin.na"))) as notebook:
        assert notebook.run("print(6 * 7)") == "42"
    assert not list((centre.state_dir / "db").glob("jupyterhub.sqlite*")), "nothing may lie in SQLite as well"
    assert not list((centre.state_dir / "db").glob("practicum.sqlite*"))
    centre.stop()
    centre.start()
    assert "/services/practicum/" in str(learner.http.get("/").url)
    assert "lin.na" not in centre.invitations, "the demo cohort is made once"


@pytest.fixture
def with_dummy_sign_in(tmp_path: Path) -> Iterator[Centre]:
    """JupyterHub's own dummy authenticator stands for OAuth or LTI: it vouches for whoever knows one password."""
    write_settings(tmp_path / "state", authenticator={"name": "dummy", "config": {"password": "from elsewhere"}})
    with running_centre(tmp_path / "state") as centre:
        yield centre


def test_another_authenticator_vouches_but_the_roster_decides(with_dummy_sign_in: Centre) -> None:
    centre = with_dummy_sign_in
    with closing(Visitor(centre.url)) as learner:
        home = learner.sign_in("lin.na", "from elsewhere")
    assert home.status_code == 200
    assert "Lin Na" in home.text
    with closing(Visitor(centre.url)) as mallory:
        stranger = mallory.sign_in("mallory", "from elsewhere")
    assert stranger.status_code == 403
    assert "You are not on this centre&#39;s roster" in stranger.text
