"""The options that say where workers run."""

import argparse
from contextlib import nullcontext
from typing import TYPE_CHECKING

from experiments.system.console import console, waiting

if TYPE_CHECKING:
    from experiments.launcher.engine import Where


def add_engine(parser: argparse.ArgumentParser, what: str) -> None:
    """Adds --workers, --workers-per-gpu, --engine and --address.

    Args:
        what: the processes do, for example "run trials".
    """
    text = (
        f"processes that {what}; auto: one per GPU, else one per core, as memory allows, or all of a cluster"
        " (default: auto)"
    )
    parser.add_argument("--workers", metavar="N", default="auto", help=text)
    text = "workers that share a GPU, each with a part of its memory (default: 1)"
    parser.add_argument("--workers-per-gpu", metavar="N", default="1", help=text)
    text = "where workers run: local, or ray for the nodes of a Ray cluster; see docs/cluster.md (default: local)"
    parser.add_argument("--engine", metavar="NAME", default="local", help=text)
    text = "HOST:PORT of the head of the Ray cluster (default: none)"
    parser.add_argument("--address", metavar="HOST:PORT", help=text)


def chosen(parsed: argparse.Namespace) -> "Where":
    """Where the workers of a command run. It connects to the cluster. Raises BadInput."""
    from experiments.launcher.engine import where

    with waiting(console(), "connecting to the cluster ...") if parsed.address else nullcontext():
        return where(parsed.engine, parsed.address, parsed.workers, parsed.workers_per_gpu)
