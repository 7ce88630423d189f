"""The order of a whole run: what takes long begins first, so that processes which share the tests end together."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Journeys, a few tests of up to a minute each, before the thousands that take milliseconds. Otherwise as collected."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/journeys/"))
