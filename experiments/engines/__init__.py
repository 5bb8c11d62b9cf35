"""Engines: what starts workers."""
