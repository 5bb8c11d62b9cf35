"""Recurrent layers as loops that XLA compiles, gradients included: the kernel `xla`.

Keras computes a recurrent layer step by step. Each product and each gate is a separate operation, and the backward
pass takes two more products at every step for the gradients of the weights. Here a loop is one program. The gradients
are written by hand: the loops keep only what the gradients need, and the gradients of the weights are computed once for
all steps. The products with the inputs are computed inside the loop, since they are then still in the processor's cache
when the gates need them: an LSTM of width 128 takes 27 ms forward instead of 33. All tensors are `(time, batch, …)`.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

Tensors = Sequence[tf.Tensor]
Step = Callable[[Tensors, Tensors], tuple[Tensors, Tensors]]


class Scanned:
    """Computes a Keras recurrent layer with a scan. A subclass names this class first and the Keras layer second.

    A subclass has:
        forward_pass(x, states, weights, mask): returns the last states and what to keep. The states at every step come
            first among what is kept.
        backward_pass(states, recurrent, mask, kept, ends, outputs): takes the gradients of the last states and of the
            outputs at every step, or None for these. Returns the gradients of the first states and of the gates.
        gates_of_inputs: places of the gates that have products with the inputs, in Keras' order. A place is an index
            into the gates that backward_pass returns.
        gates_of_states: the same for products with the states.

    The backward pass does not depend on the size of the input, so layers of one width share its program. Only a layer
    that returns only its last output has a different program.
    """

    gates_of_inputs: tuple[int, ...]
    gates_of_states: tuple[int, ...]

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """Keras' layers call this after they have checked their inputs and before they check their outputs."""
        outputs, states = self._scan(self._by_time(sequences), self._by_time(mask), initial_state)
        return states[0], states[0][:, None] if outputs is None else tf.transpose(outputs, (1, 0, 2)), states

    def _by_time(self, part: tf.Tensor | None) -> tf.Tensor | None:
        if part is None:
            return None
        part = tf.transpose(part, (1, 0, *range(2, len(part.shape))))
        return tf.reverse(part, [0]) if self.go_backwards else part  # type: ignore[attr-defined]

    def _scan(self, x: tf.Tensor, mask: tf.Tensor | None, states: Tensors) -> tuple[tf.Tensor | None, list[tf.Tensor]]:
        """(outputs at every step, or None; the last states) for x `(time, batch, features)`."""
        go_forward = _compiled(self.forward_pass)  # type: ignore[attr-defined]
        go_backward = _compiled(self.backward_pass)  # type: ignore[attr-defined]
        cell, count, sequences = self.cell, len(states), self.return_sequences  # type: ignore[attr-defined]
        weights = [tf.convert_to_tensor(part.value) for part in (cell.kernel, cell.recurrent_kernel, cell.bias)]

        @tf.custom_gradient
        def run(*arguments: tf.Tensor) -> tuple[Tensors, Callable[..., Tensors]]:
            # An eager tape must not record the loops: what they keep cannot leave the program that XLA has compiled.
            x, *more = (tf.stop_gradient(part) for part in arguments)
            states, weights = more[:count], more[count:]
            ends, kept = go_forward(x, states, weights, mask)

            def gradients(*of_results: tf.Tensor) -> Tensors:
                of_outputs, of_ends = (of_results[0], of_results[1:]) if sequences else (None, of_results)
                of_states, gates = go_backward(states, weights[1], mask, kept, of_ends, of_outputs)
                of_x, *of_weights = self._layer_gradients(x, states[0], kept[0], weights, gates)
                return of_x, *of_states, *of_weights

            return (kept[0], *ends) if sequences else tuple(ends), gradients

        results = list(run(x, *states, *weights))
        return (results.pop(0) if sequences else None), results

    def _layer_gradients(
        self, x: tf.Tensor, first: tf.Tensor, hs: tf.Tensor, weights: Tensors, gates: Tensors
    ) -> tuple[tf.Tensor, ...]:
        """Gradients of x, kernel, recurrent kernel and bias, from those of the gates at every step.

        TensorFlow computes them, and not XLA. It is faster at large products, and it leaves out the gradient of x where
        nobody needs it.
        """
        kernel, _, bias = weights
        by_inputs = [gates[place] for place in self.gates_of_inputs]
        by_states = [gates[place] for place in self.gates_of_states]
        biases = [by_inputs, by_states] if bias.shape.rank == 2 else [by_inputs]
        return (
            input_gradient(by_inputs, kernel, tf.shape(x)),
            weight_gradient(x, by_inputs),
            recurrent_gradient(first, hs, by_states),
            tf.reshape([bias_gradient(part) for part in biases], bias.shape),
        )


@functools.cache
def _compiled(function: Callable[..., Any]) -> Any:
    """One program for all models of a process: the next trial finds what has been compiled for a shape."""
    return tf.function(function, jit_compile=True, autograph=False)


