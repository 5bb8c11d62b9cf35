"""Reads a user's arrays from a .npz file, and says in one line what is wrong with them. npz.py says what they mean."""

import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np

from tracking.errors import DataError

MIN_SAMPLES = 10  # a tenth of fewer is no validation split
SUFFIXES = {"train": "", "val": "_val", "test": "_test"}
NAMES = tuple(f"{part}{suffix}" for suffix in SUFFIXES.values() for part in ("x", "y", "lengths"))
LOAD_ERRORS = (  # what NumPy raises for a damaged file, and for one of another format
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error, AttributeError, TypeError, RuntimeError, NotImplementedError),
    *(MemoryError, tokenize.TokenError, SyntaxError),
)
MAX_CLASSES = 100_000  # or tokens; larger integers are most likely measurements that should be floats
Split = tuple[np.ndarray, np.ndarray, np.ndarray | None]  # x, y, lengths


def read(path: Path) -> dict[str, Split]:
    """The checked arrays, float32 or int32, of the splits train, val and test. Raises DataError."""
    arrays = _load(path)
    for name in ("x", "y"):
        if name not in arrays:
            raise DataError(f"{name}: expected an array {name!r} in {path.name}, got {', '.join(arrays) or 'none'}")
    held_out = [name for name in arrays if name.endswith(("_val", "_test"))]
    needed = [f"{part}{suffix}" for suffix in ("_val", "_test") for part in ("x", "y")]
    if held_out and (missing := [name for name in needed if name not in arrays]):
        raise DataError(f"{missing[0]}: expected {', '.join(needed)} together, got {', '.join(held_out)}")
    splits = {name: _check_split(arrays, suffix) for name, suffix in SUFFIXES.items() if held_out or name == "train"}
    _check_alike(splits)
    return splits if held_out else _draw_splits(splits["train"])


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            unknown = [name for name in file.files if name not in NAMES]
            if unknown:
                raise DataError(f"{path.name}: expected arrays called {', '.join(NAMES)}, got {unknown[0]!r}")
            return {name: _array(file, name) for name in file.files}
    except LOAD_ERRORS as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        reason = "a single array" if isinstance(error, TypeError) else reason  # made with numpy.save
        raise DataError(f"{path.name}: expected a file made with numpy.savez, got another: {reason}") from None
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise DataError(f"{path.name}: expected a file made with numpy.savez, got a pickle or no arrays") from None
        raise


