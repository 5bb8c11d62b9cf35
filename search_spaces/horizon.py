"""Measures how far back a model sees: how the gradient of its last state shrinks or grows with the lag of the input.

For a random projection s = <v, h_T> of the last state, v ~ N(0, 1) for each sample, the gain at lag tau is
G_tau = exp(mean over samples of ln |ds / dx_{T - tau}|). The gradient of the task's loss is not used: after training it
has spikes at the steps that the task marks. The rate is the slope of ln G_tau by least squares over the lags 1 to L.
The half-life is ln 2 / -rate steps. With a rate of 0 or more the gradient does not shrink.
"""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from search_spaces.errors import SpaceError
from search_spaces.halves import ENCODER, SOURCE
from search_spaces.native.layers import Native
from search_spaces.plain import stock
from search_spaces.scan import scanned

SAMPLES = 16
MAX_PADDING = 8  # a batch up to this many times the samples takes less time than tracing Keras' layers
SHORT_LAG = 50  # the last lag of the short half-life; plain cells are said to have lost the signal there
MIN_STEPS, MAX_STEPS = 100, 1_000  # steps that a model is probed over
MIN_GAIN = 1e-30  # smaller gains are rounding errors of float32
FLOAT32_MIN, FLOAT32_MAX = 1e-45, 3e38  # smaller numbers are 0 in float32, larger ones infinite
LOST_SHARE = 0.01  # the signal counts as lost below this share of the first gain
SINGLE_LAGS, GEOMETRIC_LAGS = 20, 40  # in a plot: the first lags one by one, the others in geometric steps


class GradientProbe:
    """Measures the gains of a model by one backward pass for each set of weights.

    The probe is what the model reads: `samples` sequences of `steps` steps.

    Args:
        model: Sequential or functional, with one input. Its last layer is the head, which reads the last state.
        steps: length T of the probe.
        samples: number of sequences of the probe.
        x: the probe, `(samples, time, features)` or tokens `(samples, time)`. By default features are N(0, 1) and
            tokens are drawn uniformly. For tokens the gradient is the one with respect to their embeddings.
        compiled: the batch size that the model's kernel has been compiled for, with `steps` steps; 0 for none. If it
            is from 1 to MAX_PADDING times `samples`, the probe is padded to this size, and the model's own layers read
            the probe. Otherwise stock Keras layers read it. They take longer to trace but are not compiled. Layers of
            the kernel `native` are compiled for every size, so they read the probe in any case.

    Raises SpaceError for a probe that is too short for SHORT_LAG lags.
    """

    def __init__(
        self,
        model: keras.Model,
        steps: int = MIN_STEPS,
        samples: int = SAMPLES,
        seed: int = 0,
        x: np.ndarray | None = None,
        compiled: int = 0,
    ) -> None:
        steps = steps if x is None else x.shape[1]
        if steps <= SHORT_LAG:
            raise SpaceError(f"steps: expected more than {SHORT_LAG}, got {steps}")
        self.weights = model.get_weights()
        embedding = next((layer for layer in model.layers if isinstance(layer, keras.layers.Embedding)), None)
        self.table = None if embedding is None else _place(embedding.embeddings, model.weights)
        rng = np.random.default_rng(seed)
        self.x = _probe(model, embedding, rng, (samples, steps)) if x is None else x
        size = model.input_shape[-1] if self.table is None else self.weights[self.table].shape[1]
        self.samples = len(self.x)
        use_compiled = self.samples <= compiled <= MAX_PADDING * self.samples
        self.batch = compiled if use_compiled else self.samples
        self.model = _copy(model, keras.Input((None, size)), use_compiled or scanned(model, Native))
        state = self.model.layers[-1].input
        v = np.random.default_rng((seed, 1)).standard_normal((self.samples, state.shape[-1])).astype(np.float32)
        self.gradient = _gradient(keras.Model(self.model.inputs, state), self._padded(v), (None, steps, size))

    def curve(self, weights: list[np.ndarray] | None = None) -> np.ndarray:
        """ln G at the lags 0 to T - 1. `weights`, in the order of `get_weights`, replace the model's own."""
        weights, x = list(self.weights if weights is None else weights), self.x
        if self.table is not None:
            x = weights.pop(self.table)[x]
        self.model.set_weights(weights)
        found = self.gradient(tf.constant(self._padded(x)))[: self.samples]
        found = np.asarray(found, np.float64)  # in float32 the squares of small numbers would be 0
        sizes = np.nan_to_num(np.linalg.norm(found, axis=2), nan=FLOAT32_MAX, posinf=FLOAT32_MAX)
        return np.asarray(np.log(np.clip(sizes, FLOAT32_MIN, FLOAT32_MAX)).mean(axis=0)[::-1])

    def _padded(self, rows: np.ndarray) -> np.ndarray:
        return np.resize(rows, (self.batch, *rows.shape[1:]))


def _place(variable: keras.Variable, variables: list[keras.Variable]) -> int:
    return next(place for place, other in enumerate(variables) if other is variable)


def _probe(
    model: keras.Model, embedding: keras.layers.Embedding | None, rng: np.random.Generator, shape: tuple[int, int]
) -> np.ndarray:
    if embedding is None:
        return rng.standard_normal((*shape, model.input_shape[-1])).astype(np.float32)
    return rng.integers(int(embedding.mask_zero), embedding.input_dim, shape, np.int32)


