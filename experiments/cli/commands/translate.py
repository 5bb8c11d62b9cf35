"""The target of a source, from an exported encoder and decoder."""

import argparse
import json
import sys
from pathlib import Path

from experiments.cli.parsing import whole
from experiments.system.console import console, waiting
from tracking.errors import BadInput

EXAMPLE = "recurrent translate best dreiundzwanzig --beam 5"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="the folder that `recurrent export` has written")
    text = "the source; without one, each line of standard input is a source"
    parser.add_argument("text", nargs="*", metavar="TEXT", help=text)
    text = "beginnings of a target that are kept at each step; 1 takes the likeliest symbol (default: 1)"
    parser.add_argument("--beam", metavar="K", type=whole(1, 101), default=1, help=text)
    text = "targets that are shown of each source, the best one first (default: 1)"
    parser.add_argument("--top", metavar="N", type=whole(1), default=1, help=text)
    parser.add_argument("--json", action="store_true", help="one JSON object for each source")


def run(parsed: argparse.Namespace) -> int:
    from experiments.system.quiet import quiet
    from experiments.training.translating import Translator, load

    if parsed.top > parsed.beam:
        raise BadInput(f"--top: expected at most --beam, which is {parsed.beam}, got {parsed.top}")
    texts = [" ".join(parsed.text)] if parsed.text else [line for line in sys.stdin.read().splitlines() if line.strip()]
    with quiet(), waiting(console(), "the model translates ..."):
        found = Translator(*load(Path(parsed.folder))).translate(texts, parsed.beam)
    for text, several in zip(texts, found, strict=True):
        shown = several[: parsed.top]
        if parsed.json:
            translations = [{"text": one.text, "log_probability": one.log_probability} for one in shown]
            print(json.dumps({"source": text, "translations": translations}, ensure_ascii=False))
        else:
            print("\n".join(one.text for one in shown))
    return 0
