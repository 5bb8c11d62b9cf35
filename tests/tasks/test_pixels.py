"""Images as sequences: the splits, the one permutation, repeated steps, and MNIST from a server."""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from support.downloads import Server, server  # noqa: F401  a fixture

from experiments.tasks import pixels
from experiments.tasks.base import SPLITS
from experiments.tasks.loading.find import make


def whole(source: str, **options: str) -> tuple[np.ndarray, np.ndarray]:
    """All three splits together, (count, steps) and (count,)."""
    task = make("pixels", {"source": source, **options})
    parts = [task.split(split, 0) for split in SPLITS]
    return np.concatenate([x[:, :, 0] for x, _ in parts]), np.concatenate([y for _, y in parts])


def rows(x: np.ndarray, y: np.ndarray) -> list[tuple[Any, ...]]:
    return sorted((*image.tolist(), int(label)) for image, label in zip(x, y, strict=True))


def test_digits_are_scikit_learns() -> None:
    images, labels = load_digits(return_X_y=True)
    assert rows(*whole("digits")) == rows((images / 16).astype(np.float32), labels)
    assert [len(make("pixels", {}).split(split, 0)[0]) for split in SPLITS] == [1437, 180, 180]
    assert np.bincount(labels).max() == 183  # the floor of 10.2% over all of them


def test_mnist1d_is_what_the_authors_generator_makes() -> None:
    from mnist1d.data import get_dataset_args, make_dataset

    made = make_dataset(get_dataset_args())
    x, y = whole("mnist1d")
    np.testing.assert_array_equal(x, np.concatenate([made["x"], made["x_test"]]).astype(np.float32))
    np.testing.assert_array_equal(y, np.concatenate([made["y"], made["y_test"]]))
    assert x.shape == (5000, 40)
    task = make("pixels", {"source": "mnist1d"})
    assert len(task.split("test", 0)[0]) == 1000
    assert np.bincount(task.split("test", 0)[1]).max() == 106  # of 1,000: the floor of the definition


def test_one_permutation_for_all_splits() -> None:
    plain, permuted = (make("pixels", {"permuted": permuted}) for permuted in ("no", "yes"))
    orders = []
    for split in SPLITS:
        x, moved = plain.split(split, 0)[0][:, :, 0], permuted.split(split, 1)[0][:, :, 0]
        np.testing.assert_array_equal(np.sort(x), np.sort(moved))
        orders.append([step for step in range(64) if (x[:, 0] == moved[:, step]).all()])
        order = np.random.default_rng(0).permutation(64)
        np.testing.assert_array_equal(x[:, order], moved)
        assert sorted(order) == list(range(64))
    assert not np.array_equal(order, np.arange(64))


def test_a_value_is_shown_several_times() -> None:
    once, thrice = make("pixels", {}), make("pixels", {"repeat": "3"})
    x, repeated = once.split("val", 0)[0], thrice.split("val", 0)[0]
    assert (once.steps, thrice.steps, repeated.shape[1]) == (64, 192, 192)
    for shift in range(3):
        np.testing.assert_array_equal(repeated[:, shift::3], x)


def test_more_images_than_there_are() -> None:
    with pytest.raises(ValueError, match=r"^val: expected at most the 180 images of digits, got 181$"):
        make("pixels", {"val": "181"}).split("val", 0)
    with pytest.raises(ValueError, match=r"^source: expected one of digits, mnist1d, mnist, got 'cifar'$"):
        make("pixels", {"source": "cifar"})


@pytest.fixture
def mnist(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:  # noqa: F811
    """A server with a file of MNIST's form."""
    rng, file = np.random.default_rng(0), io.BytesIO()
    parts = {"train": 60_000, "test": 10_000}
    arrays: dict[str, Any] = {f"x_{part}": np.zeros((count, 28, 28), np.uint8) for part, count in parts.items()}
    arrays |= {f"y_{part}": rng.integers(0, 10, count, np.uint8) for part, count in parts.items()}
    arrays["x_test"][:, 0, 1] = 255
    np.savez_compressed(file, **arrays)
    server.body = file.getvalue()
    monkeypatch.setenv("RECURRENT_SEARCH_CACHE", str(tmp_path))
    monkeypatch.setattr(pixels, "MNIST", server.url)
    monkeypatch.setattr(pixels, "MNIST_SHA256", hashlib.sha256(server.body).hexdigest())
    pixels._load.cache_clear()
    yield server
    pixels._load.cache_clear()


def test_mnist_is_downloaded_once(mnist: Server) -> None:
    task = make("pixels", {"source": "mnist"})
    assert [len(task.split(split, 0)[0]) for split in SPLITS] == [54_000, 6_000, 10_000]
    x, _ = task.split("test", 0)
    assert x.shape == (10_000, 784, 1) and x[:, 1].min() == 1 and x.sum() == 10_000
    pixels._load.cache_clear()
    task.split("val", 0)
    assert len(mnist.asked) == 1


def test_another_file_than_mnist_is_refused(mnist: Server) -> None:
    mnist.body = mnist.body[:-1] + b"?"
    with pytest.raises(ValueError, match="^mnist.npz: expected .* with sha256 [0-9a-f]{64}, got sha256 [0-9a-f]{64}$"):
        make("pixels", {"source": "mnist"}).split("train", 0)


def test_a_class_without_a_training_image_is_never_the_nearest() -> None:
    task = make("pixels", {"train": "5"})
    (x, y), (x_val, y_val) = (task.split(split, 0) for split in ("train", "val"))
    assert 1 < len(set(y.tolist())) < 10
    centres = {label: x[y == label][:, 32:, 0].mean(axis=0) for label in set(y.tolist())}
    far = [{label: np.sum((image[32:, 0] - mean) ** 2) for label, mean in centres.items()} for image in x_val]
    right = np.mean([min(one, key=one.__getitem__) == label for one, label in zip(far, y_val, strict=True)])
    assert task.floors()["half_memory"] == pytest.approx(right)
