"""Step 4, evaluate: how sure an answer may be said to be.

Numbers get a half-width, so that "prediction plus or minus half-width" holds the truth in a given share
of new rows. The parts of a model get weights, so that what is said with 80 % is right in 80 of 100 rows.
All are read off rows that the model did not learn from.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from firstlight.plain.targets import blended


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


def fit_weights(probabilities: Tensor, labels: Tensor) -> Tensor:
    """How far to believe each part of a model, by held-out answers: weights (parts,) for `blended`, all above 0.

    probabilities: (parts, rows, classes). A part alone gets 1 over its temperature (Guo et al. 2017). Smoothing (Platt
    1999, 2.2) and a pull towards 1 / parts, of one row's worth, keep few rows from being certain.
    """
    logs = torch.zeros(len(probabilities), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([logs], max_iter=100, tolerance_grad=1e-8, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        answers = blended(probabilities, logs.exp() / len(logs)).log()
        loss = F.cross_entropy(answers, labels, label_smoothing=1 / (len(labels) + 2))
        loss = loss + logs.square().sum() / (2 * len(labels))
        loss.backward()
        return loss

    optimiser.step(loss)
    return logs.detach().exp() / len(logs)


def least_squares_weights(guesses: Tensor, targets: Tensor) -> Tensor:
    """How much each part of a model is to be believed: weights (parts,) float64, none below 0.

    guesses: the numbers that each part gave, (parts, rows), in deviations from the mean; targets: (rows,), likewise.
    The weighted sum has the least squared error; a part that would be counted the other way round counts nothing.
    """
    known = list(range(len(guesses)))
    while True:
        chosen = guesses[known].double()
        found = torch.linalg.lstsq(chosen.T, targets.double().unsqueeze(1), driver="gelsd").solution.flatten()
        if (found >= 0).all() or len(known) == 1:
            break
        known.pop(int(found.argmin()))
    return torch.zeros(len(guesses), dtype=torch.float64).index_copy(0, torch.tensor(known), found.clamp_min(0))
