"""The norms of the gradients in training, noted inside the graph: no step waits for Python."""

from typing import Any

import numpy as np
import tensorflow as tf

QUANTILES = {"gradient/norm_10pct": 0.1, "gradient/norm_median": 0.5, "gradient/norm_90pct": 0.9}


class GradientNorms:
    """Of each step of the last epoch the norm over all gradients together, before they are clipped.

    It is the norm that Keras clips: of an embedding every token read counts by itself, also one that is read twice. The
    optimizer's configuration and variables stay as they are: checkpoints and saved models know nothing of it.

    Args:
        optimizer: is watched from now on.
        steps: of an epoch.
    """

    def __init__(self, optimizer: Any, steps: int) -> None:
        self.norms = tf.Variable(tf.zeros(steps), trainable=False)
        self.clip = optimizer.global_clipnorm
        apply = optimizer.apply

        def noted(gradients: Any, variables: Any = None) -> Any:
            place = tf.cast(tf.convert_to_tensor(optimizer.iterations), tf.int32) % steps
            norm = tf.cast(tf.linalg.global_norm(gradients), tf.float32)
            self.norms.scatter_nd_update([[place]], [norm])
            return apply(gradients, variables)

        optimizer.apply = noted

    def summary(self) -> dict[str, float]:
        """Quantiles of the finite norms, and the share of the steps that were clipped; {} if no norm is finite."""
        norms = self.norms.numpy()
        finite = norms[np.isfinite(norms)]
        if not len(finite):
            return {}
        found = {name: float(np.quantile(finite, share)) for name, share in QUANTILES.items()}
        return found | ({"gradient/clipped": float(np.mean(~(norms <= self.clip)))} if self.clip else {})
