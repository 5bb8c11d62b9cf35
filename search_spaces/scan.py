"""Recurrent layers as loops that XLA compiles, gradients included: the kernel `xla`.

Keras computes a recurrent layer step by step, each product and each gate an operation of its own, and on the way back
two products more at every step for the gradients of the weights. Here a loop is one program. The gradients are written
by hand: the loops keep no more than they need, and those of the weights are taken once for all steps. The products of
the inputs could be too, but in the loop they are still in the processor's cache when the gates need them: an LSTM of
width 128 goes forward in 27 instead of 33 ms. All tensors are `(time, batch, …)`.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

Tensors = Sequence[tf.Tensor]
Step = Callable[[Tensors, Tensors], tuple[Tensors, Tensors]]


class Scanned:
    """Goes before a Keras recurrent layer among the bases of a cell's layer: computes it with a scan.

    Subclasses have `forward_pass(x, states, weights, mask)`, which returns the last states and what to keep, first the
    states at every step; `backward_pass(states, recurrent, mask, kept, ends, outputs)`, which turns the gradients
    of the last states and of the outputs at every step (or None) into those of the first states and of the gates; and
    which of these gates, in Keras' order, hold products with the inputs and which with the states. The way back knows
    nothing of the inputs: layers of one width share its program, the last ones one and those below another.
    """

    gates_of_inputs: tuple[int, ...]
    gates_of_states: tuple[int, ...]

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """What Keras' layers call between the checks of their inputs and those of their outputs."""
        outputs, states = self._scan(self._by_time(sequences), self._by_time(mask), initial_state)
        return states[0], states[0][:, None] if outputs is None else tf.transpose(outputs, (1, 0, 2)), states

    def _by_time(self, part: tf.Tensor | None) -> tf.Tensor | None:
        if part is None:
            return None
        part = tf.transpose(part, (1, 0, *range(2, len(part.shape))))
        return tf.reverse(part, [0]) if self.go_backwards else part  # type: ignore[attr-defined]

    def _scan(self, x: tf.Tensor, mask: tf.Tensor | None, states: Tensors) -> tuple[tf.Tensor | None, list[tf.Tensor]]:
        forward, backward = _compiled(self.forward_pass), _compiled(self.backward_pass)  # type: ignore[attr-defined]
        cell, count = self.cell, len(states)  # type: ignore[attr-defined]
        weights = [tf.convert_to_tensor(part.value) for part in (cell.kernel, cell.recurrent_kernel, cell.bias)]

        def run(x: tf.Tensor, *more: tf.Tensor) -> tuple[Tensors, Tensors, Callable[..., Tensors]]:
            # An eager tape must not look inside: what loops keep cannot leave what XLA has compiled.
            x, *given = (tf.stop_gradient(part) for part in (x, *more))
            states, weights = given[:count], given[count:]
            ends, kept = forward(x, states, weights, mask)

            def back(ends: Tensors, outputs: tf.Tensor | None) -> Tensors:
                first, gates = backward(states, weights[1], mask, kept, ends, outputs)
                places = self.gates_of_inputs, self.gates_of_states
                outer, inner = ([gates[place] for place in part] for part in places)
                # Left to TensorFlow, which is faster than XLA at large products and leaves out that of x if it can.
                of_weights = weight_gradient(x, outer), recurrent_gradient(states[0], kept[0], inner)
                biases = [outer, inner] if weights[2].shape.rank == 2 else [outer]
                of_bias = tf.reshape([bias_gradient(part) for part in biases], weights[2].shape)
                return input_gradient(outer, weights[0], tf.shape(x)), *first, *of_weights, of_bias

            return ends, kept, back

        @tf.custom_gradient
        def every(*given: tf.Tensor) -> Any:
            ends, kept, back = run(*given)
            return (kept[0], *ends), lambda outputs, *ends: back(ends, outputs)

        @tf.custom_gradient
        def last(*given: tf.Tensor) -> Any:
            ends, _, back = run(*given)
            return tuple(ends), lambda *ends: back(ends, None)

        if self.return_sequences:  # type: ignore[attr-defined]
            outputs, *ends = every(x, *states, *weights)
            return outputs, ends
        return None, list(last(x, *states, *weights))