def _array(file: "np.lib.npyio.NpzFile", name: str) -> np.ndarray:
    try:
        array = file[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise DataError(f"{name}: expected a whole array, got a damaged one: {error}") from None
        raise DataError(f"{name}: expected an array of numbers, got Python objects (a pickle)") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise DataError(f"{name}: expected integers or floats, got {getattr(array, 'dtype', 'other bytes')}")
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            array = array.astype(np.float32)
        if bad := np.count_nonzero(~np.isfinite(array)):
            raise DataError(
                f"{name}: expected finite numbers of 32 bits, got {bad} that are NaN, infinite or too large"
            )
    if array.dtype.kind != "f" and array.size and not -1 <= int(array.min()) <= int(array.max()) < MAX_CLASSES:
        raise DataError(
            f"{name}: expected integers from 0 below {MAX_CLASSES:,} (floats, if they are measurements),"
            f" got {array.min()} to {array.max()}"
        )
    return array if array.dtype.kind == "f" else array.astype(np.int32)


def _check_split(arrays: dict[str, np.ndarray], suffix: str) -> Split:
    x, y, lengths = (arrays.get(f"{part}{suffix}") for part in ("x", "y", "lengths"))
    if x is None or y is None:
        raise DataError(f"x{suffix}, y{suffix}: expected both, got one")
    if x.ndim != (3 if x.dtype.kind == "f" else 2) or 0 in x.shape[1:]:
        raise DataError(
            f"x{suffix}: expected floats (n, time, features) or integer tokens (n, time), got {x.dtype} {x.shape}"
        )
    if x.dtype.kind == "i" and x.min(initial=0) < 0:
        raise DataError(f"x{suffix}: expected tokens from 0, got {x.min()}")
    if not y.ndim or len(x) != len(y):
        got = len(y) if y.ndim else "a single number"
        raise DataError(f"y{suffix}: expected one for each of the {len(x)} samples of x{suffix}, got {got}")
    y = _check_answers(y, x, f"y{suffix}")
    if lengths is not None:
        _check_lengths(lengths, x, y, f"lengths{suffix}")
    return x, y, lengths


def _check_answers(y: np.ndarray, x: np.ndarray, name: str) -> np.ndarray:
    """y in a shape that is trained on: numbers get an axis of values if they have none."""
    if y.dtype.kind == "f" and y.ndim == 1:
        y = y[:, None]
    dimensions = (1, 2) if y.dtype.kind == "i" else (2, 3)
    if y.ndim not in dimensions or 0 in y.shape[1:] or (y.ndim == dimensions[1] and y.shape[1] != x.shape[1]):
        raise DataError(
            f"{name}: expected classes (n,) or (n, time={x.shape[1]}), or floats (n,), (n, values) or"
            f" (n, time={x.shape[1]}, values), got {y.dtype} {y.shape}"
        )
    if y.dtype.kind == "i" and y.ndim == 1 and y.min(initial=0) < 0:
        raise DataError(f"{name}: expected classes from 0, got {y.min()}")
    return y


def _check_lengths(lengths: np.ndarray, x: np.ndarray, y: np.ndarray, name: str) -> None:
    if lengths.shape != (len(x),) or lengths.dtype.kind != "i":
        raise DataError(f"{name}: expected integers ({len(x)},), got {lengths.dtype} {lengths.shape}")
    if len(lengths) and not 1 <= lengths.min() <= lengths.max() <= x.shape[1]:
        raise DataError(f"{name}: expected 1 to {x.shape[1]}, got {lengths.min()} to {lengths.max()}")
    if y.ndim == 3:
        raise DataError(
            f"{name}: expected none where y is floats at every step, since the steps behind the end would be scored"
        )


def _check_alike(splits: dict[str, Split]) -> None:
    """Checks that the splits have data of one shape and type, and that training has enough of them."""
    train = splits["train"]
    for name, (x, y, lengths) in splits.items():
        if not len(x):
            raise DataError(f"x{SUFFIXES[name]}: expected samples, got none")
        if not _scored(y, lengths).any():
            raise DataError(f"y{SUFFIXES[name]}: expected a class somewhere, got none: all are -1")
        for part, array, trained in (("x", x, train[0]), ("y", y, train[1])):
            if (array.dtype, array.shape[1:]) != (trained.dtype, trained.shape[1:]):
                expected, got = f"{trained.dtype} {trained.shape[1:]}", f"{array.dtype} {array.shape[1:]}"
                raise DataError(f"{part}{SUFFIXES[name]}: expected samples as in {part}, {expected}, got {got}")
        if (lengths is None) != (train[2] is None):
            raise DataError(f"lengths{SUFFIXES[name]}: expected lengths for every split or for none")
    if len(splits) == 1 and len(train[0]) < MIN_SAMPLES:
        raise DataError(f"x: expected at least {MIN_SAMPLES} samples to split 80/10/10, got {len(train[0])}")
    if train[1].dtype.kind == "i" and len(np.unique(train[1][train[1] >= 0])) < 2:
        raise DataError("y: expected at least two classes, got one")


def _scored(y: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
    """True for the answers that count: all numbers, and every class before its sequence's end that is not -1."""
    if y.dtype.kind == "f" or y.ndim == 1 or lengths is None:
        return np.asarray(y >= 0) if y.dtype.kind == "i" else np.ones(len(y), bool)
    return (y >= 0) & (np.arange(y.shape[1]) < lengths[:, None])


def _draw_splits(data: Split) -> dict[str, Split]:
    """Splits the data 80/10/10 in one fixed random order."""
    x, y, lengths = data
    order = np.random.default_rng(0).permutation(len(x))
    first, second = len(order) * 8 // 10, len(order) * 9 // 10
    rows = {"train": order[:first], "val": order[first:second], "test": order[second:]}
    return {name: (x[own], y[own], None if lengths is None else lengths[own]) for name, own in rows.items()}
