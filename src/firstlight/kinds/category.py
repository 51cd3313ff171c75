"""Categories: words that come again and again."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import torch
from torch import Tensor, nn

from firstlight.kinds.kind import Claim, Kind, Learned, Settings, Snippets, in_brackets
from firstlight.plain.categories import OneHot, category_codes, vocabulary
from firstlight.wording import whole

MOST_WORDS = 200  # of a column that have a place of their own in the line and the small networks
MOST_TOLD_APART = 2000  # by the parts that can; the rarer ones count as unknown
LONG = 5.0  # words a cell, on average, from which a column of different cells is free text


class CategorySettings(Settings, frozen=True):
    """How many words of a column are told apart: the most frequent ones."""

    most: int = MOST_WORDS


def claim(cells: pl.Series) -> Claim[CategorySettings] | None:
    """A category where the words of a column repeat; whole numbers are numbers unless they are codes such as 01234."""
    if not isinstance(cells.dtype, pl.String | pl.Categorical | pl.Enum):
        return None
    written = cells.drop_nulls().cast(pl.String).str.strip_chars()
    if len(written) == 0:
        return None
    different = written.n_unique()
    blanks = int(written.str.count_matches(" ").sum())
    if different > len(written) / 2 and blanks / len(written) + 1 >= LONG:
        return None
    settings = CategorySettings(most=min(different + 1, MOST_TOLD_APART))  # and one for the gap
    found = f"{whole(different)} different words"
    if different <= MOST_WORDS:
        return Claim(0.6, found, settings)
    if different > MOST_TOLD_APART:
        found += f", of which the {whole(MOST_TOLD_APART)} most frequent are told apart"
    return Claim(0.5, found, settings)


def learn(rows: pl.DataFrame, columns: Mapping[str, CategorySettings]) -> Learned:
    """The vocabulary of each column."""
    return {name: vocabulary(rows[name], settings.most) for name, settings in columns.items()}


def encode(rows: pl.DataFrame, columns: Mapping[str, CategorySettings], learned: Learned) -> Tensor:
    """Cells to codes (rows, columns) int64; 0 is a word that is not in the vocabulary."""
    return category_codes(rows, {name: learned[name] for name in columns})


def strays(cells: pl.Series, settings: CategorySettings) -> pl.Series:
    """Any cell can be read as a word."""
    return pl.repeat(False, len(cells), eager=True)


def features(values: Tensor, learned: Learned) -> nn.Module:
    """A place for each word, of many for the most frequent ones."""
    return OneHot(torch.tensor([min(len(known), MOST_WORDS) for known in learned.values()]))


FEATURES_IN_SCRIPT = f"OneHot(torch.tensor([min(len(known), {MOST_WORDS}) for known in words_of.values()]))"


def _constants(columns: Mapping[str, CategorySettings]) -> str:
    items = [f"{name!r}: {settings.most}" for name, settings in columns.items()]
    return in_brackets("CATEGORIES = {", items, "}", "each column, and how many of its words are told apart")


CATEGORY = Kind(
    name="category",
    block="categories",
    settings=CategorySettings,
    modules=(OneHot, OneHot),
    claim=claim,
    learn=learn,
    encode=encode,
    network_features=lambda values, learned, bins: features(values, learned),
    line_features=features,
    strays=strays,
    snippets=Snippets(
        constants=_constants,
        learn="words_of = {name: vocabulary(rows[name].gather(train), most) for name, most in CATEGORIES.items()}",
        encode="category_codes(rows, words_of)",
        network_features=lambda bins: FEATURES_IN_SCRIPT,
        line_features=FEATURES_IN_SCRIPT,
    ),
)
