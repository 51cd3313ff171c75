"""Step 1, prepare: which rows teach, which rows test, and which fold a training row belongs to.

In: a table, and a class (or any other stratum) for each row. Out: row numbers. Rows that belong together never part.
"""

from collections.abc import Sequence

import polars as pl
import torch
from torch import Tensor

from firstlight.plain.categories import words


def strata_of(cells: pl.Series) -> Tensor:
    """The same number for rows with the same target: (rows,) int64, counted from 0."""
    return torch.from_numpy((words(cells).rank("dense").cast(pl.Int64) - 1).to_numpy(writable=True))


def kin_by_equality(rows: pl.DataFrame, columns: Sequence[str]) -> Tensor:
    """The same number for rows that are equal in all the columns: (rows,) int64, counted from 0."""
    cells = rows.select(columns)
    number_of = cells.unique(maintain_order=True).with_row_index("kin number")
    joined = cells.join(number_of, on=columns, how="left", nulls_equal=True, maintain_order="left")
    return torch.from_numpy(joined["kin number"].cast(pl.Int64).to_numpy(writable=True))


def shuffled_places(strata: Tensor, kin: Tensor, seed: int) -> Tensor:
    """A random place between 0 and 1 for each row: even within each stratum, equal for rows of one kin.

    strata: (rows,) int64, such as classes, so that a part of the places has a like part of every class.
    kin:    (rows,) int64, equal for rows that must stay together.
    """
    chance = torch.Generator().manual_seed(seed)
    groups = int(kin.max()) + 1
    turn = torch.randperm(groups, generator=chance)[kin]  # when it is the turn of the row's group
    first = torch.full((groups,), len(kin)).scatter_reduce(0, kin, torch.arange(len(kin)), "amin")
    stratum = strata[first[kin]]  # a group belongs where its first row does
    order = torch.argsort(turn, stable=True)
    order = order[torch.argsort(stratum[order], stable=True)]  # by stratum, then by turn
    sizes = torch.bincount(stratum)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order)) - (sizes.cumsum(0) - sizes)[stratum[order]]
    lowest = torch.full((groups,), len(kin)).scatter_reduce(0, kin, rank, "amin")
    return (lowest[kin] + 0.5) / sizes[stratum]


def split_at_random(strata: Tensor, kin: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Row numbers to learn from, and row numbers to test with: about `share` of each stratum, chosen by chance."""
    tests = shuffled_places(strata, kin, seed) < share
    return torch.nonzero(~tests).flatten(), torch.nonzero(tests).flatten()


def split_by_time(moments: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Row numbers to learn from (earlier), and to test with (the latest `share`); moments: (rows,) days, NaN is earliest."""
    moments = moments.nan_to_num(nan=-torch.inf)
    border = moments.sort().values[round(len(moments) * (1 - share)) - 1]  # rows of one moment stay together
    tests = moments > border
    return torch.nonzero(~tests).flatten(), torch.nonzero(tests).flatten()


def folds_of(strata: Tensor, kin: Tensor, folds: int, seed: int) -> Tensor:
    """The fold of each row, 0 to folds - 1: (rows,) int64; like parts of each stratum, kin in one fold."""
    return (shuffled_places(strata, kin, seed) * folds).long()
