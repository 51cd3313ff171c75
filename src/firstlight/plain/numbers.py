"""Numbers: from cells to float64 tensors (step 1), and from tensors to features of a model (step 2)."""

import math
from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from firstlight.plain.split import MANY_ROWS


def typed_numbers(cells: pl.Series) -> pl.Series:
    """Cells that are numbers already, as float64."""
    return cells.cast(pl.Float64, strict=False)


def numbers_in_text(cells: pl.Series) -> pl.Series:
    """Numbers written as 39.1 or 3.91e1; what is not a number becomes a gap."""
    return cells.str.strip_chars().cast(pl.Float64, strict=False)


def numbers_with_decimal_comma(cells: pl.Series) -> pl.Series:
    """Numbers written as 1.234,5; what is not a number becomes a gap."""
    return numbers_in_text(cells.str.replace_all(r"[.\s'](\d{3})\b", "$1").str.replace(",", ".", literal=True))


def numbers_in_dress(cells: pl.Series) -> pl.Series:
    """Numbers written as $1,234.50, 12 % or 3 kg: the first number of a cell; where there is none, a gap."""
    bare = cells.str.replace_all(r"[$€£¥\s]", "").str.replace_all(r",(\d{3})", "$1")
    return bare.str.extract(r"([-+]?\d*\.?\d+(?:[eE][-+]?\d+)?)").cast(pl.Float64, strict=False)


def numbers_in_dress_with_decimal_comma(cells: pl.Series) -> pl.Series:
    """Numbers written as 1.234,50 € or 12,5 kg: the first number of a cell; where there is none, a gap."""
    bare = cells.str.replace_all(r"[$€£¥\s']", "").str.replace_all(r"\.(\d{3})", "$1")
    return bare.str.replace(",", ".", literal=True).str.extract(r"([-+]?\d*\.?\d+)").cast(pl.Float64, strict=False)


TRUE_OR_FALSE = {
    **dict.fromkeys(["true", "yes", "t", "y", "on", "1", "1.0"], 1.0),
    **dict.fromkeys(["false", "no", "f", "n", "off", "0", "0.0"], 0.0),
}


def true_or_false(cells: pl.Series) -> pl.Series:
    """Cells that say yes or no, in any spelling, as 1 and 0; others become a gap."""
    spelt = cells.cast(pl.String).str.strip_chars().str.to_lowercase()
    return spelt.replace_strict(TRUE_OR_FALSE, default=None, return_dtype=pl.Float64)


LARGEST = 1e50  # the squared errors of larger numbers can no longer be reckoned with


def number_values(rows: pl.DataFrame, columns: Mapping[str, Callable[[pl.Series], pl.Series]]) -> Tensor:
    """The number columns, each read by its function: (rows, columns) float64; gaps and endless numbers are NaN."""
    values = np.stack([read(rows[name]).to_numpy() for name, read in columns.items()], axis=1)
    return torch.from_numpy(np.where(np.abs(values) < LARGEST, values, np.nan))


def centre_and_spread(values: Tensor) -> tuple[Tensor, Tensor]:
    """Median and quartile distance (where that is 0 half the range, else 1) of each column of (rows, columns)."""
    values = torch.where(values.isnan().all(dim=0), 0.0, values)  # a column of gaps alone
    least, low, centre, high, most = torch.from_numpy(np.nanquantile(values, [0, 0.25, 0.5, 0.75, 1], axis=0))
    spread = torch.where(high > low, high - low, most / 2 - least / 2)
    return centre, torch.where(spread > 0, spread, torch.ones_like(spread))


def standardise(values: Tensor, centre: Tensor, spread: Tensor) -> Tensor:
    """How many spreads each value lies from the centre of its column, as float32; nothing lies beyond a million."""
    return ((values - centre) / spread).clamp(-1e6, 1e6).float()


class PiecewiseLinear(nn.Module):
    """Numbers (rows, columns) to features (rows, width): how far each has come through each bin of its column.

    Beside the bins stand the standardised number itself, flattened far out, and whether it is a gap.
    Source: Gorishniy et al. 2022, "On embeddings for numerical features in tabular deep learning".
    """

    def __init__(
        self, centre: Tensor, spread: Tensor, left: Tensor, length: Tensor, column: Tensor, gappy: Tensor
    ) -> None:
        super().__init__()
        self.centre = nn.Buffer(centre)  # (columns,) float64
        self.spread = nn.Buffer(spread)  # (columns,) float64
        self.left = nn.Buffer(left)  # (bins,) float32, where each bin begins, in spreads from the centre
        self.length = nn.Buffer(length)  # (bins,) float32
        self.column = nn.Buffer(column)  # (bins,) int64, the column that each bin belongs to
        self.gappy = nn.Buffer(gappy)  # (columns with gaps,) int64
        self.width = len(left) + len(centre) + len(gappy)

    def forward(self, values: Tensor) -> Tensor:
        numbers = standardise(values, self.centre, self.spread).nan_to_num(nan=0.0)  # a gap counts as the median
        place = ((numbers.index_select(1, self.column) - self.left) / self.length).clamp(0, 1)
        flattened = numbers / torch.sqrt(1 + (numbers / 3) ** 2)
        return torch.cat([place, flattened, values.isnan().index_select(1, self.gappy).float()], dim=1)