def _copy(model: keras.Model, start: keras.KerasTensor, own_layers: bool) -> keras.Model:
    """A copy with new weights that reads `start`; if the model embeds its input, `start` replaces the embeddings.

    Args:
        own_layers: copies the model's own layers; otherwise stock Keras layers stand for them.
    """

    def copied(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, keras.layers.Embedding):
            return keras.layers.Identity(name=layer.name)
        # For two passes the compilation of the kernel `xla` takes longer than the kernel saves.
        return _same(layer) if own_layers else stock(layer)

    # Embeddings make a mask from ids, which the copy does not read. No step of a probe is padding: no mask is needed.
    own_call = {} if isinstance(model, keras.Sequential) else {"call_function": _unmasked}
    return keras.models.clone_model(model, input_tensors=start, clone_function=copied, **own_call)


def _same(layer: keras.layers.Layer) -> keras.layers.Layer:
    """A layer of the same class with new weights."""
    return type(layer).from_config(layer.get_config())


def _unmasked(layer: keras.layers.Layer, *given: Any, mask: Any = None, **more: Any) -> Any:
    return layer(*given, **more)


def _gradient(model: keras.Model, v: np.ndarray, shape: tuple[int | None, ...]) -> Any:
    """ds/dx as a function of x.

    The batch size is free in `shape`, since it is free in training: a program compiled for training is found again.
    """

    def gradient(x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            state = model(x, training=False)
            s = tf.reduce_sum(v * tf.cast(state if len(state.shape) == 2 else state[:, -1], tf.float32))
        return tape.gradient(s, x)

    return tf.function(gradient, autograph=False).get_concrete_function(tf.TensorSpec(shape, tf.float32))


def probe_steps(steps: int) -> int:
    """The length of the probe for a task with this number of steps."""
    return min(max(steps, MIN_STEPS), MAX_STEPS)


def rate(curve: np.ndarray, longest: int) -> float:
    """The slope of ln G per step over the lags 1 to `longest`, without gains below MIN_GAIN.

    Where fewer than two gains are left, the signal is lost within a step, and the rate is ln MIN_GAIN.
    """
    lags = np.arange(1, min(longest, len(curve) - 1) + 1)
    lags = lags[curve[lags] >= math.log(MIN_GAIN)]
    return float(np.polyfit(lags, curve[lags], 1)[0]) if len(lags) > 1 else math.log(MIN_GAIN)


def half_life(slope: float, steps: int) -> float:
    """The steps after which a gain with this `rate` is halved, at most the T `steps` of the probe.

    Where the gain does not shrink, this is T.
    """
    return min(math.log(2) / -slope, steps) if slope < 0 else float(steps)


def summary(curve: np.ndarray) -> dict[str, float]:
    """The curve in numbers.

    half_life_50, rate_50   over the first SHORT_LAG lags
    half_life, rate         over all lags
    g50_g0                  the gain at SHORT_LAG as a share of the first gain
    tau_1pct                the first lag whose gain is below LOST_SHARE of the first gain, T if there is none
    tau_eff                 the mean lag, weighted by the gains
    """
    steps, gains = len(curve), np.exp(curve - curve[0])
    short, whole = rate(curve, SHORT_LAG), rate(curve, steps - 1)
    lost = np.flatnonzero(gains < LOST_SHARE)
    return {
        "half_life_50": half_life(short, steps),
        "half_life": half_life(whole, steps),
        "rate_50": short,
        "rate": whole,
        "g50_g0": float(gains[SHORT_LAG]),
        "tau_1pct": float(lost[0] if len(lost) else steps),
        "tau_eff": float(np.sum(np.arange(steps) * gains) / np.sum(gains)),
    }


def plot_points(curve: np.ndarray) -> dict[str, list[float]]:
    """The curve at some tens of lags, for a plot: the lags, and log10(G / G_0) at each."""
    last = len(curve) - 1
    lags = np.unique([*range(SINGLE_LAGS), *np.geomspace(SINGLE_LAGS, last, GEOMETRIC_LAGS).round().astype(int)])
    return {"lags": lags.tolist(), "log10_gain": ((curve[lags] - curve[0]) / math.log(10)).round(3).tolist()}


def of_encoder(model: keras.Model, initial: list[np.ndarray]) -> tuple[keras.Model, list[np.ndarray]]:
    """The encoder of a model of both halves, with a head that nobody reads, and its first weights.

    Args:
        initial: the weights that the whole model began with, in the order of `get_weights`.
    """
    cells = [one for one in model.layers if isinstance(one, keras.layers.RNN) and one.name.startswith(ENCODER)]
    own = [model.get_layer(SOURCE), *cells]
    copies = [_same(layer) if isinstance(layer, Native) else stock(layer) for layer in own]
    for layer in copies[1:]:
        layer.return_state, layer.return_sequences = False, layer is not copies[-1]
    encoder = keras.Sequential([keras.Input((None,), dtype="int32"), *copies, keras.layers.Dense(1)])
    places = [_place(variable, model.weights) for layer in own for variable in layer.weights]
    head = encoder.layers[-1].get_weights()
    whole = model.get_weights()
    encoder.set_weights([*(whole[place] for place in places), *head])
    return encoder, [*(initial[place] for place in places), *head]


def measure(
    model: keras.Model, initial: list[np.ndarray], steps: int, seed: int = 0, compiled: int = 0
) -> dict[str, Any]:
    """`summary` and `plot_points` of a model, for its own weights (`trained`) and for its first weights (`init`).

    Args:
        initial: the weights that the model began with, in the order of `get_weights`.
        steps: time steps of the task.
        compiled: the batch size that the model's kernel has been compiled for, with `steps` steps; 0 for none.
    """
    length = probe_steps(steps)
    probe = GradientProbe(model, length, seed=seed, compiled=compiled if length == steps else 0)
    curves = {"trained": probe.curve(), "init": probe.curve(initial)}
    return {moment: {"summary": summary(curve), "curve": plot_points(curve)} for moment, curve in curves.items()}
