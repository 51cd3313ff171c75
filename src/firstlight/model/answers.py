"""What a model answered, row by row: class probabilities, or numbers with their range."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class ClassAnswers:
    """Probabilities of a classifier, each row finite, not negative, and summing to 1."""

    probabilities: Tensor  # (rows, classes), floating

    def __post_init__(self) -> None:
        if self.probabilities.ndim != 2 or self.probabilities.shape[1] == 0:
            raise ValueError(f"need probabilities (rows, classes); got {tuple(self.probabilities.shape)}")
        sums = self.probabilities.double().sum(dim=1)
        sound = (self.probabilities >= 0).all(dim=1) & ((sums - 1).abs() < 1e-3)  # nan fails both
        if not sound.all():
            row = int((~sound).nonzero()[0].item())
            raise ValueError(f"row {row} does not hold probabilities: {self.probabilities[row].tolist()}")

    def of(self, rows: Tensor) -> ClassAnswers:
        """The answers to some of the rows: numbers of rows, or (rows,) bool."""
        return ClassAnswers(self.probabilities[rows])

    def __len__(self) -> int:
        return len(self.probabilities)


@dataclass(frozen=True, eq=False)
class NumberAnswers:
    """Predicted numbers and the range, low to high, that is said to hold the truth in 95 of 100 rows.

    The range may be infinite (too few rows to promise anything), the prediction may not.
    """

    predictions: Tensor  # (rows,), in the target's unit
    low: Tensor  # (rows,)
    high: Tensor  # (rows,)

    def __post_init__(self) -> None:
        shapes = [tuple(part.shape) for part in (self.predictions, self.low, self.high)]
        if self.predictions.ndim != 1 or len(set(shapes)) > 1:
            raise ValueError(f"need three tensors of (rows,); got the shapes {shapes}")
        sound = torch.isfinite(self.predictions) & (self.low <= self.high)  # a nan bound is not <= anything
        if not sound.all():
            row = int((~sound).nonzero()[0].item())
            low, middle, high = (part[row].item() for part in (self.low, self.predictions, self.high))
            raise ValueError(f"row {row} does not hold a number and its range: {middle}, {low} to {high}")

    def of(self, rows: Tensor) -> NumberAnswers:
        """The answers to some of the rows: numbers of rows, or (rows,) bool."""
        return NumberAnswers(self.predictions[rows], self.low[rows], self.high[rows])

    def __len__(self) -> int:
        return len(self.predictions)


Answers = ClassAnswers | NumberAnswers