def piecewise_linear(values: Tensor, bins: int) -> PiecewiseLinear:
    """Bins that hold about equally many of the training values (rows, columns) float64, at most `bins` a column."""
    centre, spread = centre_and_spread(values)
    left, length, column = [], [], []
    for number, cells in enumerate(standardise(values[:: math.ceil(len(values) / MANY_ROWS)], centre, spread).T):
        edges = cells[~cells.isnan()].unique()
        if len(edges) > bins:
            by_rows = np.unique(np.nanquantile(cells, np.linspace(0, 1, bins + 1)))
            spare = bins + 1 - len(by_rows)  # where many rows share a value: its bins go to the rarer values
            by_values = np.quantile(edges, np.linspace(0, 1, spare + 2))
            edges = torch.from_numpy(np.concatenate([by_rows, by_values])).float().unique()
        left.append(edges[:-1])
        length.append(edges.diff())
        column.append(torch.full_like(left[-1], number, dtype=torch.int64))
    gappy = torch.nonzero(values.isnan().any(dim=0)).flatten()
    return PiecewiseLinear(centre, spread, torch.cat(left), torch.cat(length), torch.cat(column), gappy)


class Waves(nn.Module):
    """Numbers (rows, columns) to features (rows, width): those of `pieces`, and waves that tell apart what lies close.

    Equal numbers have equal waves, others hardly ever, however many lie in one bin: so rows of one person, place or
    day can be found by its number. A gap has none.
    Source: Gorishniy et al. 2022 (periodic embeddings), for similar rows Ye et al. 2024 (ModernNCA).
    """

    def __init__(self, pieces: PiecewiseLinear, wavy: Tensor, turns: Tensor) -> None:
        super().__init__()
        self.pieces = pieces
        self.wavy = nn.Buffer(wavy)  # (wavy columns,) int64, the columns that have waves
        self.turns = nn.Buffer(turns)  # (wavy columns, waves) float64, radians for each unit of a number
        self.width = pieces.width + 2 * turns.numel()

    def forward(self, values: Tensor) -> Tensor:
        angles = (values.index_select(1, self.wavy).unsqueeze(2) * self.turns).flatten(1)
        waves = torch.cat([angles.sin(), angles.cos()], dim=1).nan_to_num(nan=0.0)
        return torch.cat([self.pieces(values), waves.float()], dim=1)


def wavy_numbers(values: Tensor, bins: int, waves: int) -> Waves:
    """Bins of the training values (rows, columns) float64, and so many waves for each column that has more values.

    The slowest makes half a turn over all values of its column, the fastest one for each value.
    """
    wavy, turns = [], torch.zeros(0, waves, dtype=torch.float64)
    for number, cells in enumerate(values[:: math.ceil(len(values) / MANY_ROWS)].T):
        different = cells[~cells.isnan()].unique()
        if len(different) > bins + 1:
            turned = torch.logspace(0, math.log10(len(different)), waves, dtype=torch.float64)
            wavy.append(number)
            turns = torch.cat([turns, (math.pi * turned / (different[-1] - different[0])).unsqueeze(0)])
    return Waves(piecewise_linear(values, bins), torch.tensor(wavy, dtype=torch.int64), turns)


class Scaled(nn.Module):
    """Numbers (rows, columns) to features (rows, width): standardised, a gap as the mean, and whether it is a gap.

    Nothing lies beyond a million deviations, so that one absurd number cannot make an answer infinite.
    """

    def __init__(self, mean: Tensor, deviation: Tensor, gappy: Tensor) -> None:
        super().__init__()
        self.mean = nn.Buffer(mean)  # (columns,) float64
        self.deviation = nn.Buffer(deviation)  # (columns,) float64
        self.gappy = nn.Buffer(gappy)  # (columns with gaps,) int64
        self.width = len(mean) + len(gappy)

    def forward(self, values: Tensor) -> Tensor:
        gaps = values.isnan().index_select(1, self.gappy)
        numbers = ((values - self.mean) / self.deviation).clamp(-1e6, 1e6).nan_to_num(nan=0.0)
        return torch.cat([numbers, gaps.to(values.dtype)], dim=1)


def scaled(values: Tensor) -> Scaled:
    """Mean and standard deviation of the training values (rows, columns); 0 and 1 where there are none."""
    centre, spread = centre_and_spread(values)
    unit = (values - centre) / spread  # so that squares of huge numbers stay finite
    mean = unit.nanmean(dim=0).nan_to_num(nan=0.0)
    deviation = ((unit - mean) ** 2).nanmean(dim=0).sqrt().nan_to_num(nan=0.0)
    deviation = torch.where(deviation > 0, deviation, torch.ones_like(deviation))
    gappy = torch.nonzero(values.isnan().any(dim=0)).flatten()
    return Scaled(centre + mean * spread, deviation * spread, gappy)
