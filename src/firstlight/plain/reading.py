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

from firstlight.plain.sequences import fasta_records, fastq_records, lines_of, sequence_rows

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
    return pl.concat(without_missing_words(pl.read_parquet(path)) for path in paths)


def read_arrow(paths: Sequence[str | Path | BinaryIO]) -> pl.DataFrame:
    """Arrow files (feather, version 2), their columns typed as they were saved."""
    return pl.concat(without_missing_words(pl.read_ipc(path)) for path in paths)


def read_json_lines(paths: Sequence[str | Path | BinaryIO]) -> pl.DataFrame:
    """Text files with one JSON object a line; a column is typed by all of its values."""
    return pl.concat(without_missing_words(pl.read_ndjson(path, infer_schema_length=None)) for path in paths)


def read_sqlite(paths: Sequence[str | Path], query: str) -> pl.DataFrame:
    """What `query` selects from each SQLite file, which is opened for reading only."""
    parts = []
    for path in paths:
        address = f"{Path(path).absolute().as_uri()}?mode=ro"  # ro: read only
        with closing(sqlite3.connect(address, uri=True)) as connection:
            parts.append(without_missing_words(pl.read_database(query, connection, infer_schema_length=None)))
    return pl.concat(parts)


def read_fasta(paths: Sequence[str | Path], label: str | Sequence[str] | None = None) -> pl.DataFrame:
    """FASTA files, plain or gzip, as columns id and sequence, and label where the headers or the files tell it."""
    return sequence_rows([fasta_records(lines_of(path)) for path in paths], label)


def read_fastq(paths: Sequence[str | Path], label: str | Sequence[str] | None = None) -> pl.DataFrame:
    """FASTQ files, plain or gzip, as columns id and sequence, and label where the headers or the files tell it."""
    return sequence_rows([fastq_records(lines_of(path)) for path in paths], label)


def example_lines(texts: Sequence[str]) -> pl.DataFrame:
    """The lines of all texts as a column text, without those that are blank."""
    lines = pl.Series("text", texts).str.split("\n").explode()
    return lines.filter(lines.str.contains(r"\S")).to_frame()


def read_text_lines(paths: Sequence[str | Path], encoding: str) -> pl.DataFrame:
    """Text files with one example a line, as a column text."""
    return example_lines([Path(path).read_text(encoding).removeprefix("\ufeff") for path in paths])


def read_text_files(folders: Sequence[str | Path], encoding: str) -> pl.DataFrame:
    """Folders of text files (.txt), one example each: its path in the folder, and its text."""
    files = [(Path(folder), path) for folder in folders for path in sorted(Path(folder).rglob("*.txt"))]
    return pl.DataFrame(
        {
            "path": [path.relative_to(folder).as_posix() for folder, path in files],
            "text": [path.read_text(encoding).removeprefix("\ufeff").strip() for _, path in files],
        }
    )


def read_text_classes(folders: Sequence[str | Path], encoding: str) -> pl.DataFrame:
    """Folders of text files that lie in a folder for each class: its name is their label."""
    rows = read_text_files(folders, encoding)
    return rows.with_columns(label=pl.col("path").str.split("/").list.first())
