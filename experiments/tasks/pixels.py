"""Pixels: read an image (or a signal), one value at each step, and name its class at the end.

    digits   64 steps, 8x8 pixels row by row, / 16      mnist1d  40 steps      mnist  784 steps, / 255

`digits` are scikit-learn's 1,797 handwritten digits, `mnist1d` 4,000 + 1,000 signals made by the authors' own
generator, `mnist` is downloaded and verified. `permuted` shuffles the steps, by one permutation for all splits.
Each value is shown `repeat` times. Scored by accuracy. No memory: the most frequent class of the split; half of the
memory: the class whose mean over the training images is nearest in the second half of the steps.

Solved: report it; no number counts as solved.
Published, mnist in order / permuted: Arjovsky et al. 2016, arXiv:1511.06464, uRNN 95.1 / 91.4; Cooijmans et al. 2017,
arXiv:1603.09025, LSTM 98.9 / 90.2 (100 units, RMSprop 1e-3, momentum 0.9, clipping at 1); Bai et al. 2018,
arXiv:1803.01271, 70,000 parameters, LSTM 87.2 / 85.7 (1x130, RMSprop 1e-3, clipping at 1), GRU 96.2 / 87.3, RNN 21.5 /
25.3; Hu et al. 2018, arXiv:1801.06105, RMSprop 1e-6, LSTM 1x100 24.1 / 28.5. mnist1d: Greydanus & Kobak 2024,
arXiv:2011.14439, GRU 91, but bidirectional and read at every step (6 units, Adam 1e-2, batch 100).
Source: Le et al. 2015, arXiv:1504.00941 (mnist); Greydanus & Kobak 2024.
"""

import functools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from experiments.tasks.base import SPLITS, Arrays, Task, option
from tracking.errors import BadInput

SOURCES = ("digits", "mnist1d", "mnist")
CLASSES = 10
SIZES = {"digits": (1_437, 180, 180), "mnist1d": (3_600, 400, 1_000), "mnist": (54_000, 6_000, 10_000)}  # of the splits
LICENCES = {
    "digits": "CC BY 4.0: Optical Recognition of Handwritten Digits, UCI",
    "mnist1d": "Apache-2.0",
    "mnist": "CC BY-SA 3.0: Yann LeCun and Corinna Cortes",
}
MNIST = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


@dataclass(frozen=True, kw_only=True)
class Pixels(Task):
    """x float32 `(count, steps, 1)`, y int32 `(count,)` from 0 to 9."""

    metric: ClassVar[str] = "accuracy"
    direction: ClassVar[str] = "max"
    knob: ClassVar[str] = "repeat"
    loss: ClassVar[str] = "categorical"
    finite_data: ClassVar[str] = "there are only so many images"
    default_trials: ClassVar[int] = 20
    default_epochs: ClassVar[int] = 20

    source: str = option("digits", "digits, mnist1d or mnist", choices=SOURCES)
    permuted: bool = option(False, "the steps in one fixed random order")
    repeat: int = option(1, "times that each value is shown: 1 is easy, 8 hard", 1)
    train: int = option(0, "training images that are used, from the first; 0 for all", 0)
    val: int = option(0, "the same for validation", 0)
    test: int = option(0, "the same for the test, read by finals and export alone", 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, size in zip(SPLITS, SIZES[self.source], strict=True):
            if (count := getattr(self, name)) > size:
                raise BadInput(f"{name}: expected at most the {size} images of {self.source}, got {count}")

    @property
    def licence(self) -> str:
        return LICENCES[self.source]

    @property
    def features(self) -> int:
        return 1

    @property
    def outputs(self) -> int:
        return CLASSES

    @property
    def steps(self) -> int:
        return self.repeat * {"digits": 64, "mnist1d": 40, "mnist": 784}[self.source]

    def split(self, name: str, seed: int, epoch: int = 0) -> Arrays:
        images, classes = _load(self.source)[SPLITS.index(name)]
        count = getattr(self, name) or len(images)
        if self.permuted:
            images = images[:, np.random.default_rng(0).permutation(images.shape[1])]
        return np.repeat(images[:count], self.repeat, axis=1)[:, :, None], classes[:count]

    def floors(self, split: str = "val") -> dict[str, float]:
        (x_train, y_train), (x, y) = self.split("train", 0), self.split(split, 0)
        half = slice(self.steps // 2, None)
        labels = np.unique(y_train)  # a small training split may lack a class
        means = np.stack([x_train[y_train == label][:, half, 0].mean(axis=0) for label in labels])
        nearest = labels[((x[:, None, half, 0] - means) ** 2).sum(axis=-1).argmin(axis=1)]
        return {"no_memory": float(np.bincount(y).max() / len(y)), "half_memory": float(np.mean(y == nearest))}


@functools.cache
def _load(source: str) -> tuple[Arrays, Arrays, Arrays]:
    """Training, validation and test images (count, steps) float32 with their classes."""
    if source == "digits":
        from sklearn.datasets import load_digits

        x, y = load_digits(return_X_y=True)
        order = np.random.default_rng(0).permutation(len(x))
        return _cut(x[order] / 16, y[order], source)
    if source == "mnist1d":
        from mnist1d.data import get_dataset_args, make_dataset

        made = make_dataset(get_dataset_args())
        x, y = (np.concatenate([made[first], made[second]]) for first, second in (("x", "x_test"), ("y", "y_test")))
        return _cut(x, y, source)
    from experiments.data.downloads import fetch

    with np.load(fetch(MNIST, MNIST_SHA256, "mnist.npz"), allow_pickle=False) as file:
        x, y = (np.concatenate([file[f"{part}_train"], file[f"{part}_test"]]) for part in "xy")
    return _cut(x.reshape(len(x), -1) / 255, y, source)


def _cut(x: np.ndarray, y: np.ndarray, source: str) -> tuple[Arrays, Arrays, Arrays]:
    x, y = x.astype(np.float32), y.astype(np.int32)
    first, second, _ = np.cumsum(SIZES[source])
    return (x[:first], y[:first]), (x[first:second], y[first:second]), (x[second:], y[second:])
