"""Texts to a few numbers (step 1): which of the most common words stand in them, for the straight line."""

from collections.abc import Mapping, Sequence

import polars as pl
import torch
from torch import Tensor

from firstlight.plain.words import without_markup

# A word; in scripts that set no blanks between words, a letter.
WORD = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]|[\p{L}\p{M}\p{N}]+"


def words_in(cells: pl.Series) -> pl.DataFrame:
    """The different words of each text, in lower case: `row` and `word`, a line for each pair."""
    found = without_markup(cells).str.to_lowercase().str.extract_all(WORD).list.unique().alias("word")
    return found.to_frame().with_row_index("row").explode("word").drop_nulls()


def common_words(cells: pl.Series, most: int) -> list[str]:
    """The words that stand in the most texts, at most so many, the most common first."""
    counts = words_in(cells)["word"].value_counts(name="count")
    return counts.sort(["count", "word"], descending=[True, False])["word"].head(most).to_list()


def word_marks(rows: pl.DataFrame, known: Mapping[str, Sequence[str]]) -> Tensor:
    """For each column a 1 where anything is written, and one where each known word of it stands.

    Returns (rows, columns and their words) float64.
    """
    marks = []
    for name, chosen in known.items():
        marks.append(torch.zeros(len(rows), 1 + len(chosen), dtype=torch.float64))
        written = rows[name].cast(pl.String).fill_null("").str.strip_chars() != ""
        marks[-1][:, 0] = torch.from_numpy(written.to_numpy(writable=True))
        places = {"word": list(chosen), "place": range(1, 1 + len(chosen))}
        schema = {"word": pl.String, "place": pl.Int64}
        found = words_in(rows[name]).join(pl.DataFrame(places, schema=schema), on="word")
        row, place = (torch.from_numpy(found[part].cast(pl.Int64).to_numpy(writable=True)) for part in ("row", "place"))
        marks[-1][row, place] = 1.0
    return torch.cat(marks, dim=1)
