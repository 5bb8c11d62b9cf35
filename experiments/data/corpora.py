"""Where the texts of the language tasks come from: what ships with Python, a verified download, or a file.

Worked example, with a training text "abba" and a later text "abc":

    >>> vocabulary("abba")
    '\ufffdab'
    >>> encode("abc", vocabulary("abba"))
    array([1, 2, 0], dtype=int32)

Id 0 is the unknown symbol: "c" does not occur in the training text. A vocabulary of more than the training text would
tell the model about the test text. Decoding gives "ab\ufffd".
"""

import codecs
import functools
import hashlib
import os
import sysconfig
import tokenize
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.data.published import DATASETS, Dataset, texts
from experiments.system.cache_folder import cache_folder
from tracking.errors import BadInput, DataError
from tracking.text import did_you_mean

BUNDLED = "python-reference"
LIBRARY = "python-library"
LIBRARY_SIZE = 2_000_000  # characters
NOT_LIBRARY = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"}
UTF_8, PYTHON = "utf-8", "PSF-2.0, as Python itself"  # https://docs.python.org/3/license.html
MIN_CHARACTERS = 1_000  # a tenth of fewer is no validation split
NULS = 4  # more than one in NULS characters is NUL: that is no text
UNKNOWN = "\ufffd"


@dataclass(frozen=True)
class Corpus:
    """Training, validation and test text, and the sha256 (hexadecimal) of the UTF-8 bytes of the three joined.

    Results are compared only where the sha256 is the same.
    """

    name: str
    splits: tuple[str, str, str]
    sha256: str

    @functools.cached_property
    def text(self) -> str:
        """The three splits joined. It is made at its first use, since text8 has 100,000,000 characters."""
        return "".join(self.splits)


def licence(name: str) -> str:
    """Under which licence a corpus is; "" for a file of the user's."""
    known = {dataset.name: dataset.licence for dataset in DATASETS}
    return {BUNDLED: PYTHON, LIBRARY: PYTHON, **known}.get(name, "")


def names() -> tuple[str, ...]:
    """The corpora that `load` knows by name."""
    return BUNDLED, LIBRARY, *(dataset.name for dataset in DATASETS)


def load(source: str = BUNDLED, encoding: str = UTF_8) -> Corpus:
    """The corpus called `source`: one of `names()`, or the path of any text file of at least 1,000 characters.

    "python-reference" is the Python language reference that CPython carries for `help()` (`pydoc_data.topics`, joined
    in the order of its keys): about 465,000 characters, 103 distinct, on Python 3.11.7. "python-library" is the first
    2,000,000 characters of the source code of the modules that come with Python, in the order of their paths. Every
    Python version has other texts, so results belong to the `sha256` and not to the name.

    The other names are downloaded at their first use (`experiments.data.published`) and have their published splits.
    tinyshakespeare has none: it is cut 80/10/10 in order, and so are Python's texts and files. A path may not be one of
    the names: write ./ptb for a file called ptb.

    A leading byte order mark of a file is dropped, and "\\r\\n" becomes "\\n". The corpus has the name of the file. A
    file is read once per process, and again when it has changed.

    Args:
        encoding: of a file, one that Python knows. The same text in another encoding is the same corpus.

    Raises:
        BadInput: for an encoding that Python does not know, and for one of a corpus that is no file.
        DataError: in one line, for a source that is missing, is no regular file, cannot be read, is not UTF-8 or is too
            short; for a failed download; for a Python without `pydoc_data` or without the source code of its modules.
    """
    if encoding != UTF_8 and source in names():
        raise BadInput(f"encoding: expected {UTF_8} for the corpus {source!r}, which is no file, got {encoding!r}")
    if source == BUNDLED:
        return _bundled()
    if source == LIBRARY:
        return _library()
    for dataset in DATASETS:
        if source == dataset.name:
            return _downloaded(dataset, cache_folder("downloads"))
    path = Path(os.path.expanduser(source)).absolute()
    status = _status(path, source)
    return _from_file(path, source, encoding, status.st_mtime_ns, status.st_size)


