"""Yes or no: two words that are each other's opposite."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from torch import Tensor

from firstlight.kinds import category
from firstlight.kinds.kind import Claim, Kind, Learned, Settings, Snippets
from firstlight.plain.categories import OneHot, category_codes, vocabulary

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


def learn(rows: pl.DataFrame, columns: Mapping[str, BooleanSettings]) -> Learned:
    """How the two are spelt in each column."""
    return {name: vocabulary(rows[name], MOST_SPELLINGS + 1) for name in columns}


def encode(rows: pl.DataFrame, columns: Mapping[str, BooleanSettings], learned: Learned) -> Tensor:
    """Cells to codes (rows, columns) int64; 0 is a spelling never seen."""
    return category_codes(rows, {name: learned[name] for name in columns})


def strays(cells: pl.Series, settings: BooleanSettings) -> pl.Series:
    """Any cell can be read as a word."""
    return pl.repeat(False, len(cells), eager=True)


BOOLEAN = Kind(
    name="boolean",
    block="booleans",
    settings=BooleanSettings,
    modules=(OneHot, OneHot),
    claim=claim,
    learn=learn,
    encode=encode,
    network_features=lambda values, learned, bins: category.features(values, learned),
    line_features=category.features,
    strays=strays,
    snippets=Snippets(
        constants=lambda columns: f"BOOLEANS = {list(columns)!r}",
        learn=f"spellings = {{name: vocabulary(rows[name].gather(train), {MOST_SPELLINGS + 1}) for name in BOOLEANS}}",
        encode="category_codes(rows, spellings)",
        network_features=lambda bins: "OneHot(torch.tensor([len(known) for known in spellings.values()]))",
        line_features="OneHot(torch.tensor([len(known) for known in spellings.values()]))",
    ),
)
