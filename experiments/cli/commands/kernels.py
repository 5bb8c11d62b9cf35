"""Measure how fast each kernel is on this machine. It takes three to four minutes."""

import argparse
from typing import Any

from experiments.cli.parsing import wholes
from experiments.system.console import console, waiting
from search_spaces import cells
from tracking.as_json import as_json
from tracking.errors import BadInput

EXAMPLE = "recurrent kernels --cells gru --lengths 100"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cells", metavar="A,B", help=f"cells to measure (default: all: {','.join(cells.searched())})")
    for flag, default, what in (
        ("--lengths", "30,100,200", "time steps of a sequence"),
        ("--widths", "32,128", "units of the layer"),
    ):
        text = f"{what} (default: {default})"
        parser.add_argument(flag, metavar="A,B", type=wholes, default=default, help=text)
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")


def run(parsed: argparse.Namespace) -> int:
    from experiments.cli.tables import kernel_table, show
    from experiments.config.recipes import check_cells
    from experiments.system.quiet import quiet
    from experiments.training import kernel_speed
    from experiments.worker.process import become_worker

    if parsed.cells is not None:
        check_cells(parsed.cells.split(","))
    screen, found = console(), list[dict[str, Any]]()
    with quiet(), waiting(screen, "measuring ...") as update:
        fast = kernel_speed.fast_kernels(become_worker())
        chosen = _chosen(parsed.cells, fast)
        kernels = sum(len(kernel_speed.own_kernels(cell, fast)) for cell in chosen)
        cases = kernels * len(parsed.lengths) * len(parsed.widths)
        for row in kernel_speed.rows(chosen, parsed.lengths, parsed.widths, fast):
            found.append(row)
            update(f"measured {len(found)} of {cases} cases ...")
    if parsed.json:
        print(as_json(found))
    else:
        show(screen, kernel_table(found))
    return 0


def _chosen(typed: str | None, fast: list[str]) -> list[str]:
    """The cells to measure. By default these are all that have a fast kernel. Raises BadInput for another cell."""
    from experiments.training.kernel_speed import own_kernels

    fit = [name for name in cells.names() if own_kernels(name, fast)]
    chosen = fit if typed is None else typed.split(",")
    for name in chosen:
        if name not in fit:
            kernels = " or ".join(fast)
            raise BadInput(f"--cells: expected some of {', '.join(fit)}, which have the kernel {kernels}, got {name!r}")
    return chosen
