"""Scores written as functions of sums, so that the bootstrap can draw them again by the thousand.

Each function gives the interval of one score. The score itself is `plain.scores`'s business; a test
holds that the two agree.
"""

from __future__ import annotations

import torch
from torch import Tensor

from firstlight.evaluate.intervals import UNKNOWN, Interval, Resamples, bootstrap, wilson
from firstlight.plain.scores import mean_f1, share_below

MOST_CLASSES = 1000  # beyond this the macro F1 has no interval: its resamples would not fit in memory


def of_mean(values: Tensor, resamples: Resamples) -> Interval:
    """Of the mean over rows: values (rows,). Divided by the rows drawn, for groups differ in size."""
    columns = torch.stack([values.double(), torch.ones(len(values), dtype=torch.float64)], dim=1)
    return bootstrap(resamples.sums(columns), _ratio, resamples)


def of_share(right: Tensor, resamples: Resamples, grouped: bool) -> Interval:
    """Of the share of rows that are right, (rows,) bool: Wilson's, or the bootstrap's of groups."""
    if not grouped:
        return wilson(int(right.sum().item()), len(right))
    interval = of_mean(right, resamples)
    return _unless_all_alike(interval, right.double().mean().item(), resamples.units)


def of_root_mean(squares: Tensor, resamples: Resamples) -> Interval:
    """Of the root of the mean over rows: squares (rows,), not negative."""
    interval = of_mean(squares, resamples)
    return Interval(interval.low**0.5, interval.high**0.5)


def of_r_squared(predictions: Tensor, truth: Tensor, resamples: Resamples) -> Interval:
    """Of the share of variance accounted for: both (rows,)."""
    truth, predictions = truth.double(), predictions.double()
    centred = truth - truth.mean()  # sums of squares of far-off numbers would lose their digits
    columns = [torch.ones_like(truth), centred, centred.square(), (predictions - truth).square()]
    return bootstrap(resamples.sums(torch.stack(columns, dim=1)), score_r_squared, resamples)


def of_macro_f1(probabilities: Tensor, labels: Tensor, resamples: Resamples) -> Interval:
    """Of the mean F1 over classes: probabilities (rows, classes), labels (rows,) int64."""
    classes = probabilities.shape[1]
    if classes > MOST_CLASSES:
        return UNKNOWN
    guesses = probabilities.argmax(dim=1)
    hit = guesses == labels
    unit_of, shape = resamples.unit_of, (resamples.units, classes)
    hits = _count(unit_of[hit], labels[hit], shape)
    told = _count(unit_of, labels, shape) + _count(unit_of, guesses, shape)
    interval = bootstrap(torch.cat([hits, told], dim=1).double(), _macro_f1, resamples)
    value = mean_f1(hits.sum(dim=0), told.sum(dim=0)).item()
    return _unless_all_alike(interval, value, _smallest_class(labels, resamples))


def of_auc(probabilities: Tensor, labels: Tensor, resamples: Resamples) -> Interval:
    """Of the area under the curve of two classes: probabilities (rows, 2), labels (rows,) int64.

    The area is the mean, over rows of either class, of the share of the other class's rows that stand on
    the right side of them. Resamples draw these shares and do not rank anew: the difference is of the
    order 1 / rows. Source: DeLong, DeLong and Clarke-Pearson 1988, "Comparing the areas".
    """
    second = labels == 1
    if bool(second.all()) or not bool(second.any()):
        return UNKNOWN
    scores = probabilities[:, 1]
    # (rows,) the share of the other class's rows that stand on the right side of each row
    aside = torch.empty(len(labels), dtype=torch.float64)
    aside[second] = share_below(scores[second], scores[~second])
    aside[~second] = 1 - share_below(scores[~second], scores[second])
    area = aside[second].mean()

    def _auc(sums: Tensor) -> Tensor:
        return (sums[:, 1] / sums[:, 0] + sums[:, 3] / sums[:, 2] - area).clamp(0, 1)

    columns = [second.double(), aside * second, (~second).double(), aside * ~second]
    interval = bootstrap(resamples.sums(torch.stack(columns, dim=1)), _auc, resamples)
    return _unless_all_alike(interval, area.item(), _smallest_class(labels, resamples))


def _ratio(sums: Tensor) -> Tensor:
    return sums[:, 0] / sums[:, 1]


def score_r_squared(sums: Tensor) -> Tensor:
    """From sums (n, 4) of ones, truth, its squares and squared errors to (n,) shares of variance."""
    rows, total, squares, left = sums.unbind(dim=1)
    spread = squares - total.square() / rows
    # a resample of one value over and over has no spread but for rounding
    return torch.where(spread > 1e-12 * squares, 1 - left / spread, torch.nan)


def _macro_f1(sums: Tensor) -> Tensor:
    hits, told = sums.chunk(2, dim=1)
    return mean_f1(hits, told)


def _count(unit_of: Tensor, classes_of: Tensor, shape: tuple[int, int]) -> Tensor:
    """How many rows of each class each unit has: shape is (units, classes); int64."""
    units, classes = shape
    return torch.bincount(unit_of * classes + classes_of, minlength=units * classes).view(units, classes)


def _smallest_class(labels: Tensor, resamples: Resamples) -> int:
    """The number of units of the class that has fewest, among the classes that have any."""
    pairs = torch.unique(labels * resamples.units + resamples.unit_of)
    units_of = torch.bincount(pairs // resamples.units)
    return int(units_of[units_of > 0].min().item())


def _unless_all_alike(interval: Interval, value: float, trials: int) -> Interval:
    """The interval, but where all is right (or all wrong) Wilson's for as many trials that all went this way.

    Then every resample is as perfect as the rows, and the bootstrap would call the score certain. For a score
    over classes the trials are those of the smallest class, on which it rests most weakly.
    """
    return wilson(int(value) * trials, trials) if value in (0.0, 1.0) else interval
