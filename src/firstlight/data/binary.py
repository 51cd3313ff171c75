"""Parquet and Arrow files: columns keep the types they were saved with; nested ones are laid out flat."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import polars as pl

from firstlight.data.damage import damage_refused
from firstlight.data.nested import flat
from firstlight.data.places import Source, unreadable
from firstlight.data.signatures import ARROW_FILE, PARQUET
from firstlight.data.table import Reader, Reading, Table
from firstlight.plain.reading import read_arrow, read_parquet, without_missing_words
from firstlight.refusal import Refused


def read_columns(source: Source, head: bytes) -> Table:
    """The table in a parquet or Arrow file, as its head says."""
    if head.startswith(PARQUET):
        return read_parquet_file(source)
    return read_arrow_file(source) if head.startswith(ARROW_FILE) else read_arrow_stream(source)


def read_parquet_file(source: Source) -> Table:
    """The table in a parquet file. Raises Refused where it is cut off or damaged."""
    return _read(source, "parquet", lambda path: read_parquet([path]), "a parquet file")


def read_arrow_file(source: Source) -> Table:
    """The table in an Arrow (feather 2) file. Raises Refused where it is cut off or damaged."""
    return _read(source, "arrow", lambda path: read_arrow([path]), "an Arrow file")


def read_arrow_stream(source: Source) -> Table:
    """The table in an Arrow stream, which has no end mark of its own: cut off, it gives the batches that are whole."""
    held = source.unpacked(source.content(), "stream")
    return _read(held, "arrow", lambda path: without_missing_words(pl.read_ipc_stream(path)), "an Arrow stream")


def _read(source: Source, reader: Reader, opened: Callable[[str | io.BytesIO], pl.DataFrame], spoken: str) -> Table:
    from_path = source.held is None and source.path is not None
    try:
        with damage_refused(source.location, spoken):
            frame = opened(source.path or "") if from_path else opened(io.BytesIO(source.content()))
    except OSError as error:
        raise unreadable(source.location, error) from error
    notes: list[str] = []
    frame, changed = flat(frame, notes)
    if frame.height == 0:
        raise Refused(f"{source.location} has columns and no rows.")
    paths: Sequence[str] = (source.path,) if source.path is not None else ()
    summary = ", ".join([spoken.split(" ", 1)[1], *source.packed])
    reading = Reading(source.location, source.name, tuple(paths), reader, {}, from_path and not changed, summary)
    return Table(frame, reading, tuple(notes))
