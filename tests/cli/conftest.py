"""Fixtures of the tests of refused commands."""

from support.refusals import closed_port, folder, silent_port

__all__ = ["closed_port", "folder", "silent_port"]
