"""Measure how fast each kernel is on this machine; two to three minutes."""

import argparse
import json
from typing import Any

from experiments.cli.parsing import console, wholes
from tracking.errors import BadInput

EXAMPLE = "recurrent kernels --cells gru --lengths 100"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cells", metavar="A,B", help="(default: all: simple_rnn,gru,lstm)")
    for flag, default, what in (
        ("--lengths", "30,100,200", "of sequences"),
        ("--widths", "32,128", "units of the layer"),
    ):
        text = f"{what} (default: {default})"
        parser.add_argument(flag, metavar="A,B", type=wholes, default=default, help=text)
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")


def run(parsed: argparse.Namespace) -> int:
    from experiments.cli.tables import kernel_table
    from experiments.system.quiet import quiet
    from experiments.training import kernel_speed
    from experiments.worker.process import become_worker
    from search_spaces import cells

    chosen = parsed.cells.split(",") if parsed.cells else list(kernel_speed.CELLS)
    for name in chosen:
        if name not in cells.names():
            raise BadInput(f"--cells: expected some of {', '.join(cells.names())}, got {name!r}")
    screen, found = console(), list[dict[str, Any]]()
    cases = len(chosen) * len(parsed.lengths) * len(parsed.widths)
    with quiet(), screen.status(f"measuring {cases} cases ...") as status:
        for row in kernel_speed.rows(chosen, parsed.lengths, parsed.widths, become_worker()):
            found.append(row)
            status.update(f"measured {len(found)} of {cases} cases ...")
    if parsed.json:
        print(json.dumps(found, indent=1))
    else:
        screen.print(kernel_table(found), soft_wrap=True)
    return 0
