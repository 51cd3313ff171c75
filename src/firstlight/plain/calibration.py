"""Step 4, evaluate: how sure an answer may be said to be.

Numbers get a half-width, so that "prediction plus or minus half-width" holds the truth in a given share
of new rows. Probabilities get a temperature, or the parts of a model weights, so that what is said with 80 % is right
in 80 of 100 rows. All are read off rows that the model did not learn from; rows to which an answer is NaN are left out.
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
    logits, labels = (values[logits.isfinite().all(dim=1)] for values in (logits, labels))
    temperatures = torch.logspace(math.log10(0.05), math.log10(20), 600, dtype=torch.float64)  # 1 % apart
    losses = [F.cross_entropy(logits.double() / t, labels, label_smoothing=1 / (len(labels) + 2)) for t in temperatures]
    return temperatures[torch.stack(losses).argmin()].item()


def fit_weights(probabilities: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """How far to believe each part of a model: weights (parts,), none below 0, and a bias for each class (classes,).

    probabilities: held-out answers (parts, rows, classes). Those of `blended` with the least log loss and a pull
    towards 0, which keeps few rows from being certain, by Newton's method; a weight that would fall below 0 stays
    there. Of very many rows and classes a part that is chosen by chance is enough.
    Source: Bertsekas 1982, "Projected Newton methods for optimization problems with simple constraints".
    """
    known = probabilities.isfinite().all(dim=2).all(dim=0)
    probabilities, labels = probabilities[:, known], labels[known]
    parts, rows, classes = probabilities.shape
    if (most := 2**24 // (parts * classes)) < rows:
        chosen = torch.randperm(rows, generator=torch.Generator().manual_seed(0))[:most]
        probabilities, labels = probabilities[:, chosen], labels[chosen]
    found, share = torch.zeros(parts + classes, dtype=torch.float64), 1.0
    lowest, slope, bend = loss_of_belief(probabilities, labels, found)
    while share > 1e-6:
        held = torch.zeros(len(found), dtype=torch.bool)
        held[:parts] = (found[:parts] <= 0) & (slope[:parts] > 0)
        free = torch.nonzero(~held).flatten()
        step = torch.zeros_like(found)
        step[free] = torch.linalg.solve(bend[free][:, free], slope[free])
        if slope @ step < 1e-9:  # that is how much lower it might still get, twice over
            break
        share = 1.0
        while share > 1e-6:
            tried = found - share * step
            tried[:parts] = tried[:parts].clamp_min(0)
            loss, its_slope, its_bend = loss_of_belief(probabilities, labels, tried)
            if loss < lowest - 1e-9:
                lowest, slope, bend, found = loss, its_slope, its_bend, tried
                break
            share /= 2
    return found[:parts], found[parts:]


def loss_of_belief(probabilities: Tensor, labels: Tensor, belief: Tensor) -> tuple[float, Tensor, Tensor]:
    """What `fit_weights` makes low, with its first and second derivatives: a number, (k,) and (k, k).

    belief: (k,), the parts' weights, then the classes' biases.
    """
    parts, rows, classes = probabilities.shape
    pull = 1e-3
    loss = pull * belief.square().sum() / 2
    slope, bend = pull * belief, pull * torch.eye(len(belief), dtype=torch.float64)
    for block in torch.arange(rows).split(max(1, 2**18 // classes)):  # as many rows as take little memory
        logs = probabilities[:, block].double().clamp_min(1e-12).log()
        sums = torch.einsum("arc,a->rc", logs, belief[:parts]) + belief[parts:]
        chances = sums.softmax(dim=1)
        error = (chances - F.one_hot(labels[block], classes)) / rows
        centred = logs - (logs * chances).sum(dim=2, keepdim=True)
        weighted = centred * chances / rows
        loss = loss + F.cross_entropy(sums, labels[block], reduction="sum") / rows
        slope = slope + torch.cat([(logs * error).sum(dim=(1, 2)), error.sum(dim=0)])
        bend[:parts, :parts] += torch.einsum("arc,brc->ab", weighted, centred)
        bend[:parts, parts:] += weighted.sum(dim=1)
        bend[parts:, :parts] += weighted.sum(dim=1).T
        bend[parts:, parts:] += torch.diag(chances.sum(dim=0) / rows) - chances.T @ chances / rows
    return loss.item(), slope, bend


def least_squares_weights(guesses: Tensor, targets: Tensor) -> Tensor:
    """How much each part of a model is to be believed: weights (parts,) float64, none below 0.

    guesses: the numbers that each part gave, (parts, rows), in deviations from the mean; targets: (rows,), likewise.
    The weighted sum has the least squared error; a part that would be counted the other way round counts nothing.
    """
    answered = guesses.isfinite().all(dim=0)
    guesses, targets = guesses[:, answered], targets[answered]
    known = list(range(len(guesses)))
    while True:
        chosen = guesses[known].double()
        found = torch.linalg.lstsq(chosen.T, targets.double().unsqueeze(1), driver="gelsd").solution.flatten()
        if (found >= 0).all() or len(known) == 1:
            break
        known.pop(int(found.argmin()))
    return torch.zeros(len(guesses), dtype=torch.float64).index_copy(0, torch.tensor(known), found.clamp_min(0))
