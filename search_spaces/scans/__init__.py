"""The kernel `xla` of each cell that has one: a Keras layer that scan.py computes. A file has the name of its cell."""
