"""Reads a user's arrays from a .npz file, and says in one line what is wrong with them. answers.py reads y."""

import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

from experiments.tasks.loading.rounding import loss, short
from tracking.errors import DataError
from tracking.storable import check_storable

SUFFIXES = {"train": "", "val": "_val", "test": "_test"}
NAMES = tuple(f"{part}{suffix}" for suffix in SUFFIXES.values() for part in ("x", "y", "lengths"))
LOAD_ERRORS = (  # what NumPy raises for a damaged file, and for one of another format
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error, AttributeError, TypeError, RuntimeError, NotImplementedError),
    *(MemoryError, tokenize.TokenError, SyntaxError),
)
MAX_TOKENS = 100_000  # larger integers are most likely measurements that should be floats
MAX_FLOAT = np.finfo(np.float32).max  # is taken for infinite: no padding would fit below or above it
GROUP = "group"  # the array that says which samples belong together
Split = tuple[np.ndarray, np.ndarray, np.ndarray | None]  # x, y, lengths


def read(path: Path, lost: dict[str, str] | None = None) -> tuple[dict[str, Split], np.ndarray | None]:
    """The arrays of the splits, x float32 or int32, y as in the file, and the array `group`. Raises DataError.

    There is one split, "train", of all samples if the file does not have the others.

    Args:
        lost: gets a line for each array that loses too much in 32 bits, by its name; see rounding.py.
    """
    arrays = _load(path, {} if lost is None else lost)
    for name in ("x", "y"):
        if name not in arrays:
            raise DataError(f"{name}: expected an array {name!r} in {path.name}, got {', '.join(arrays) or 'none'}")
    held_out = [name for name in arrays if name.endswith(("_val", "_test"))]
    needed = [f"{part}{suffix}" for suffix in ("_val", "_test") for part in ("x", "y")]
    if held_out and (missing := [name for name in needed if name not in arrays]):
        raise DataError(f"{missing[0]}: expected {', '.join(needed)} together, got {', '.join(held_out)}")
    splits = {name: _check_split(arrays, suffix) for name, suffix in SUFFIXES.items() if held_out or name == "train"}
    groups = arrays.get(GROUP)
    if groups is not None and groups.shape != (len(splits["train"][0]),):
        expected = f"one value for each of the {len(splits['train'][0])} samples of x"
        raise DataError(f"{GROUP}: expected {expected}, got {groups.dtype} {groups.shape}")
    return splits, groups


def _load(path: Path, lost: dict[str, str]) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            unknown = [name for name in file.files if name not in (*NAMES, GROUP)]
            if unknown:
                known = ", ".join((*NAMES, GROUP))
                raise DataError(f"{path.name}: expected arrays called {known}, got {unknown[0]!r}")
            return {name: _array(file, name, lost) for name in file.files}
    except LOAD_ERRORS as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        reason = "a single array" if isinstance(error, TypeError) else reason  # made with numpy.save
        raise DataError(f"{path.name}: expected a file made with numpy.savez, got another: {reason}") from None
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise DataError(f"{path.name}: expected a file made with numpy.savez, got a pickle or no arrays") from None
        raise


