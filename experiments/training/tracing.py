"""What TensorFlow does with a model before its first training step, no more often and no more than it pays."""

import keras
import tensorflow as tf


def trace_as_one(model: keras.Model) -> None:
    """Lets `fit` call a function of ours for the `steps_per_execution` training steps between two looks of Python's.

    Keras' own is traced in two parts, the step by itself and then the loop around it. This one computes what it does,
    `Model.train_step` on batch after batch of a dataset, and ends early with the data. `fit` must know how many batches
    there are: else it would not end. `train_on_batch`, which has no dataset, is not for such a model. A model that
    Keras compiles with XLA as a whole keeps Keras' function.
    """
    if model.jit_compile:
        return

    @tf.function(reduce_retracing=True, autograph=False)
    def steps(iterator: tf.data.Iterator) -> dict[str, tf.Tensor]:
        def train(data: tf.experimental.Optional) -> tf.Tensor:
            model.train_step(data.get_value())
            return tf.constant(True)

        def body(done: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            data = iterator.get_next_as_optional()
            return done + 1, tf.cond(data.has_value(), lambda: train(data), lambda: tf.constant(False))

        def more(done: tf.Tensor, there: tf.Tensor) -> tf.Tensor:
            return tf.logical_and(done < model.steps_per_execution, there)

        tf.while_loop(more, body, (tf.constant(0), tf.constant(True)))
        return dict(model.get_metrics_result())

    model.train_function = steps


def rewrite_graphs(on: bool) -> None:
    """Whether TensorFlow rewrites the graphs that it runs from now on (Grappler).

    Keras' loops become a fifth faster by it. A kernel that XLA compiles gains nothing, and the rewriting takes 0.1 s of
    a trial, that of its horizon included.
    """
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": not on})
