"""MOSES: 1.9 million molecules as SMILES, with splits (Polykovskiy et al. 2020, arXiv:1811.12823).

    SMILES
    CCCS(=O)c1ccc2[nH]c(=NC(=O)OC)[nH]c2c1

The files lie in the package molsets, 52 MB, which pip downloads at the first use.
"""

import gzip
import zlib
from collections.abc import Iterator

from experiments.data.packages import Member
from tracking.errors import DataError

PACKAGE = "molsets==0.3.1"
LICENCE = "MIT, as the package molsets"
SHA256 = {
    "train": "786f0313aa6b9ba5514df685f885742a70ea8d86f1a4fa48115f7f80a634265c",
    "test": "f896fbf3764f88d94670b9959e5872c600c12152a18233823e820761b7a791b2",
}


def molecules(split: str) -> Iterator[str]:
    """The molecules of the split "train" or "test", in the order of its file.

    Raises DataError, in one line, for a file that cannot be had or is broken.
    """
    from experiments.data.downloads import fetch  # imported here: urllib and filelock take 0.1 s

    member = Member(PACKAGE, f"moses/dataset/data/{split}.csv.gz")
    path = fetch("", SHA256[split], f"moses.{split}.csv.gz", package=member)
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            next(lines)  # the name of the column
            yield from (line.strip() for line in lines)
    except (OSError, EOFError, StopIteration, ValueError, zlib.error):
        raise DataError(f"source: expected molecules in {path}, got a broken file") from None