@functools.cache
def _compiled(function: Callable[..., Any]) -> Any:
    """One for all models of a process: what has been compiled for a shape is there for the next trial."""
    return tf.function(function, jit_compile=True, autograph=False)


def forward(step: Step, inputs: Tensors, states: Tensors, gates: int, mask: Any) -> tuple[Tensors, Tensors]:
    """Goes over time once.

    Args:
        step: takes the inputs of a time step and the states; returns the next states and `gates` tensors to keep.
        states: at the beginning, each `(batch, width)`.
        mask: `(time, batch)`; where it is False the states stay as they are.

    Returns the last states, and what was kept, each `(time, batch, width)`: the states, then the gates.
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
    """Goes back over time once.

    Args:
        step: takes the inputs of a time step and the gradients of the states after it; returns those of the states
            before it and the gradients of `gates` gates.
        ends: gradients of the last states.
        outputs: gradients of the first state at every step, or None.

    Returns the gradients of the first states, and those of the gates, each `(time, batch, width)`.
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
    # Arrays of their own instead of one that they are joined in: XLA would compute the whole of it for every part.
    arrays = [tf.TensorArray(states[0].dtype, steps, element_shape=states[0].shape) for _ in range(kept)]

    def body(done: tf.Tensor, states: Tensors, arrays: Sequence[tf.TensorArray]) -> tuple[Any, Any, Any]:
        time = steps - 1 - done if backwards else done
        found, values = step([part[time] for part in inputs], states)
        return done + 1, list(found), [array.write(time, value) for array, value in zip(arrays, values, strict=True)]

    start = (tf.constant(0), list(states), arrays)
    _, ends, arrays = tf.while_loop(lambda done, *_: done < steps, body, start, maximum_iterations=steps)
    return ends, [array.stack() for array in arrays]


def before(first: tf.Tensor, sequence: tf.Tensor) -> tf.Tensor:
    """The states before each step: `first`, then all of `sequence` but its last."""
    return tf.concat([first[None], sequence[:-1]], 0)


def input_gradient(gates: Tensors, kernel: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """That of the inputs, of `shape`, where the gates hold their products with `kernel` `(features, k·width)`."""
    parts = zip(gates, tf.split(kernel, len(gates), 1), strict=True)
    return tf.reshape(tf.add_n([tf.matmul(_rows(gate), part, transpose_b=True) for gate, part in parts]), shape)


def weight_gradient(x: tf.Tensor, gates: Tensors) -> tf.Tensor:
    """That of the weights `(m, k·width)` by which x `(time, batch, m)` comes into the k gates."""
    return tf.concat([tf.matmul(_rows(x), _rows(gate), transpose_a=True) for gate in gates], 1)


def recurrent_gradient(first: tf.Tensor, hs: tf.Tensor, gates: Tensors) -> tf.Tensor:
    """That of the weights by which the states before each step, `first` and then `hs`, come into the gates."""
    later = weight_gradient(hs[:-1], [gate[1:] for gate in gates])  # views, but for very small layers
    return later + weight_gradient(first[None], [gate[:1] for gate in gates])


def bias_gradient(gates: Tensors) -> tf.Tensor:
    """A product with ones: at width 128 `tf.reduce_sum` takes four times as long."""
    return weight_gradient(tf.ones_like(gates[0][..., :1]), gates)[0]


def _rows(x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(x, (-1, x.shape[-1]))


def scanned(model: keras.Model) -> bool:
    """Whether the kernel `xla` computes a layer of the model."""
    layers = (getattr(layer, "forward_layer", layer) for layer in model.layers)  # of Bidirectional, one of its sides
    return any(isinstance(layer, Scanned) for layer in layers)
