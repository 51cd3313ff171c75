"""Cells that hold more than one value: a record gets a column for each of its fields, a list becomes its text.

Pictures and videos stay as they are: arrays of bytes.
"""

from __future__ import annotations

import json

import polars as pl

from firstlight.data.pixel_cells import pixel_shape
from firstlight.data.wording import listed

# Records may hold records; those deeper than this become text.
DEEPEST = 4


def flat(frame: pl.DataFrame, notes: list[str]) -> tuple[pl.DataFrame, bool]:
    """The frame without nested columns, and whether anything was changed; nested columns are named in the notes.

    Columns that hold nothing at all, not even a type, become empty columns of text.
    """
    kinds = frame.schema.items()
    untyped = [name for name, kind in kinds if kind == pl.Null]
    frame = frame.with_columns(pl.col(untyped).cast(pl.String))
    nested = [name for name, kind in kinds if _is_nested(kind)]
    if nested:
        hold = "holds" if len(nested) == 1 else "hold"
        notes.append(f"{listed(nested)} {hold} nested values: fields get columns of their own, lists are read as text")
    for _ in range(DEEPEST):
        frame = _unfolded(frame)
    as_text = [_as_text(frame[name]) for name, kind in frame.schema.items() if _is_nested(kind)]
    return frame.with_columns(as_text), bool(untyped or nested)


def _is_nested(kind: pl.DataType) -> bool:
    return (kind.is_nested() or kind == pl.Object) and pixel_shape(kind) is None


def _unfolded(frame: pl.DataFrame) -> pl.DataFrame:
    """Each record replaced by a column for each of its fields, called "record.field"."""
    if not any(isinstance(kind, pl.Struct) for kind in frame.schema.values()):
        return frame
    taken = set(frame.columns)
    parts: list[pl.Series] = []
    for cells in frame.iter_columns():
        if not isinstance(cells.dtype, pl.Struct):
            parts.append(cells)
            continue
        for part in cells.struct.unnest().iter_columns():
            name = f"{cells.name}.{part.name}"
            while name in taken:
                name += "_"
            taken.add(name)
            parts.append(part.alias(name))
    return pl.DataFrame(parts)


def _as_text(cells: pl.Series) -> pl.Series:
    texts = [None if cell is None else json.dumps(cell, ensure_ascii=False, default=str) for cell in cells.to_list()]
    return pl.Series(cells.name, texts, dtype=pl.String)