def _status(path: Path, source: str) -> os.stat_result:
    """The status of a regular file. Raises DataError for any other path."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(
            f"corpus: expected {', '.join(names())} or the path of a UTF-8 text file, "
            f"got {source!r}, which does not exist{did_you_mean(Path(source).name, names())}"
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(_unreadable(source, error)) from None
    if path.is_dir():
        raise DataError(f"corpus: expected a text file, got the folder {source!r}")
    if not path.is_file():
        raise DataError(f"corpus: expected a regular text file, got {source!r}")
    return status


def vocabulary(text: str) -> str:
    """The unknown symbol U+FFFD, then the distinct characters of `text`, the training split, in code point order."""
    return UNKNOWN + "".join(sorted(set(text) - {UNKNOWN}))


def encode(text: str, vocabulary: str) -> np.ndarray:
    """Ids (characters,) int32: the position of each character in `vocabulary`, 0 for one that is not there.

    Raises:
        DataError: when `vocabulary` does not begin with U+FFFD or names a character twice.
    """
    if not vocabulary.startswith(UNKNOWN) or len(set(vocabulary)) < len(vocabulary):
        raise DataError(f"vocabulary: expected U+FFFD and then distinct characters, got {vocabulary[:20]!r}")
    ids = np.zeros(0x110000, np.int32)
    ids[_code_points(vocabulary)] = np.arange(len(vocabulary))
    return ids[_code_points(text)]


def decode(ids: np.ndarray, vocabulary: str) -> str:
    """The text of `ids` (characters,), any integer type; id 0 reads as U+FFFD.

    Raises:
        DataError: when an id is negative or not below the number of symbols.
    """
    if len(ids) and not 0 <= ids.min() <= ids.max() < len(vocabulary):
        raise DataError(f"ids: expected 0 to {len(vocabulary) - 1}, got {ids.min()} to {ids.max()}")
    return _code_points(vocabulary)[ids.astype(np.int64)].tobytes().decode("utf-32-le", "surrogatepass")


def split(text: str, validation: int = 80, test: int = 90) -> tuple[str, str, str]:
    """Training, validation and test text, in order; the last two begin behind `validation` and `test` percent."""
    first, second = len(text) * validation // 100, len(text) * test // 100
    return text[:first], text[first:second], text[second:]


@functools.cache
def _bundled() -> Corpus:
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise DataError(
            f"corpus: expected a Python with pydoc_data for {BUNDLED!r}, got one without it: "
            "give a text file of your own with -o corpus=PATH"
        ) from None
    return _corpus(BUNDLED, split("\n\n".join(topics[name] for name in sorted(topics))))


@functools.cache
def _library() -> Corpus:
    folder = Path(sysconfig.get_path("stdlib"))
    text = ""
    for path in _sources(folder):
        if len(text) < LIBRARY_SIZE:
            with tokenize.open(folder / path) as file:  # knows the encoding that a source file declares
                text += ("\n\n" if text else "") + file.read()
    if len(text) < MIN_CHARACTERS:
        raise DataError(f"corpus: expected a Python with its source code in {folder} for {LIBRARY!r}, got none")
    return _corpus(LIBRARY, split(text[:LIBRARY_SIZE]))


def _sources(folder: Path) -> list[str]:
    """The .py files below `folder`, sorted, without tests, installed packages and files that another machine lacks."""
    paths: list[str] = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in NOT_LIBRARY and not name.startswith("config-")]
        sources = [name for name in files if name.endswith(".py") and not name.startswith("_sysconfigdata")]
        paths += [(Path(place) / name).relative_to(folder).as_posix() for name in sources]
    return sorted(paths)


@functools.cache
def _downloaded(dataset: Dataset, folder: Path | None) -> Corpus:
    """`folder`, where downloads are kept, is part of the cache's key only."""
    parts = texts(dataset)
    if len(parts) == 1:
        return _corpus(dataset.name, split(parts[0], *dataset.cut))
    train, validation, test = parts
    return _corpus(dataset.name, (train, validation, test))


@functools.cache
def _from_file(path: Path, source: str, encoding: str, modified: int, size: int) -> Corpus:
    """`modified` (ns) and `size` (bytes) are part of the cache's key only."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(_unreadable(source, error)) from None
    text = _decoded(content, source, encoding)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if not text:
        raise DataError(f"corpus: expected at least {MIN_CHARACTERS:,} characters, got the empty file {source!r}")
    if len(text) < MIN_CHARACTERS:
        raise DataError(f"corpus: expected at least {MIN_CHARACTERS:,} characters, got {len(text):,} in {source!r}")
    return _corpus(path.name, split(text))


def _decoded(content: bytes, source: str, encoding: str) -> str:
    try:
        text = content.decode(encoding)
        text.encode("utf-8")  # some encodings can write what is no character
    except LookupError:
        expected = "the name of an encoding of text, like utf-8, latin-1, cp1252 or utf-16"
        raise BadInput(f"encoding: expected {expected}, got {encoding!r}") from None
    except UnicodeError as error:
        place = f"at byte {error.start} of" if isinstance(error, UnicodeDecodeError) else "in"
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        hint = f"; -o encoding={'utf-16' if wide else 'latin-1'} names another encoding" if encoding == UTF_8 else ""
        raise DataError(f"corpus: expected {encoding.upper()} text, got other bytes {place} {source!r}{hint}") from None
    if NULS * text.count("\0") > len(text):  # the bytes of UTF-16 are characters in UTF-8 and in latin-1, too
        raise DataError(f"corpus: expected text, got NUL characters in {source!r}; is -o encoding=utf-16 meant?")
    return text


def _corpus(name: str, splits: tuple[str, str, str]) -> Corpus:
    digest = hashlib.sha256()
    for text in splits:
        digest.update(text.encode("utf-8"))
    return Corpus(name, splits, digest.hexdigest())


def _unreadable(source: str, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or error
    return f"corpus: expected a readable text file, got {source!r}: {reason}"


def _code_points(text: str) -> np.ndarray:
    """Code points (characters,) uint32. A lone surrogate is one too: an argument that is not UTF-8 holds some."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
