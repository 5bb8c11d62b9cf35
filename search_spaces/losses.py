"""The loss of models that answer bits."""

from typing import Any

import keras
from keras import ops

NOT_SCORED = -1  # a bit without an answer


@keras.saving.register_keras_serializable("recurrent_search")  # Keras clones a compiled model with its loss
class MaskedBinaryCrossentropy(keras.losses.BinaryCrossentropy):
    """The mean cross-entropy over the bits that are scored. Those with the answer -1 are not.

    Keras' own loss has no `ignore_class`. With a weight of 0 at the steps that are not scored it gives the same mean.
    """

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        y_true = ops.cast(y_true, y_pred.dtype)
        weights = ops.cast(ops.not_equal(y_true, NOT_SCORED), y_pred.dtype)
        if sample_weight is not None:
            axes = len(weights.shape) - len(sample_weight.shape)
            weights *= ops.reshape(ops.cast(sample_weight, y_pred.dtype), (*ops.shape(sample_weight), *[1] * axes))
        # With an axis behind the outputs each bit has a weight of its own. It also drops the mask of padded steps,
        # which have no answer anyway.
        return super().__call__(ops.maximum(y_true, 0)[..., None], y_pred[..., None], weights)


def masked_binary() -> MaskedBinaryCrossentropy:
    """The loss of logits `(…, outputs)` against 0, 1 and -1, a mean over everything that is scored."""
    return MaskedBinaryCrossentropy(from_logits=True, reduction="mean_with_sample_weight")
