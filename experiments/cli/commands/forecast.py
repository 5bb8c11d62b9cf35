"""The next values of a series in a CSV file, from an exported forecasting model."""

import argparse
import json
from pathlib import Path

from experiments.cli.parsing import whole
from experiments.system.console import console, waiting

EXAMPLE = "recurrent forecast best sales.csv --horizon 24"
MOST = 100_000  # values that are forecast at once


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="the folder that `recurrent export` has written")
    text = "a CSV file whose first line names the columns; the last rows are read, as many as the model's context"
    parser.add_argument("file", metavar="SERIES.csv", help=text)
    text = "the column that is forecast, if it has another name than in training (default: that name)"
    parser.add_argument("--column", metavar="NAME", default="", help=text)
    text = "values that are forecast; behind the horizon of the model it goes on from its own forecasts, which"
    text += " are less sure (default: the horizon of the model)"
    parser.add_argument("--horizon", metavar="N", type=whole(1, MOST + 1), help=text)
    text = "draw what was read and the forecast as .png, .svg or .pdf (default: none)"
    parser.add_argument("--plot", metavar="FILE", type=Path, help=text)
    parser.add_argument("--json", action="store_true", help="one JSON object for each series")


def run(parsed: argparse.Namespace) -> int:
    from experiments.system.quiet import quiet
    from experiments.training.forecasting import draw, forecast, load
    from tracking.deploy.predict import shown_forecasts

    file = Path(parsed.file)
    with quiet(), waiting(console(), "the model forecasts ..."):
        model, card = load(Path(parsed.folder))
        found = forecast(model, card, file, parsed.horizon or 0, parsed.column)
        if parsed.plot:
            draw(found, card, file, parsed.column, parsed.plot)
    if parsed.json:
        for name, values in found.items():
            print(json.dumps({"series": name, "forecast": values}, ensure_ascii=False))
    else:
        print("\n".join(shown_forecasts(found)))
    return 0
