"""Dates: from cells to numbers that say when (step 1)."""

from collections.abc import Mapping, Sequence

import polars as pl
import torch
from torch import Tensor

PARTS_OF_A_DATE = ("days", "month", "day of the month", "weekday", "hour")


def moments(cells: pl.Series, formats: Sequence[str]) -> pl.Series:
    """Cells as moments in time, each read by the first of the formats that fits; none fits: a gap."""
    if cells.dtype.is_temporal():
        return cells.cast(pl.Datetime("us"), strict=False)
    read = [cells.str.strip_chars().str.to_datetime(pattern, time_unit="us", strict=False) for pattern in formats]
    return pl.select(pl.coalesce(read)).to_series()


def days_since_1970(cells: pl.Series) -> pl.Series:
    """Moments as days since 1970, with fractions: float64."""
    return cells.dt.epoch("us").cast(pl.Float64) / 86_400_000_000


def date_values(rows: pl.DataFrame, columns: Mapping[str, Sequence[str]]) -> Tensor:
    """Five numbers for each date column (see PARTS_OF_A_DATE): (rows, 5 x columns) float64; gaps are NaN."""
    values = []
    for name, formats in columns.items():
        when = moments(rows[name], formats)
        parts = [when.dt.month(), when.dt.day(), when.dt.weekday(), when.dt.hour()]
        values += [days_since_1970(when), *(part.cast(pl.Float64) for part in parts)]
    return torch.stack([torch.from_numpy(value.to_numpy(writable=True)) for value in values], dim=1)
