"""A search's best model as files, reloaded and re-scored."""

import argparse
from pathlib import Path

from experiments.cli.parsing import add_tracking_uri

EXAMPLE = "recurrent export add50 --to best"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the search")
    text = "a new folder, or an earlier export of this search, which is then replaced"
    parser.add_argument("--to", metavar="DIR", required=True, help=text)
    add_tracking_uri(parser)


def run(parsed: argparse.Namespace) -> int:
    from experiments.system.quiet import quiet
    from experiments.training.scoring import scorer
    from tracking.export import export
    from tracking.searches import existing_search, spec_of
    from tracking.store import resolve, working
    from tracking.text import floors_line, format_number, metric_name

    uri = resolve(parsed.tracking_uri)
    client, search = existing_search(parsed.name, uri)
    to = Path(parsed.to)
    with quiet(), working(uri):
        card = export(client, uri, search, to, scorer(spec_of(search)))
    name = metric_name(card["metric"])
    val, test = format_number(card["rescored"]), format_number(card["test_score"])
    print(f"exported {card['architecture']} (trial {card['trial']}, {card['parameters']:,} parameters) to {to}/")
    print(f"validation {name} {val}, as recorded; test {name} {test}")
    print(f"models with less memory, on validation: {floors_line(card['floors'])}")
    if "vocabulary" in card["preprocessing"]:
        print(f'next: recurrent sample {to} --prompt "The " --length 200')
    return 0
