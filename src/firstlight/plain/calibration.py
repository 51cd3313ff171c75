"""Step 4, evaluate: how sure an answer may be said to be.

Numbers get a half-width, so that "prediction plus or minus half-width" holds the truth in a given share
of new rows. Probabilities get a temperature, so that what is said with 80 % is right in 80 of 100 rows.
Both are read off rows that the model did not learn from.
"""

from __future__ import annotations

import math

from torch import Tensor


def conformal_halfwidth(residuals: Tensor, share: float) -> float:
    """Half-width around a prediction that holds the truth of a new row with probability `share` or more.

    residuals: (rows,), truth minus prediction, each by a model that did not learn from its row.
    Infinite where there are too few rows to promise anything: for 0.95, fewer than 19.
    Source: Vovk et al. 2005, "Algorithmic learning in a random world"; over folds, Barber et al. 2021.
    """
    # the new row's own residual is one more of the same kind: hence rows + 1
    rank = math.ceil((len(residuals) + 1) * share - 1e-9)  # 1e-9: the product may be rounded up
    if rank > len(residuals):
        return math.inf
    return residuals.double().abs().kthvalue(max(rank, 1)).values.item()


def calibration_loss(logits: Tensor, labels: Tensor, sharpness: float) -> float:
    """Mean log loss of softmax(sharpness * logits), as if one row in rows + 2 were of any class by chance.

    That imaginary row keeps a model that is right in every row from being called certain.
    Source: Platt 1999, "Probabilistic outputs for support vector machines", section 2.2.
    """
    logs = (sharpness * logits).log_softmax(dim=1)  # (rows, classes)
    by_chance = 1 / (len(labels) + 2)
    of_truth = logs.gather(1, labels[:, None]).mean().item()
    return -(1 - by_chance) * of_truth - by_chance * logs.mean().item()


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The number to divide logits by, so that their softmax is right as often as it says: 0.05 to 20.

    logits: (rows, classes); labels: (rows,) int64; of rows that the model did not learn from.
    Source: Guo et al. 2017, "On calibration of modern neural networks", section 4.2.
    """
    logits = logits.double()
    # the loss has one valley: golden-section search narrows the bracket around it by 0.618 a step
    golden = (math.sqrt(5) - 1) / 2
    low, high = math.log(0.05), math.log(20)  # of the temperature's logarithm
    for _ in range(40):
        left, right = high - golden * (high - low), low + golden * (high - low)
        of_left, of_right = (calibration_loss(logits, labels, math.exp(-at)) for at in (left, right))
        if of_left <= of_right:
            high = right
        else:
            low = left
    return math.exp((low + high) / 2)
