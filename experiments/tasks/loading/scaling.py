"""The scale of a user's numbers: each column less its mean, divided by its deviation, both of the training split."""

from dataclasses import dataclass
from typing import Any

import numpy as np

AS_THEY_ARE, STANDARD = "none", "standard"
KINDS = (AS_THEY_ARE, STANDARD)  # of -o scale=
ABOUT = "standard: features, and numbers to predict, less their mean and divided by their deviation in training"


@dataclass(frozen=True)
class Scale:
    """`mean` and `deviation` of each column, float64 `(columns,)`. A column that is always the same has deviation 1."""

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray) -> "Scale":
        """The scale of numbers `(…, columns)`, without the rows that are NaN."""
        rows = rows.reshape(-1, rows.shape[-1])
        exact = rows[~np.isnan(rows).any(axis=1)].astype(np.float64)
        deviation = exact.std(axis=0)
        return cls(exact.mean(axis=0), np.where(deviation > 0, deviation, 1.0))

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """Values `(…, columns)` in this scale, float32."""
        return np.asarray((values - self.mean) / self.deviation, np.float32)

    def in_units(self, values: np.ndarray) -> np.ndarray:
        """What values in this scale are in the units of the file."""
        return np.asarray(values * self.deviation + self.mean)

    def about(self, name: str) -> dict[str, Any]:
        """For `model.json`."""
        return {f"{name}_mean": self.mean.tolist(), f"{name}_deviation": self.deviation.tolist()}
