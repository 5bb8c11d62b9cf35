"""The target of a source, from an exported encoder and decoder."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.cli.parsing import real, whole
from experiments.system.console import console, waiting
from tracking.attention import draw
from tracking.errors import BadInput

if TYPE_CHECKING:
    from experiments.training.translating import Translator

EXAMPLE = "recurrent translate best dreiundzwanzig --beam 5"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="the folder that `recurrent export` has written")
    text = "the source; without one, each line of standard input is a source, and a blank line is answered by one"
    parser.add_argument("text", nargs="*", metavar="TEXT", help=text)
    text = "beginnings of a target that are kept at each step; 1 takes the likeliest symbol (default: 1)"
    parser.add_argument("--beam", metavar="K", type=whole(1, 101), default=1, help=text)
    text = "targets that are shown of each source, the likeliest one first (default: 1)"
    parser.add_argument("--top", metavar="N", type=whole(1, 101), default=1, help=text)
    text = "draw the symbols, at this temperature, in place of taking the likeliest (default: none is drawn)"
    parser.add_argument("--temperature", metavar="T", type=real, help=text)
    text = "draw only from the K likeliest symbols; 0 is all (default: 0)"
    parser.add_argument("--top-k", metavar="K", type=whole(0), help=text)
    text = "draw only from the likeliest symbols, whose probabilities sum to P (default: 1.0)"
    parser.add_argument("--top-p", metavar="P", type=real, help=text)
    parser.add_argument("--seed", metavar="S", type=whole(0), help="of the drawing (default: 0)")
    parser.add_argument("--json", action="store_true", help="one JSON object for each source")
    text = "a figure of what a model with attention looks at while it writes TEXT's target (default: none)"
    parser.add_argument("--plot", metavar="FILE", help=text)


def run(parsed: argparse.Namespace) -> int:
    from experiments.system.quiet import quiet
    from experiments.training.sampling import check
    from experiments.training.translating import Translator, load

    if parsed.plot is not None and not parsed.text:
        raise BadInput("--plot: expected TEXT with it, got none")
    drawing = _drawing(parsed)
    check(**{"temperature": 1.0, "top_k": 0, "top_p": 1.0} | {key: drawing[key] for key in drawing if key != "seed"})
    texts = [" ".join(parsed.text)] if parsed.text else _lines()
    with quiet(), waiting(console(), "the model translates ..."):
        translator = Translator(*load(Path(parsed.folder)))
        asked = [text for number, text in enumerate(texts, start=1) if _fits(translator, text, number, len(texts))]
        found = translator.draw(asked, parsed.top, **drawing) if drawing else translator.translate(asked, parsed.beam)
        if parsed.plot is not None:
            draw(*translator.looked_at(asked[0], found[0][0].ids), Path(parsed.plot))
    answers = iter(found)
    for text in texts:
        shown = next(answers)[: parsed.top] if text.strip() else []
        if parsed.json:
            translations = [{"text": one.text, "log_probability": one.log_probability} for one in shown]
            print(json.dumps({"source": text, "translations": translations}, ensure_ascii=False))
        else:
            print("\n".join(one.text for one in shown))
    return 0


def _lines() -> list[str]:
    """The lines of standard input. Raises BadInput for another encoding."""
    try:
        text = sys.stdin.buffer.read().decode("utf-8-sig") if sys.stdin else ""  # a service may have none
    except UnicodeDecodeError as error:
        raise BadInput(f"standard input: expected lines in UTF-8, got: {error}") from None
    return [line.rstrip("\r") for line in text.removesuffix("\n").split("\n")] if text else []


def _fits(translator: "Translator", text: str, number: int, count: int) -> bool:
    """True for a source, False for a blank line among others. Raises BadInput for what the model cannot read."""
    if not text.strip() and count > 1:
        return False
    try:
        translator.sources([text])
    except BadInput as error:
        raise BadInput(f"line {number}: {error}" if count > 1 else str(error)) from None
    return True


def _drawing(parsed: argparse.Namespace) -> dict[str, Any]:
    """The options of a drawing that were given; {} where the likeliest symbols are taken.

    Raises BadInput for options that contradict each other.
    """
    given = {name: getattr(parsed, name) for name in ("temperature", "top_k", "top_p", "seed")}
    given = {name: value for name, value in given.items() if value is not None}
    if given and parsed.beam > 1:
        raise BadInput(f"--beam: expected 1, since symbols are drawn, got {parsed.beam}")
    if not given and parsed.top > parsed.beam:
        raise BadInput(f"--top: expected at most --beam, which is {parsed.beam}, got {parsed.top}")
    return given
