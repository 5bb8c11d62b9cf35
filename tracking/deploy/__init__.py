"""Hands a model over: the folder of an export, and what checks its files in their own runtimes."""