def forward(step: Step, inputs: Tensors, states: Tensors, gates: int, mask: Any) -> tuple[Tensors, Tensors]:
    """Goes over time once, from the first step to the last.

    Args:
        step: takes the inputs of a time step and the states; returns the next states and `gates` tensors to keep.
        gates: the number of tensors that a step keeps beside the states.
        states: the states before the first step, each `(batch, width)`.
        mask: `(time, batch)`; where it is False the states do not change.

    Returns the last states and what was kept, the states first, then the gates, each `(time, batch, width)`.
    """

    def masked(parts: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        found, kept = step(parts[1:] if mask is not None else parts, states)
        if mask is not None:
            found = [tf.where(parts[0], new, old) for new, old in zip(found, states, strict=True)]
        return found, [*found, *kept]

    return _loop(masked, _with(mask, inputs), states, len(states) + gates, backwards=False)


def backward(
    step: Step, inputs: Tensors, ends: Tensors, outputs: Any, gates: int, mask: Any
) -> tuple[Tensors, Tensors]:
    """Goes over time once, from the last step to the first.

    Args:
        step: takes the inputs of a time step and the gradients of the states after it; returns those of the states
            before it and the gradients of `gates` gates.
        ends: gradients of the last states.
        outputs: gradients of the layer's outputs at every step, or None.
        gates, mask: as for `forward`.

    Returns the gradients of the first states and those of the gates, each `(time, batch, width)`.
    """

    def masked(parts: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        parts, states = list(parts), list(states)
        here = parts.pop(0) if mask is not None else None
        if outputs is not None:
            states[0] += parts.pop(0)
        if here is None:
            return step(parts, states)
        found, kept = step(parts, [tf.where(here, state, 0.0) for state in states])
        return [new + tf.where(here, 0.0, state) for new, state in zip(found, states, strict=True)], kept

    inputs = inputs if outputs is None else [outputs, *inputs]
    return _loop(masked, _with(mask, inputs), ends, gates, backwards=True)


def _with(mask: Any, inputs: Tensors) -> Tensors:
    return inputs if mask is None else [mask[..., None], *inputs]


def _loop(step: Step, inputs: Tensors, states: Tensors, kept: int, backwards: bool) -> tuple[Tensors, Tensors]:
    steps = tf.shape(inputs[-1])[0]
    # Each tensor has its own array. XLA would compute a joined array as a whole for each part that is read from it.
    arrays = [tf.TensorArray(states[0].dtype, steps, element_shape=states[0].shape) for _ in range(kept)]

    def body(done: tf.Tensor, states: Tensors, arrays: Sequence[tf.TensorArray]) -> tuple[Any, Any, Any]:
        time = steps - 1 - done if backwards else done
        found, values = step([part[time] for part in inputs], states)
        return done + 1, list(found), [array.write(time, value) for array, value in zip(arrays, values, strict=True)]

    start = (tf.constant(0), list(states), arrays)
    _, ends, arrays = tf.while_loop(lambda done, *_: done < steps, body, start, maximum_iterations=steps)
    return ends, [array.stack() for array in arrays]


def before(first: tf.Tensor, sequence: tf.Tensor) -> tf.Tensor:
    """The states before each step: `first`, then all of `sequence` without its last state."""
    return tf.concat([first[None], sequence[:-1]], 0)


def input_gradient(gates: Tensors, kernel: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """The gradient of the inputs, in `shape`. k gates hold their products with `kernel` `(features, k·width)`."""
    parts = zip(gates, tf.split(kernel, len(gates), 1), strict=True)
    return tf.reshape(tf.add_n([tf.matmul(_rows(gate), part, transpose_b=True) for gate, part in parts]), shape)


def weight_gradient(x: tf.Tensor, gates: Tensors) -> tf.Tensor:
    """The gradient of the weights `(m, k·width)`; k gates hold products of x `(time, batch, m)` with these weights."""
    return tf.concat([tf.matmul(_rows(x), _rows(gate), transpose_a=True) for gate in gates], 1)


def recurrent_gradient(first: tf.Tensor, hs: tf.Tensor, gates: Tensors) -> tf.Tensor:
    """The gradient of the recurrent weights; the gates hold products of the states before each step with them.

    Args:
        first: the state before the first step `(batch, width)`.
        hs: the states after each step `(time, batch, width)`.
    """
    # These slices are not copied, except in small layers.
    later = weight_gradient(hs[:-1], [gate[1:] for gate in gates])
    return later + weight_gradient(first[None], [gate[:1] for gate in gates])


def bias_gradient(gates: Tensors) -> tf.Tensor:
    """The gradient of the bias, as a product with ones: at width 128 `tf.reduce_sum` takes four times as long."""
    return weight_gradient(tf.ones_like(gates[0][..., :1]), gates)[0]


def _rows(x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(x, (-1, x.shape[-1]))


def scanned(model: keras.Model, kind: type = Scanned) -> bool:
    """Whether the kernel `xla`, or another one whose layers are of this kind, computes a layer of the model."""
    layers = (getattr(layer, "forward_layer", layer) for layer in model.layers)  # one side of Bidirectional will do
    return any(isinstance(layer, kind) for layer in layers)
