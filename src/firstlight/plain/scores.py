"""Step 4, evaluate: scores of a model, as pure functions of tensors.

In: answers and truth of rows that the model has never seen. Out: plain floats, computed in float64.
Scores are sums over rows divided by rows, never means of batch means: the last batch is often
smaller, and its rows would count for more. A score that the rows do not determine is nan.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def accuracy(probabilities: Tensor, labels: Tensor) -> float:
    """Share of rows whose likeliest class is the true one; probabilities: (rows, classes); labels: (rows,) int64."""
    return (probabilities.argmax(dim=1) == labels).double().mean().item()


def log_losses(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Minus the logarithm of the probability (rows, classes) of each row's true class; 0 counts as 2e-16: (rows,)."""
    return -probabilities.double().gather(1, labels[:, None]).squeeze(1).clamp(torch.finfo(torch.float64).eps, 1).log()


def log_loss(probabilities: Tensor, labels: Tensor) -> float:
    """Mean over rows of minus the logarithm of the probability given to the true class: 0 is perfect.

    probabilities: (rows, classes); labels: (rows,) int64.
    """
    return log_losses(probabilities, labels).mean().item()


def mean_f1(hits: Tensor, told: Tensor) -> Tensor:
    """The F1 of each class, averaged over the classes that stand in the truth or in the answers.

    hits: (..., classes), rows of a class that were told right.
    told: (..., classes), rows of the class plus rows that were told to be of it.
    """
    seen = told > 0
    f1 = 2 * hits.double() / told.clamp(min=1)  # (..., classes); 0 where the class is not seen
    return f1.sum(dim=-1) / seen.sum(dim=-1)


def macro_f1(probabilities: Tensor, labels: Tensor) -> float:
    """Mean over classes of F1, the harmonic mean of precision and recall: rare classes count in full.

    probabilities: (rows, classes); labels: (rows,) int64. A class in neither truth nor answers is left out.
    """
    classes = probabilities.shape[1]
    guesses = probabilities.argmax(dim=1)
    hits = torch.bincount(labels[guesses == labels], minlength=classes)
    told = torch.bincount(labels, minlength=classes) + torch.bincount(guesses, minlength=classes)
    return mean_f1(hits, told).item()


def share_below(values: Tensor, others: Tensor) -> Tensor:
    """For each value the share of the others that are smaller; equal ones count half. (values,) float64."""
    ordered = others.sort().values
    smaller = torch.searchsorted(ordered, values)
    not_larger = torch.searchsorted(ordered, values, right=True)
    return (smaller + not_larger).double() / (2 * len(others))


def auc(probabilities: Tensor, labels: Tensor) -> float:
    """Chance that a row of the second class is given a higher probability for it than a row of the first.

    probabilities: (rows, 2); labels: (rows,) int64, 0 or 1. Chance gives 0.5; nan without rows of both.
    """
    of_first, of_second = probabilities[labels == 0, 1], probabilities[labels == 1, 1]
    return share_below(of_second, of_first).mean().item() if len(of_first) else math.nan


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int) -> float:
    """How far confidence is from the share of right answers, on average over rows: 0 keeps its word.

    probabilities: (rows, classes); labels: (rows,) int64; bins: number of equally wide bins of confidence.
    Source: Guo et al. 2017, "On calibration of modern neural networks", section 2.
    """
    confidence, guess = probabilities.double().max(dim=1)  # (rows,) each
    surplus = (guess == labels).double() - confidence  # (rows,)
    bin_of = (confidence * bins).long().clamp(max=bins - 1)  # (rows,)
    gap = surplus.new_zeros(bins).index_add(0, bin_of, surplus)  # (bins,)
    return gap.abs().sum().item() / len(labels)


def mean_absolute_error(predictions: Tensor, truth: Tensor) -> float:
    """How far off a prediction is on average, in the target's own unit. Both (rows,)."""
    return (predictions.double() - truth.double()).abs().mean().item()


def root_mean_squared_error(predictions: Tensor, truth: Tensor) -> float:
    """Root of the mean squared error, in the target's own unit: large errors count more. Both (rows,)."""
    return (predictions.double() - truth.double()).square().mean().sqrt().item()


def r_squared(predictions: Tensor, truth: Tensor) -> float:
    """Share of the truth's variance that the predictions account for: 1 is perfect, 0 as good as its mean.

    Both (rows,). Below 0 the mean would have been better; nan where the truth does not vary.
    """
    if bool((truth == truth[0]).all()):
        return math.nan
    spread = (truth.double() - truth.double().mean()).square().sum().item()
    left = (predictions.double() - truth.double()).square().sum().item()
    return 1 - left / spread
