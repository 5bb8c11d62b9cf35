"""Saves time before the first training step: TensorFlow traces a model once and rewrites graphs only if that pays."""

import keras
import tensorflow as tf

REWRITTEN = ("cudnn", "loop")  # the kernels whose graphs Grappler makes faster


def trace_as_one(model: keras.Model) -> None:
    """Replaces the model's `train_function` by one that TensorFlow traces once.

    A train function runs `steps_per_execution` training steps. Keras' own function is traced in two parts: first the
    training step, then the loop around it. The function here computes the same. It calls `Model.train_step` on one
    batch after another, and stops when the dataset has no more.

    Two things do not work with it. `fit` does not end with a dataset of unknown length, and `train_on_batch` has no
    dataset. A model that Keras compiles with XLA as a whole keeps Keras' function.
    """
    if model.jit_compile:
        return

    @tf.function(reduce_retracing=True, autograph=False)
    def train_function(iterator: tf.data.Iterator) -> dict[str, tf.Tensor]:
        def train(data: tf.experimental.Optional) -> tf.Tensor:
            model.train_step(data.get_value())
            return tf.constant(True)

        def body(done: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            data = iterator.get_next_as_optional()
            return done + 1, tf.cond(data.has_value(), lambda: train(data), lambda: tf.constant(False))

        def condition(done: tf.Tensor, has_data: tf.Tensor) -> tf.Tensor:
            return tf.logical_and(done < model.steps_per_execution, has_data)

        tf.while_loop(condition, body, (tf.constant(0), tf.constant(True)))
        return dict(model.get_metrics_result())

    model.train_function = train_function


def rewrite_graphs(on: bool) -> None:
    """Switches Grappler on or off for all graphs that are run later. Grappler is TensorFlow's graph optimizer.

    Keras' loops are a fifth faster with it. The kernels `xla` and `native` gain nothing from it. Grappler itself takes
    0.1 s in each trial.
    """
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": not on})
