"""USPTO-50k: 50,037 reactions from patents, with the splits of Liu et al. 2017, doi 10.1021/acscentsci.7b00303.

    train_sources  <RX_1> C C ( = O ) N C      the class of the reaction, and the product
    train_targets  C C ( = O ) O . C N         the reactants

The files are downloaded at the first use. 46 products of the test split are in training, too, with other reactants.
"""

from experiments.data.published import File
from tracking.errors import DataError

ADDRESS = (
    "https://raw.githubusercontent.com/pandegroup/reaction_prediction_seq2seq/"
    "9a6f040198ce990cbdeea812e7e99df7becd142c/processed_data"
)
LICENCE = "Apache 2.0, as the repository that the files are from; the patents are in the public domain"
NAMES = {"train": "train", "val": "valid", "test": "test"}
FILES = {
    name: File(f"uspto-50k.{name}", f"{ADDRESS}/{name}", sha256, size)
    for name, sha256, size in (
        ("train_sources", "a09a5700f1fe3f91aea33d122eda870bd1d99ad2ec0fd81fa37f43b0e2871747", 3_936_472),
        ("train_targets", "af8fb61d23357618d45a2009020e5354d0325e96d6d3f5b1d9ffd781b6a147ca", 4_058_658),
        ("valid_sources", "40459c9e5c0f63c1ca08a8ebda2cc80bde42f5dbf0d520cd6c9f9069ae694f48", 494_411),
        ("valid_targets", "b856e45c5b762e416fbe93e75432c5cc4d3ee0dd90582d8b4c0d9cacaf3a6dee", 508_692),
        ("test_sources", "dd10431c929eb9f7fe8952d263c1fed118b8fb4c6e8f8004b73c528adf1989c9", 492_255),
        ("test_targets", "408504846efaafcfc2c0559a507a40232dcf3393fb7263aa83f583ececbd8179", 508_588),
    )
}


def reactions(split: str, classes: bool) -> list[tuple[str, str]]:
    """(product, reactants) of a split; with `classes` the class of the reaction stands in front of the product.

    Raises DataError, in one line, for a file that cannot be downloaded or is broken.
    """
    sources, targets = (_lines(FILES[f"{NAMES[split]}_{side}"]) for side in ("sources", "targets"))
    if len(sources) != len(targets):
        raise DataError(f"source: expected as many products as reactants, got {len(sources):,} and {len(targets):,}")
    products = sources if classes else [line.partition(">")[2] for line in sources]
    return list(zip(products, targets, strict=True))


def _lines(file: File) -> list[str]:
    from experiments.data.downloads import fetch  # imported here: urllib and filelock take 0.1 s

    return fetch(file.url, file.sha256, file.name, file.size).read_text("utf-8").replace(" ", "").splitlines()
