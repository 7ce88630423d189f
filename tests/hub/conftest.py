"""Fixtures shared by the tests of the hub package."""

from tests.postgres import postgres

__all__ = ["postgres"]
