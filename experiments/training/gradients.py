"""The norms of the gradients in training. TensorFlow's graph stores them, so that no step waits for Python."""

from typing import Any

import numpy as np
import tensorflow as tf

QUANTILES = {"gradient/norm_10pct": 0.1, "gradient/norm_median": 0.5, "gradient/norm_90pct": 0.9}


class GradientNorms:
    """The global norm of the gradients before clipping, for each training step of the last epoch.

    It is the norm that Keras clips. If a batch reads a token twice, both readings count separately in the gradient of
    the embedding. The configuration and the variables of the optimizer do not change. Checkpoints and saved models are
    the same as without this class.

    Args:
        optimizer: of Keras. Its `apply` stores the norms from now on.
        steps_per_epoch: training steps of an epoch.
    """

    def __init__(self, optimizer: Any, steps_per_epoch: int) -> None:
        self.norms = tf.Variable(tf.zeros(steps_per_epoch), trainable=False)
        self.clip = optimizer.global_clipnorm
        apply = optimizer.apply

        def apply_and_store(gradients: Any, variables: Any = None) -> Any:
            step = tf.cast(tf.convert_to_tensor(optimizer.iterations), tf.int32) % steps_per_epoch
            norm = tf.cast(tf.linalg.global_norm(gradients), tf.float32)
            self.norms.scatter_nd_update([[step]], [norm])
            return apply(gradients, variables)

        optimizer.apply = apply_and_store

    def summary(self) -> dict[str, float]:
        """Quantiles of the finite norms, and the share of clipped steps if the optimizer clips.

        {} if no norm is finite.
        """
        norms = self.norms.numpy()
        finite = norms[np.isfinite(norms)]
        if not len(finite):
            return {}
        found = {name: float(np.quantile(finite, share)) for name, share in QUANTILES.items()}
        return found | ({"gradient/clipped": float(np.mean(~(norms <= self.clip)))} if self.clip else {})
