"""Fixtures of the tests that write journals by hand."""

from support.desk import client, desk, uri

__all__ = ["client", "desk", "uri"]
