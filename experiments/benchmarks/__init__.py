"""Benchmarks. Each runs ours and its peers in turn, in one command, and prints how they compare."""
