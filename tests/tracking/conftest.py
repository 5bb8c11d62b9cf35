"""Fixtures of the tests that write journals by hand, and of those of a server that says nothing."""

from support.desk import client, desk, uri
from support.refusals import silent_port

__all__ = ["client", "desk", "silent_port", "uri"]
