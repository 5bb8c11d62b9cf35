"""Benchmarks: each runs ours and what it is compared with in one go, interleaved, and prints the ratio."""
