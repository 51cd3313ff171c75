"""Step 1, prepare and load: files to one table, a `polars.DataFrame`.

In: the paths of files that hold the same columns; their rows are put one below the other, in the order of the
paths. Out: a table. Cells of a csv stay text as they stand in the file: what a cell means (a number, a date, a
postal code with leading zeros) is decided later, column by column, and never by the reader.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import polars as pl

# Cells that say "nothing was measured here". "None" and "-" do not: they may be answers (no damage, the minus strand).
MISSING_WORDS = ["", " ", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NaT", "NULL", "Null", "null"]


def without_missing_words(rows: pl.DataFrame) -> pl.DataFrame:
    """Text cells that only say that something is missing become null; all other cells stay."""
    text = pl.col(pl.String)
    return rows.with_columns(pl.when(text.is_in(MISSING_WORDS)).then(None).otherwise(text).name.keep())


def read_csv(paths: Sequence[str | Path | BinaryIO], separator: str, encoding: str) -> pl.DataFrame:
    """Text files with one row a line and `separator` between cells; every column comes out as text."""
    return pl.concat(
        pl.read_csv(path, separator=separator, encoding=encoding, infer_schema=False, null_values=MISSING_WORDS)
        for path in paths
    )


def read_excel(paths: Sequence[str | Path | BinaryIO], sheet: str) -> pl.DataFrame:
    """One sheet of each workbook (xlsx, xls, ods), its first row the names of the columns."""
    return pl.concat(
        without_missing_words(pl.read_excel(path, sheet_name=sheet, infer_schema_length=None)) for path in paths
    )


def read_parquet(paths: Sequence[str | Path | BinaryIO]) -> pl.DataFrame:
    """Parquet files, their columns typed as they were saved."""
    return pl.concat(pl.read_parquet(path) for path in paths)


def read_arrow(paths: Sequence[str | Path | BinaryIO]) -> pl.DataFrame:
    """Arrow files (feather, version 2), their columns typed as they were saved."""
    return pl.concat(pl.read_ipc(path) for path in paths)


def read_json_lines(paths: Sequence[str | Path | BinaryIO]) -> pl.DataFrame:
    """Text files with one JSON object a line; a column is typed by all of its values."""
    return pl.concat(without_missing_words(pl.read_ndjson(path, infer_schema_length=None)) for path in paths)


def read_sqlite(paths: Sequence[str | Path], query: str) -> pl.DataFrame:
    """What `query` selects from each SQLite file, which is opened for reading only."""
    parts = []
    for path in paths:
        address = f"{Path(path).absolute().as_uri()}?mode=ro"  # ro: read only
        with closing(sqlite3.connect(address, uri=True)) as connection:
            parts.append(pl.read_database(query, connection, infer_schema_length=None))
    return pl.concat(parts)
