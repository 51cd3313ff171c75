"""Yes or no: two words that are each other's opposite. They become the numbers 1 and 0."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from torch import Tensor

from firstlight.kinds.kind import Claim, Settings, in_brackets
from firstlight.kinds.numeric import numeric_kind
from firstlight.plain.numbers import number_values, true_or_false

OPPOSITES = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"}, {"1", "0"}, {"1.0", "0.0"}, {"on", "off"})
MOST_SPELLINGS = 6  # Yes, yes, YES and their opposites


class BooleanSettings(Settings, frozen=True):
    """Nothing is left to decide."""


def claim(cells: pl.Series) -> Claim[BooleanSettings] | None:
    """A boolean where the cells are true and false, or words or numbers that say as much."""
    if cells.dtype == pl.Boolean:
        return Claim(1.0, "its cells are true or false", BooleanSettings())
    if not (cells.dtype == pl.String or cells.dtype.is_numeric()):
        return None
    different = cells.drop_nulls().unique().sort()
    if not 2 <= len(different) <= MOST_SPELLINGS:
        return None
    spellings = different.cast(pl.String).str.strip_chars().str.to_lowercase()
    if not any(set(spellings) == pair for pair in OPPOSITES):
        return None
    return Claim(0.95, f"its cells are {' or '.join(map(str, different))}", BooleanSettings())


def values(rows: pl.DataFrame, columns: Mapping[str, BooleanSettings]) -> Tensor:
    """Cells to (rows, columns) float64: 1, 0, and NaN for a gap or any other word."""
    return number_values(rows, dict.fromkeys(columns, true_or_false))


def strays(cells: pl.Series, settings: BooleanSettings) -> pl.Series:
    """Cells that hold something, but neither of the two."""
    return cells.is_not_null() & true_or_false(cells).is_null()


BOOLEAN = numeric_kind(
    name="boolean",
    block="booleans",
    settings=BooleanSettings,
    claim=claim,
    values=values,
    strays=strays,
    constants=lambda columns: in_brackets("BOOLEANS = [", list(map(repr, columns)), "]", "columns of yes and no"),
    encode_line="number_values(rows, dict.fromkeys(BOOLEANS, true_or_false))",
)
