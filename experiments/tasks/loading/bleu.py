"""BLEU (Papineni et al. 2002, doi 10.3115/1073083.1073135), as sacrebleu computes it."""

from collections.abc import Sequence

INSTALL = "pip install 'recurrent-search[bleu]'"


def installed() -> bool:
    """Whether the package sacrebleu is there."""
    from importlib.util import find_spec

    return find_spec("sacrebleu") is not None


def bleu(written: Sequence[str], right: Sequence[str]) -> float | None:
    """From 0 to 100, of all texts together, with sacrebleu's own words (13a) and in lower case.

    None if none of them has four words. BLEU compares runs of four words, too, and would be 0.
    """
    from sacrebleu import corpus_bleu

    found = corpus_bleu(written, [right], lowercase=True)
    return float(found.score) if found.totals[-1] else None
