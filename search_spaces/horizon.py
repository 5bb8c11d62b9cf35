"""How far back a model sees: how the gradient of its last state shrinks, or grows, with the lag of the input.

For a random projection s = <v, h_T> of the last state, v ~ N(0, 1) for each sample, the gain at lag tau is
G_tau = exp(mean over samples of ln |ds / dx_{T - tau}|). Never that of the task's loss: after training its gradient has
spikes where the task has its marks. The rate is the slope of ln G_tau by least squares over the lags 1 to L, the
half-life ln 2 / -rate steps. A rate from 0 up is a gradient that does not shrink.
"""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from search_spaces.errors import SpaceError
from search_spaces.plain import stock

SAMPLES = 16
MOST = 8  # times as many samples are still read sooner than Keras' layers are traced
SHORT = 50  # the lag of the short half-life: plain cells are said to lose the signal there
SHORTEST, LONGEST = 100, 1_000  # steps that a model is probed over
LEAST = 1e-30  # gains below are rounding errors of float32
SMALLEST, LARGEST = 1e-45, 3e38  # what float32 has lost below and above
GONE = 0.01  # the share of the first gain below which the signal counts as lost
SINGLE, POINTS = 20, 40  # lags of a drawn curve: the first ones one by one, the others in geometric steps


class Gauge:
    """Measures one model with one weights after the other: by one backward pass each.

    Args:
        model: Sequential or functional, of one input; its last layer is the head, which reads the last state.
        steps: length T of the probe.
        samples: of the probe.
        x: reads these samples `(samples, time, features)` or `(samples, time)` of tokens; by default features are
            N(0, 1) and tokens drawn uniformly. Of tokens the gradient is that with respect to their embeddings.
        compiled: samples of `steps` steps that the model's kernel has been compiled for. If these are neither fewer nor
            many more, its own layers read the probe, filled up to so many; else Keras' do, which take longer to trace
            but need not be compiled.

    Raises SpaceError for a probe that is too short for SHORT lags.
    """

    def __init__(
        self,
        model: keras.Model,
        steps: int = SHORTEST,
        samples: int = SAMPLES,
        seed: int = 0,
        x: np.ndarray | None = None,
        compiled: int = 0,
    ) -> None:
        steps = steps if x is None else x.shape[1]
        if steps <= SHORT:
            raise SpaceError(f"steps: expected more than {SHORT}, got {steps}")
        self.weights = model.get_weights()
        tables = [(part.embeddings, part) for part in model.layers if isinstance(part, keras.layers.Embedding)]
        self.table = next((at for at, one in enumerate(model.weights) for of, _ in tables if one is of), None)
        rng = np.random.default_rng(seed)
        self.x = _probe(model, tables[0][1] if tables else None, rng, (samples, steps)) if x is None else x
        size = model.input_shape[-1] if self.table is None else self.weights[self.table].shape[1]
        self.samples = len(self.x)
        fits = self.samples <= compiled <= MOST * self.samples
        self.read = compiled if fits else self.samples
        self.model = _reading(model, keras.Input((None, size)), fits)
        state = self.model.layers[-1].input
        v = np.random.default_rng((seed, 1)).standard_normal((self.samples, state.shape[-1])).astype(np.float32)
        self.gradient = _gradient(keras.Model(self.model.inputs, state), self._filled(v), (None, steps, size))

    def curve(self, weights: list[np.ndarray] | None = None) -> np.ndarray:
        """ln G at the lags 0 to T - 1; of the model's own weights, or of these, as `get_weights` gives them."""
        weights, x = list(self.weights if weights is None else weights), self.x
        if self.table is not None:
            x = weights.pop(self.table)[x]
        self.model.set_weights(weights)
        found = self.gradient(tf.constant(self._filled(x)))[: self.samples]
        found = np.asarray(found, np.float64)  # float32 would lose small ones in squares
        sizes = np.nan_to_num(np.linalg.norm(found, axis=2), nan=LARGEST, posinf=LARGEST)
        return np.asarray(np.log(np.clip(sizes, SMALLEST, LARGEST)).mean(axis=0)[::-1])

    def _filled(self, rows: np.ndarray) -> np.ndarray:
        return np.resize(rows, (self.read, *rows.shape[1:]))


