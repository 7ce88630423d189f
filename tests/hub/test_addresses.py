import json
from pathlib import Path

import pytest

from hub.addresses import load_or_choose_addresses
from hub.errors import StateError


def test_ports_are_chosen_once_and_differ(tmp_path: Path) -> None:
    path = tmp_path / "addresses.json"
    chosen = load_or_choose_addresses(path)
    assert len({chosen.hub, chosen.practicum, chosen.proxy_api, chosen.grader}) == 4
    assert load_or_choose_addresses(path) == chosen


def test_a_port_an_older_version_did_not_know_is_added_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "addresses.json"
    path.write_text(json.dumps({"hub": 20_001, "practicum": 20_002, "proxy_api": 20_003}), encoding="utf-8")
    found = load_or_choose_addresses(path)
    assert (found.hub, found.practicum, found.proxy_api) == (20_001, 20_002, 20_003)
    assert load_or_choose_addresses(path) == found


@pytest.mark.parametrize("text", ["", "[]", '{"hub": "x"}', '{"hub": 1, "warp": 2}', "{"])
def test_a_damaged_file_is_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "addresses.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StateError, match="is damaged; delete it"):
        load_or_choose_addresses(path)
