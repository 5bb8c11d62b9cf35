"""Text from an exported language model."""

import argparse
from pathlib import Path

from experiments.cli.parsing import add_seed, real, whole
from experiments.system.console import console, waiting

EXAMPLE = 'recurrent sample best --prompt "The " --length 200'


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="the folder that `recurrent export` has written")
    text = "the text that is continued; write --prompt=-x if it begins with - (default: none)"
    parser.add_argument("--prompt", default="", help=text)
    text = "characters to write; words, for a model of words (default: 200)"
    parser.add_argument("--length", metavar="N", type=whole(1), default=200, help=text)
    text = "0 takes the likeliest symbol (default: 1.0)"
    parser.add_argument("--temperature", metavar="T", type=real, default=1.0, help=text)
    text = "draw only from the K likeliest symbols; 0 is all (default: 0)"
    parser.add_argument("--top-k", metavar="K", type=whole(0), default=0, help=text)
    text = "draw only from the likeliest symbols, whose probabilities sum to P (default: 1.0)"
    parser.add_argument("--top-p", metavar="P", type=real, default=1.0, help=text)
    add_seed(parser, "of the drawing (default: 0)", 0)


def run(parsed: argparse.Namespace) -> int:
    from experiments.system.quiet import quiet
    from experiments.training.sampling import check, generate, load

    chosen = (parsed.temperature, parsed.top_k, parsed.top_p)
    check(*chosen)
    with quiet(), waiting(console(), "the model writes ..."):
        model, card = load(Path(parsed.folder))
        about = card["preprocessing"]
        more = (*chosen, parsed.seed, bool(about.get("lines")))
        text = generate(model, about["vocabulary"], parsed.prompt, parsed.length, *more)
    between = " " if isinstance(about["vocabulary"], list) and parsed.prompt else ""
    print(parsed.prompt + between + text)
    return 0
