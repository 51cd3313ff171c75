"""Repairs of cells that any source may need: blanks around labels, header lines in the middle, hidden letters."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from firstlight.data.encoding import HIDDEN
from firstlight.data.wording import listed
from firstlight.plain.reading import without_missing_words
from firstlight.wording import counted, whole

# Labels and numbers are padded by accident. Columns with longer cells hold texts, where a blank at the end is nothing.
LONGEST_LABEL = 64


def tidied(frame: pl.DataFrame, notes: list[str]) -> tuple[pl.DataFrame, bool]:
    """The frame with its cells in order, whether anything was changed; what it was is added to the notes."""
    text = pl.col(pl.String).str
    beyond_ascii = _columns_where(frame, text.len_bytes().sum() != text.len_chars().sum())  # far quicker to ask
    if hidden := _columns_where(frame.select(beyond_ascii), text.contains(f"[{HIDDEN}]").any()):
        notes.append(f"hidden characters (no-break or zero-width blanks, say) stand in {listed(hidden)}")
    sides = [text.starts_with(blank) | text.ends_with(blank) for blank in " \t"]
    if padded := _columns_where(frame, (sides[0] | sides[1]).any() & (text.len_chars().max() <= LONGEST_LABEL)):
        notes.append(f"blanks around the cells of {listed(padded)} are taken off")
        frame = without_missing_words(frame.with_columns(pl.col(padded).str.strip_chars(" \t")))
    if frame.height > 1 and all(_is_constant(cells) for cells in frame.iter_columns()):
        notes.append(f"all {whole(frame.height)} rows are the same")
    return frame, bool(padded)


def without_repeated_headers(frame: pl.DataFrame, header: Sequence[str], notes: list[str]) -> tuple[pl.DataFrame, bool]:
    """Files put one after the other bring their header lines along; these are left out."""
    same = [cells == name for name, cells in zip(header, frame.iter_columns(), strict=True) if name]
    if len(same) < 2 or not same[0].any():
        return frame, False
    repeated = pl.select(pl.all_horizontal(same).fill_null(False)).to_series()
    count = int(repeated.sum())
    if count in (0, frame.height):
        return frame, False
    notes.append(f"the header stands {counted(count, 'more time')} among the rows; these lines are left out")
    return frame.filter(~repeated), True


def _columns_where(frame: pl.DataFrame, condition: pl.Expr) -> list[str]:
    """The names of the text columns for which the condition, one boolean a column, holds."""
    met = frame.select(condition)
    return [name for name in met.columns if met[name].item()] if met.width else []


def _is_constant(cells: pl.Series) -> bool:
    """Whether all cells are equal; nested and binary ones are not looked into."""
    if cells.dtype.is_nested() or cells.dtype in (pl.Binary, pl.Object):
        return False
    return bool(cells.eq_missing(cells[0]).all())
