"""Fixtures shared by the tests of the hub package."""

from tests.postgres import postgres, url

__all__ = ["postgres", "url"]
