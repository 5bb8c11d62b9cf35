"""BLEU by hand, and what a task says and does without the package that computes it."""

import math
import sys
from pathlib import Path

import pytest

from experiments.tasks.loading.bleu import bleu, installed
from experiments.tasks.loading.find import make
from experiments.tasks.translate import Translate


def test_bleu_by_hand() -> None:
    """The one wrong word stands at the begin: 5 of 6 words are right, 4 of 5 pairs, 3 of 4 triples, 2 of 3 fours."""
    found = bleu(["A cat sat on the mat"], ["the cat sat on the mat"])
    assert found == pytest.approx(100 * (5 / 6 * 4 / 5 * 3 / 4 * 2 / 3) ** 0.25)
    short = bleu(["the cat sat on the"], ["the cat sat on the mat"])
    assert short == pytest.approx(100 * math.exp(1 - 6 / 5)), "all is right, but a word is missing"
    assert bleu(["a b c"], ["a b c"]) is None, "no text has four words"
    assert bleu(["a b c d", "e f g h"], ["a b c d", "e f g h"]) == pytest.approx(100)


def test_a_translation_has_the_bleu_of_its_text() -> None:
    task = Translate(train=50, val=40, test=2)
    right = [several[0] for several in task.answers("val", 0)]
    assert task.samples(lambda x, beam: [[one] for one in right], 0)["bleu"] == pytest.approx(100)
    turned = [one[::-1] for one in right]
    assert task.samples(lambda x, beam: [[one] for one in turned], 0)["bleu"] < 60


def test_without_the_package_there_is_no_bleu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = [f"{word} b c d\t{word} f g h" for word in "acegikmoqsuw"]
    (tmp_path / "pairs.tsv").write_text("\n".join(lines))
    task = make(str(tmp_path / "pairs.tsv"), {"unit": "words"})
    assert "bleu" in task.samples(lambda x, beam: [several[:1] for several in task.answers("val", 0)], 0)
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    assert not installed()
    assert "bleu" not in task.samples(lambda x, beam: [several[:1] for several in task.answers("val", 0)], 0)
    assert task.about().endswith("; no BLEU without sacrebleu: pip install 'recurrent-search[bleu]'")
