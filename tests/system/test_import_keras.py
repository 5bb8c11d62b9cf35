"""Keras comes without the packages that a search does not use, and they can be imported afterwards."""

import subprocess
import sys

PROGRAM = """
import sys
import {before}
from experiments.system.imports import OPTIONAL, import_keras
import_keras()
print([name for name in OPTIONAL if name in sys.modules])
import matplotlib, pandas, scipy, sklearn.datasets, keras
print(len(sklearn.datasets.load_digits().images), pandas.Series([1, 2]).sum(), keras.ops.sum([1.0, 2.0]).numpy())
"""


def _said(before: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(before=before)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_keras_comes_alone_and_the_packages_can_be_imported_later() -> None:
    assert _said("keyword") == ["[]", "1797 3 3.0"]


def test_a_package_that_is_there_stays() -> None:
    assert _said("scipy") == ["['scipy']", "1797 3 3.0"]
