"""Columns that know too much: copies of the target, and columns that alone tell it almost without fail."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from firstlight.kinds.number import NUMBER, column_values
from firstlight.plain.categories import words
from firstlight.plan.plan import LEFT_OUT, Column, Suspicion, Target, Task

ALMOST_ALWAYS = 0.99  # of the rows told right, or of the variance explained, by one column alone
SAME_LINE = 0.999999  # correlation from which a number is the target in another unit
FEWEST_FILLED = 10
FEW_DIFFERENT = 64  # numbers, of which equal ones are alike; among more the nearest are


def copy_of_target(cells: pl.Series, target: pl.Series, aim: Target) -> str:
    """Why the column is the target in other words, shifted, rounded or re-coded; "" where it is not."""
    mine, theirs = words(cells), words(target)
    if (mine == theirs).all():
        return f"a copy of {aim.column!r}"
    if aim.task == "classification":
        pairs = pl.DataFrame({"mine": mine, "theirs": theirs}).unique()
        if len(pairs) == mine.n_unique() == theirs.n_unique():
            return f"a copy of {aim.column!r} in other words: each value stands beside one label and no other"
        return ""
    values, truth = numbers_of(cells), numbers_of(target)
    known = np.isfinite(values) & np.isfinite(truth)
    if known.sum() > 2 and known.mean() > 0.5:
        correlation = correlation_of(values[known], truth[known])
        if abs(correlation) > SAME_LINE:
            return f"a copy of {aim.column!r} in another unit: the two lie on a straight line"
    return ""


def correlation_of(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's correlation; 0 where one of the two does not vary."""
    first, second = (values / (np.abs(values).max() or 1) for values in (first, second))
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def numbers_of(cells: pl.Series) -> np.ndarray:
    """The cells as float64 where they are numbers, NaN elsewhere: (rows,)."""
    claim = NUMBER.claim(cells)
    if claim is None:
        return np.full(len(cells), np.nan)
    return column_values(cells, claim.settings).numpy()


def suspicions(rows: pl.DataFrame, target: str, task: Task, columns: Sequence[Column]) -> tuple[Suspicion, ...]:
    """The columns to look at before believing the score."""
    if len(rows) < 50:
        return ()
    used = [column.name for column in columns if column.kind != LEFT_OUT]
    reasons = {name: _suspicion(rows[name], rows[target], task) for name in used}
    return tuple(Suspicion(column=name, why=why) for name, why in reasons.items() if why)


def _suspicion(cells: pl.Series, target: pl.Series, task: Task) -> str:
    if task == "classification":
        filled = words(target).filter(cells.is_not_null())
        if len(filled) >= FEWEST_FILLED and filled.n_unique() == 1 and words(target).n_unique() > 1:
            return f"stands only where {target.name} is {filled[0]!r}: it may be known only after the fact."
    told = told_alone(cells, target, task)
    if told >= ALMOST_ALWAYS:
        return f"alone tells {target.name} almost without fail: would you know it before you need to predict?"
    return ""


def nearest_of_the_first_half(values: np.ndarray) -> np.ndarray:
    """For each number the one that is nearest to it among every other row's, from the first: (rows,); NaN stays."""
    taught = np.unique(values[::2][np.isfinite(values[::2])])
    nearest = taught[np.searchsorted((taught[1:] + taught[:-1]) / 2, values)]
    return np.where(np.isfinite(values), nearest, np.nan)


def told_alone(cells: pl.Series, target: pl.Series, task: Task) -> float:
    """How well one column tells the target: by the mean or the most frequent label of like cells in the first half.

    The halves are every other row. Words are alike where they are equal, numbers where they are nearest.
    From 0 to 1: the share of the errors of the constant guess that are gone.
    """
    values = numbers_of(cells)
    like = words(cells)
    if np.isfinite(values).mean() > 0.5 and cells.n_unique() > FEW_DIFFERENT:
        like = pl.Series(nearest_of_the_first_half(values)).fill_nan(None)
    truth = pl.Series(numbers_of(target)).fill_nan(None) if task == "regression" else words(target)
    table = pl.DataFrame({"like": like, "truth": truth}).filter(pl.col("truth").is_not_null())
    first, second = table.gather_every(2), table.gather_every(2, offset=1)
    return _variance_told(first, second) if task == "regression" else _labels_told(first, second)


def _variance_told(first: pl.DataFrame, second: pl.DataFrame) -> float:
    means = first.group_by("like").agg(guess=pl.col("truth").mean())
    told = second.join(means, on="like", how="left").with_columns(pl.col("guess").fill_null(first["truth"].mean()))
    error, spread = told.select(
        (pl.col("truth") - pl.col("guess")).pow(2).sum().alias("error"),
        (pl.col("truth") - pl.col("truth").mean()).pow(2).sum().alias("spread"),
    ).row(0)
    return float(1 - error / spread) if spread else 0.0


def _labels_told(first: pl.DataFrame, second: pl.DataFrame) -> float:
    commonest = first["truth"].mode().sort()[0]
    labels = first.group_by("like").agg(guess=pl.col("truth").mode().sort().first())
    told = second.join(labels, on="like", how="left").with_columns(pl.col("guess").fill_null(commonest))
    wrong = int((told["guess"] != told["truth"]).sum())
    wrong_always = int((told["truth"] != commonest).sum())
    return 1 - wrong / wrong_always if wrong_always else 0.0