def _probe(
    model: keras.Model, embedding: keras.layers.Embedding | None, rng: np.random.Generator, shape: tuple[int, int]
) -> np.ndarray:
    if embedding is None:
        return rng.standard_normal((*shape, model.input_shape[-1])).astype(np.float32)
    return rng.integers(int(embedding.mask_zero), embedding.input_dim, shape, np.int32)


def _reading(model: keras.Model, start: keras.KerasTensor, compiled: bool) -> keras.Model:
    """A copy that reads `start`, in place of an embedding's output where there is one; without the model's weights."""

    def copied(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, keras.layers.Embedding):
            return keras.layers.Identity(name=layer.name)
        # for two passes a compilation would take longer than it saves
        return type(layer).from_config(layer.get_config()) if compiled else stock(layer)

    return keras.models.clone_model(model, input_tensors=start, clone_function=copied)


def _gradient(model: keras.Model, v: np.ndarray, shape: tuple[int | None, ...]) -> Any:
    """ds/dx as a function of x. Kernels know no number of samples: what was compiled for training is found again."""

    def gradient(x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            state = model(x, training=False)
            s = tf.reduce_sum(v * tf.cast(state if len(state.shape) == 2 else state[:, -1], tf.float32))
        return tape.gradient(s, x)

    return tf.function(gradient, autograph=False).get_concrete_function(tf.TensorSpec(shape, tf.float32))


def probe_steps(steps: int) -> int:
    """The length of the probe for a task of so many steps."""
    return min(max(steps, SHORTEST), LONGEST)


def rate(curve: np.ndarray, longest: int) -> float:
    """The slope of ln G over the lags 1 to `longest`, per step, of gains that float32 can tell from nothing.

    Where fewer than two are left the signal is lost within a step, and the rate is ln LEAST.
    """
    lags = np.arange(1, min(longest, len(curve) - 1) + 1)
    lags = lags[curve[lags] >= math.log(LEAST)]
    return float(np.polyfit(lags, curve[lags], 1)[0]) if len(lags) > 1 else math.log(LEAST)


def half_life(rate: float, steps: int) -> float:
    """Steps after which a gain is halved; at most the T steps that were looked at, where it does not shrink, too."""
    return min(math.log(2) / -rate, steps) if rate < 0 else float(steps)


def summary(curve: np.ndarray) -> dict[str, float]:
    """The curve in numbers: half-lives and rates over SHORT lags and over all, the gain that is left after SHORT lags,
    the first lag with less than GONE of the first gain (T if there is none), and the mean lag, weighted by its gain."""
    steps, gains = len(curve), np.exp(curve - curve[0])
    short, whole = rate(curve, SHORT), rate(curve, steps - 1)
    gone = np.flatnonzero(gains < GONE)
    return {
        "half_life_50": half_life(short, steps),
        "half_life": half_life(whole, steps),
        "rate_50": short,
        "rate": whole,
        "g50_g0": float(gains[SHORT]),
        "tau_1pct": float(gone[0] if len(gone) else steps),
        "tau_eff": float(np.sum(np.arange(steps) * gains) / np.sum(gains)),
    }


def drawn(curve: np.ndarray) -> dict[str, list[float]]:
    """Some tens of points that show the curve: lags, and log10(G / G_0) at each."""
    last = len(curve) - 1
    lags = np.unique([*range(SINGLE), *np.geomspace(SINGLE, last, POINTS).round().astype(int)])
    return {"lags": lags.tolist(), "log10_gain": ((curve[lags] - curve[0]) / math.log(10)).round(3).tolist()}


def measure(
    model: keras.Model, initial: list[np.ndarray], steps: int, seed: int = 0, compiled: int = 0
) -> dict[str, Any]:
    """`summary` and `drawn` of a model as it is (`trained`) and with the weights that it began with (`init`).

    `compiled` is Gauge's, for sequences of `steps` steps.
    """
    gauge = Gauge(model, probe_steps(steps), seed=seed, compiled=compiled if probe_steps(steps) == steps else 0)
    curves = {"trained": gauge.curve(), "init": gauge.curve(initial)}
    return {moment: {"summary": summary(curve), "curve": drawn(curve)} for moment, curve in curves.items()}
