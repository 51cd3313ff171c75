"""Tables that are in memory already: polars, pandas, pyarrow, and whatever else speaks Arrow or Narwhals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

import narwhals
import polars as pl

from firstlight.data.nested import flat
from firstlight.data.table import Reading, Table
from firstlight.data.wording import brief
from firstlight.plain.reading import without_missing_words
from firstlight.refusal import Refused

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame, IntoSeries


@runtime_checkable
class ArrowStream(Protocol):
    """What hands its columns over by the Arrow C interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


FrameLike: TypeAlias = "pl.DataFrame | pl.LazyFrame | ArrowStream | IntoDataFrame"


def read_frame(source: FrameLike) -> Table:
    """The table in a frame. Raises Refused for what is no frame, and for one without rows or columns."""
    library = type(source).__module__.partition(".")[0]
    location = f"a {library} frame"
    notes: list[str] = []
    frame = _as_polars(source, location, notes)
    if frame.width == 0 or frame.height == 0:
        raise Refused(f"{location} has no {'columns' if frame.width == 0 else 'rows'}.")
    frame, _ = flat(without_missing_words(frame), notes)
    return Table(frame, Reading(location, "frame", (), "memory", {}, False, location), tuple(notes))


def _as_polars(source: FrameLike, location: str, notes: list[str]) -> pl.DataFrame:
    if isinstance(source, pl.DataFrame):
        return source
    try:
        if isinstance(source, pl.LazyFrame):
            return source.collect()
        if narwhals.dependencies.is_into_dataframe(source):  # it knows how each library spells its missing cells
            return _by_narwhals(source, location, notes)
        if isinstance(source, ArrowStream):
            return pl.DataFrame(source)
    except (pl.exceptions.PolarsError, OSError, ValueError) as error:
        raise Refused(f"{location} cannot be read: {brief(error)}.") from error
    raise Refused(
        f"a {type(source).__name__} is no table that is known here; give a path, or a polars or pandas frame."
    )


def _by_narwhals(source: IntoDataFrame, location: str, notes: list[str]) -> pl.DataFrame:
    try:
        frame = narwhals.from_native(source, eager_only=True)
    except ValueError as error:
        raise Refused(f"{location} has columns of the same name; give each a name of its own.") from error
    index = getattr(source, "index", None)
    if index is not None and type(index).__name__ != "RangeIndex":
        notes.append("the index of the frame is not read; reset_index() makes it a column")
    return pl.DataFrame([_column(cells, notes) for cells in frame.iter_columns()])


def _column(cells: narwhals.Series[IntoSeries], notes: list[str]) -> pl.Series:
    """One column; cells of several kinds in one column, which pandas allows, are read as text."""
    name = str(cells.name)
    try:
        return cells.to_polars().alias(name)
    except ImportError as error:
        raise Refused(f"column {name!r} needs pyarrow to be read: pip install pyarrow.") from error
    except (ValueError, TypeError):
        notes.append(f"{name!r} holds values of several kinds: read as text")
        missing = cells.is_null().to_list()
        texts = [None if gone else str(cell) for cell, gone in zip(cells.to_list(), missing, strict=True)]
        return pl.Series(name, texts, dtype=pl.String)
