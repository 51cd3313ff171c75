"""Categories: from words to codes (step 1), and from codes to features of a model (step 2)."""

from collections.abc import Mapping, Sequence

import polars as pl
import torch
from torch import Tensor, nn


def words(cells: pl.Series) -> pl.Series:
    """Cells as words: blanks around them gone, numbers and booleans as they are written, a gap as the empty word."""
    return cells.cast(pl.String).str.strip_chars().fill_null("")


def vocabulary(cells: pl.Series, most: int) -> list[str]:
    """The words of the training cells, the most frequent first, at most `most` of them; a gap is the empty word."""
    counts = words(cells).alias("word").value_counts(name="count")
    return counts.sort(["count", "word"], descending=[True, False])["word"].head(most).to_list()


def codes(cells: pl.Series, known: Sequence[str]) -> Tensor:
    """The place of each cell's word among the known ones, from 1; 0 for any other: (rows,) int64."""
    found = words(cells).replace_strict(list(known), list(range(1, len(known) + 1)), default=0, return_dtype=pl.Int64)
    return torch.from_numpy(found.to_numpy(writable=True))


def category_codes(rows: pl.DataFrame, vocabularies: Mapping[str, Sequence[str]]) -> Tensor:
    """The codes of each column's cells in its vocabulary: (rows, columns) int64."""
    return torch.stack([codes(rows[name], known) for name, known in vocabularies.items()], dim=1)


class OneHot(nn.Module):
    """Codes (rows, columns) int64 to features (rows, width): a 1 in the place of the code; an unknown word is all 0."""

    def __init__(self, sizes: Tensor) -> None:
        super().__init__()
        self.sizes = nn.Buffer(sizes)  # (columns,) int64, the words of each vocabulary
        self.width = int(sizes.sum())

    def places(self, codes: Tensor) -> Tensor:
        """The place of each word among those of all columns, from 1, and 0 for an unknown one: (rows, columns)."""
        return torch.where((codes > 0) & (codes <= self.sizes), codes + self.sizes.cumsum(0) - self.sizes, 0)

    def forward(self, codes: Tensor) -> Tensor:
        return torch.zeros(len(codes), self.width + 1).scatter_(1, self.places(codes), 1.0)[:, 1:]
