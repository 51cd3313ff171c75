"""Step 1, prepare: which rows teach, which rows test, and which fold a training row belongs to.

In: a table, and a class (or any other stratum) for each row. Out: row numbers. Rows that belong together never part.
"""

from collections.abc import Sequence

import polars as pl
import torch
from torch import Tensor

MANY_ROWS = 2**17  # of a larger table so many are enough at a time: for bins, for an epoch, to judge by


def kin_by_equality(rows: pl.DataFrame, columns: Sequence[str]) -> Tensor:
    """The same number for rows that are equal in all the columns, that of the first of them: (rows,) int64."""
    compared = pl.DataFrame({str(place): rows[name] for place, name in enumerate(columns)})  # names of our own
    first = compared.with_row_index("row").select(pl.col("row").min().over(compared.columns)).to_series()
    return torch.from_numpy(first.cast(pl.Int64).to_numpy(writable=True))


def linked(rows: int, pairs: Tensor) -> Tensor:
    """The same number for rows that pairs link, also by way of others, the first of them: (rows,) int64.

    pairs: (2, pairs) int64, row numbers. Each row takes the lowest number within its reach, until none is lower.
    """
    kin, before = torch.arange(rows), torch.empty(0)
    while not torch.equal(kin, before):
        before = kin
        lowest = torch.minimum(kin[pairs[0]], kin[pairs[1]])
        for end in pairs:
            kin = kin.scatter_reduce(0, before[end], lowest, "amin")
        kin = kin[kin]
    return kin


def kin_in_any(ways: Sequence[Tensor]) -> Tensor:
    """Kin by several ways at once: rows that are kin in any of them, also by way of others; (rows,) int64 each."""
    rows = torch.arange(len(ways[0]))
    return linked(len(rows), torch.cat([torch.stack([rows, kin]) for kin in ways], dim=1))


def shuffled_places(strata: Tensor, kin: Tensor, seed: int) -> Tensor:
    """A random place between 0 and 1 for each row, evenly spread in each stratum, the same for rows of one kin.

    strata: (rows,) int64 from 0, such as classes. kin: (rows,) int64, row numbers.
    """
    rows = len(kin)
    turn = torch.randperm(rows, generator=torch.Generator().manual_seed(seed))[kin]
    order = torch.argsort(strata * rows + turn, stable=True)  # by stratum, then by turn
    sizes = strata.bincount()
    place = torch.empty(rows, dtype=torch.float64)
    rank = torch.arange(rows) - (sizes.cumsum(0) - sizes)[strata[order]]  # within its stratum
    place[order] = (rank + 0.5).double() / sizes[strata[order]]
    return torch.ones_like(place).scatter_reduce(0, kin, place, "amin")[kin]


def split_at_random(strata: Tensor, kin: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Row numbers to learn from, and row numbers to test with: about `share` of each stratum, chosen by chance."""
    tests = shuffled_places(strata, kin, seed) < share
    return torch.nonzero(~tests).flatten(), torch.nonzero(tests).flatten()


def split_by_time(moments: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Row numbers to learn from, and the latest `share` to test with; moments: (rows,), NaN counts as earliest."""
    moments = moments.nan_to_num(nan=-torch.inf)
    border = moments.sort().values[round(len(moments) * (1 - share)) - 1]  # rows of one moment stay together
    tests = moments > border
    return torch.nonzero(~tests).flatten(), torch.nonzero(tests).flatten()


def some_of(rows: Tensor, most: int, seed: int) -> Tensor:
    """The row numbers, or of more than `most` so many, chosen by chance, in their order."""
    if len(rows) <= most:
        return rows
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:most].sort().values]


def folds_of(strata: Tensor, kin: Tensor, folds: int, seed: int) -> Tensor:
    """The fold of each row, 0 to folds - 1: (rows,) int64; like parts of each stratum, kin in one fold."""
    return (shuffled_places(strata, kin, seed) * folds).long()
