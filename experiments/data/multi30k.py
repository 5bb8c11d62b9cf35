"""Multi30k: captions of pictures, each in English, German and French (Elliott et al. 2016, arXiv:1605.00459).

    zwei junge weiße männer sind im freien in der nähe vieler büsche .
    two young , white males are outside near many bushes .

The files are downloaded at the first use. The repository has no licence file; the captions are for research.
"""

import gzip
from unicodedata import normalize

from tracking.errors import DataError

ADDRESS = "https://raw.githubusercontent.com/multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw"
LICENCE = "none is said; captions of Flickr30k, for research"
NAMES = {"train": "train", "val": "val", "test": "test_2016_flickr"}
SHA256 = {
    "train.en": "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
    "train.de": "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
    "train.fr": "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c",
    "val.en": "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
    "val.de": "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
    "val.fr": "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9",
    "test_2016_flickr.en": "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9",
    "test_2016_flickr.de": "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8",
    "test_2016_flickr.fr": "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90",
}


def sentences(split: str, language: str) -> list[str]:
    """The captions of the split "train", "val" or "test" in "en", "de" or "fr", in lower case.

    Raises DataError, in one line, for a file that cannot be downloaded or is broken.
    """
    from experiments.data.downloads import fetch  # imported here: urllib and filelock take 0.1 s

    name = f"{NAMES[split]}.{language}"
    path = fetch(f"{ADDRESS}/{name}.gz", SHA256[name], f"multi30k.{name}.gz")
    try:
        return normalize("NFC", gzip.decompress(path.read_bytes()).decode("utf-8").lower()).splitlines()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"source: expected the captions of Multi30k in {path}, got: {error}") from None
