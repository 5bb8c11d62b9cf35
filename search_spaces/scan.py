"""Recurrent layers as loops that XLA compiles, gradients included: the kernel `xla`.

Keras computes a recurrent layer step by step: at every time step a product for the input, one for the state and, on the
way back, two more for the gradients of the weights, each an operation of its own. Here only what must wait for the step
before is inside the loop; products with all time steps at once are taken before it and after it, as cuDNN does. The
gradients are written by hand, so that the loops keep no more than they need. All tensors are `(time, batch, …)`.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

Tensors = Sequence[tf.Tensor]
Step = Callable[[Tensors, Tensors], tuple[Tensors, Tensors]]


class Scanned:
    """Goes before a Keras recurrent layer among the bases of a cell's layer: computes it with a scan.

    Subclasses have `forward_pass(x, states, weights, mask)`, which returns the last states and what to keep, first the
    states at every step, and `backward_pass(x, states, weights, mask, kept, ends, outputs)`, which turns the gradients
    of the last states and of the outputs at every step (or None) into those of x, the states and the weights.
    """

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
            ends, kept = forward(x, given[:count], given[count:], mask)
            return ends, kept, functools.partial(backward, x, given[:count], given[count:], mask, kept)

        @tf.custom_gradient
        def every(*given: tf.Tensor) -> Any:
            ends, kept, back = run(*given)
            return (kept[0], *ends), lambda outputs, *ends: tuple(back(ends, outputs))

        @tf.custom_gradient
        def last(*given: tf.Tensor) -> Any:
            ends, _, back = run(*given)
            return tuple(ends), lambda *ends: tuple(back(ends, None))

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


def product(x: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """x `(time, batch, m)` times weights `(m, n)`."""
    shape = tf.shape(x)
    return tf.reshape(tf.matmul(_rows(x), weights), (shape[0], shape[1], weights.shape[1]))


def gradients(x: tf.Tensor, weights: tf.Tensor, gates: Tensors) -> tuple[tf.Tensor, tf.Tensor]:
    """Those of x and of the weights `(m, k·n)` in `product`, for gradients of its k gates `(time, batch, n)`."""
    shape, parts = tf.shape(x), zip(gates, tf.split(weights, len(gates), 1), strict=True)
    of_x = tf.add_n([tf.matmul(_rows(gate), part, transpose_b=True) for gate, part in parts])
    return tf.reshape(of_x, shape), weight_gradient(x, gates)


def weight_gradient(x: tf.Tensor, gates: Tensors) -> tf.Tensor:
    return tf.concat([tf.matmul(_rows(x), _rows(gate), transpose_a=True) for gate in gates], 1)


def bias_gradient(gates: Tensors) -> tf.Tensor:
    return tf.concat([tf.reduce_sum(gate, (0, 1)) for gate in gates], 0)


def transposed(weights: tf.Tensor, gates: int) -> list[tf.Tensor]:
    """The transposed square blocks `(n, n)` of recurrent weights `(n, gates·n)`."""
    return [tf.transpose(part) for part in tf.split(weights, gates, 1)]


def _rows(x: tf.Tensor) -> tf.Tensor:
    return tf.reshape(x, (-1, x.shape[-1]))