def _array(file: "np.lib.npyio.NpzFile", name: str, lost: dict[str, str]) -> np.ndarray:
    words = name.startswith("y") or name == GROUP
    try:
        array = file[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise DataError(f"{name}: expected a whole array, got a damaged one: {error}") from None
        hint = f"; for labels that are strings save {name}.astype(str)" if words else ""
        raise DataError(f"{name}: expected an array of numbers, got Python objects (a pickle){hint}") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in ("biufUS" if words else "biuf"):
        expected = "integers, floats or strings" if words else "integers or floats"
        raise DataError(f"{name}: expected {expected}, got {getattr(array, 'dtype', 'other bytes')}")
    if name == GROUP:
        return array
    if array.dtype.kind in "SU":
        return _labels(array, name)
    if array.dtype.kind == "f":
        _check_finite(array, name)
    if array.size and array.ndim and (array.dtype.kind == "f" or words) and (line := loss(array, name)):
        lost[name] = line
    if array.dtype.kind != "f":
        return array
    return short(array) if words else array.astype(np.float32)


def _labels(array: np.ndarray, name: str) -> np.ndarray:
    """Labels that are strings. Raises RecurrentError for one that model.json cannot hold."""
    try:
        labels = np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array
    except UnicodeDecodeError as error:
        hint = f'save np.char.decode({name}, "latin-1"), or how they are encoded'
        raise DataError(f"{name}: expected labels in UTF-8, got {error.object!r}; {hint}") from None
    for label in np.unique(labels).tolist():
        check_storable(name, label)
    return labels


def _check_finite(array: np.ndarray, name: str) -> None:
    """All numbers must be finite. At a step of y all may be NaN: none is asked there."""
    missing = np.isnan(array).all(axis=-1) if name.startswith("y") and array.ndim == 3 else np.zeros(array.shape, bool)
    if array.size and missing.all():
        raise DataError(f"{name}: expected a number somewhere, got none: all are NaN")
    with np.errstate(over="ignore"):
        bad = np.count_nonzero(~(np.abs(array[~missing].astype(np.float32)) < MAX_FLOAT))
    if bad:
        raise DataError(f"{name}: expected finite numbers of 32 bits, got {bad} that are NaN, infinite or too large")


def _check_split(arrays: dict[str, np.ndarray], suffix: str) -> Split:
    x, y, lengths = (arrays.get(f"{part}{suffix}") for part in ("x", "y", "lengths"))
    if x is None or y is None:
        raise DataError(f"x{suffix}, y{suffix}: expected both, got one")
    x = _check_x(x, f"x{suffix}")
    if not y.ndim or len(x) != len(y):
        got = len(y) if y.ndim else "a single number"
        raise DataError(f"y{suffix}: expected one for each of the {len(x)} samples of x{suffix}, got {got}")
    if lengths is not None:
        _check_lengths(lengths, x, f"lengths{suffix}")
        lengths = lengths.astype(np.int32)
    return x, _signed(y, f"y{suffix}"), lengths


def _signed(y: np.ndarray, name: str) -> np.ndarray:
    """Integers and truth values as int64; other answers as they are."""
    if y.dtype.kind not in "biu":
        return y
    if y.size and int(y.max()) > np.iinfo(np.int64).max:
        raise DataError(f"{name}: expected integers of 64 bits, got {y.max()}")
    return y.astype(np.int64)


def _check_x(x: np.ndarray, name: str) -> np.ndarray:
    floats = x.dtype.kind == "f"
    if x.ndim != (3 if floats else 2) or 0 in x.shape[1:]:
        expected = f"{name}: expected floats (n, time, features) or integer tokens (n, time), got {x.dtype} {x.shape}"
        raise DataError(expected + _hint(x, name))
    if floats:
        return x
    if x.size and not 0 <= int(x.min()) <= int(x.max()) < MAX_TOKENS:
        raise DataError(
            f"{name}: expected tokens, which are integers from 0 below {MAX_TOKENS:,}, got {x.min()} to {x.max()};"
            f' for measurements save {name}[..., None].astype("float32")'
        )
    return x.astype(np.int32)


def _hint(x: np.ndarray, name: str) -> str:
    """What makes x an array that is read, if that is clear."""
    if 0 in x.shape[1:]:
        return ""
    if x.dtype.kind == "f" and x.ndim == 2:
        return f"; for sequences of one feature save {name}[..., None], for one long series {name}[None]"
    return f'; for measurements save {name}.astype("float32")' if x.dtype.kind != "f" and x.ndim == 3 else ""


def _check_lengths(lengths: np.ndarray, x: np.ndarray, name: str) -> None:
    if lengths.shape != (len(x),) or lengths.dtype.kind not in "iu":
        raise DataError(f"{name}: expected integers ({len(x)},), got {lengths.dtype} {lengths.shape}")
    if len(lengths) and not 1 <= lengths.min() <= lengths.max() <= x.shape[1]:
        raise DataError(f"{name}: expected 1 to {x.shape[1]}, got {lengths.min()} to {lengths.max()}")


def check_alike(splits: dict[str, Split]) -> None:
    """Raises DataError unless the splits have data of one shape and type."""
    train = splits["train"]
    for name, (x, y, lengths) in splits.items():
        if not len(x):
            raise DataError(f"x{SUFFIXES[name]}: expected samples, got none")
        for part, array, trained in (("x", x, train[0]), ("y", y, train[1])):
            if (array.dtype.kind, array.shape[1:]) != (trained.dtype.kind, trained.shape[1:]):
                expected, got = f"{trained.dtype} {trained.shape[1:]}", f"{array.dtype} {array.shape[1:]}"
                raise DataError(f"{part}{SUFFIXES[name]}: expected samples as in {part}, {expected}, got {got}")
        if (lengths is None) != (train[2] is None):
            raise DataError(f"lengths{SUFFIXES[name]}: expected lengths for every split or for none")


def below(lowest: float) -> float:
    """A whole number below a number of 32 bits; where there is none, the next number below it."""
    number = np.float32(lowest)
    return float(min(np.float32(np.floor(number) - 1), np.nextafter(number, np.float32(-np.inf))))


def ids(values: np.ndarray, known: np.ndarray, numbers: np.ndarray, unknown: int) -> np.ndarray:
    """For each of the values, which are integers from 0, its number if it is one of `known`, else `unknown`; int32."""
    table = np.full(1 + max(int(values.max(initial=0)), int(known.max(initial=0))), unknown, np.int32)
    table[known] = numbers
    return np.asarray(table[values])
