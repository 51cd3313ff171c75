"""Step 4, evaluate: how sure an answer may be said to be.

Numbers get a half-width, so that "prediction plus or minus half-width" holds the truth in a given share
of new rows. Probabilities get a temperature, or the parts of a model weights, so that what is said with 80 % is right
in 80 of 100 rows. All are read off rows that the model did not learn from.
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


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The number to divide logits (rows, classes) by, so that their softmax is right as often as it says: 0.05 to 20.

    Source: Guo et al. 2017; the smoothing, without which a model with no mistake would be certain: Platt 1999, 2.2.
    """
    share = 1 / (len(labels) + 2)
    temperatures = torch.logspace(math.log10(0.05), math.log10(20), 600, dtype=torch.float64)  # 1 % apart
    losses = [F.cross_entropy(logits.double() / each, labels, label_smoothing=share) for each in temperatures]
    return temperatures[torch.stack(losses).argmin()].item()


def fit_weights(probabilities: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """How far to believe each part of a model: weights (parts,), none below 0, and a bias for each class (classes,).

    probabilities: held-out answers (parts, rows, classes). Those of `blended` with the least log loss, by Newton's
    method with each class's bias on its own; a pull towards 0 keeps few rows from being certain.
    """
    parts, rows, classes = probabilities.shape
    logs, goals = probabilities.double().clamp_min(1e-12).log(), F.one_hot(labels, classes)
    weights, bias = torch.full((parts,), 1 / parts, dtype=torch.float64), torch.zeros(classes, dtype=torch.float64)
    pull = 1e-3

    def loss(weights: Tensor, bias: Tensor) -> float:
        held = pull * (weights.square().sum() + bias.square().sum()) / 2
        return (F.nll_loss(blended(probabilities, weights, bias).log(), labels) + held).item()

    lowest, share = loss(weights, bias), 1.0
    while share > 1e-3:
        chances = blended(probabilities, weights, bias)
        error, centred = (chances - goals) / rows, logs - (logs * chances).sum(dim=2, keepdim=True)
        bend = torch.einsum("arc,rc,brc->ab", centred, chances / rows, centred) + pull * torch.eye(parts)
        step = torch.linalg.solve(bend, (logs * error).sum(dim=(1, 2)) + pull * weights)
        bias_step = (error.sum(dim=0) + pull * bias) / ((chances * (1 - chances)).mean(dim=0) + pull)
        while share > 1e-3:
            tried = (weights - share * step).clamp_min(0), bias - share * bias_step
            if (found := loss(*tried)) < lowest - 1e-9:
                lowest, share, (weights, bias) = found, 1.0, tried
                break
            share /= 2
    return weights, bias


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
