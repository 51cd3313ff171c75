"""Step 4, evaluate: how sure an answer may be said to be.

Numbers get a half-width, so that "prediction plus or minus half-width" holds the truth in a given share
of new rows. Probabilities get a temperature, so that what is said with 80 % is right in 80 of 100 rows.
Both are read off rows that the model did not learn from.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def conformal_halfwidth(residuals: Tensor, share: float) -> float:
    """Half-width around a prediction that holds the truth of a new row with probability `share` or more.

    residuals: (rows,), truth minus prediction, each by a model that did not learn from its row.
    Infinite where there are too few rows to promise anything: for 0.95, fewer than 19.
    Source: Vovk et al. 2005, "Algorithmic learning in a random world"; over folds, Barber et al. 2021.
    """
    # the new row's own residual is one more of the same kind: hence rows + 1
    rank = math.ceil((len(residuals) + 1) * share)
    if rank > len(residuals):
        return math.inf
    return residuals.double().abs().kthvalue(max(rank, 1)).values.item()


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The number to divide logits (rows, classes) by, so that their softmax is right as often as it says: 0.05 to 20.

    Source: Guo et al. 2017; the smoothing, without which a model with no mistake would be certain: Platt 1999, 2.2.
    """
    share = 1 / (len(labels) + 2)
    temperatures = torch.logspace(math.log10(0.05), math.log10(20), 600, dtype=torch.float64)  # 1 % apart
    losses = [F.cross_entropy(logits.double() / each, labels, label_smoothing=share) for each in temperatures]
    return temperatures[torch.stack(losses).argmin()].item()
