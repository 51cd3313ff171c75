"""What reading a source gives: its rows, how they were read, and what was odd about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:  # so that a wrong path is answered before polars is loaded
    import polars as pl

Reader: TypeAlias = Literal[
    "csv", "excel", "parquet", "arrow", "json_lines", "sqlite", "memory",
    "fasta", "fastq", "text_lines", "text_files", "text_classes",
]  # fmt: skip
# The column that only names a row, of readers that make one; it is never learned from.
NAMING: Mapping[str, str] = {"fasta": "id", "fastq": "id", "text_files": "path", "text_classes": "path"}
LABEL = "label"  # the column of labels, of readers that find them in headers or in the names of folders
Options: TypeAlias = Mapping[str, str | int | bool | list[str]]


@dataclass(frozen=True, eq=False)
class Reading:
    """How a source was read, so that it can be read again in the same way.

    location: as the person gave it: "penguins.csv", "sqlite:///x.db?table=t", "-", "a polars frame".
    name:     a short name for messages and folders: "penguins".
    paths:    the files, in order, as the person gave them; none for a pipe or a frame.
    reader:   `plain.reading.read_<reader>` is what read it; "memory" for frames.
    options:  the keyword arguments of that reader.
    exact:    whether that reader with these paths and options gives the very same frame again. It does not where
              the rows came from a pipe or a frame, or needed repairs: then a copy of them has to be kept.
    summary:  what was found out, in few words: "comma, utf-8".
    """

    location: str
    name: str
    paths: tuple[str, ...]
    reader: Reader
    options: Options
    exact: bool
    summary: str

    def __post_init__(self) -> None:
        if self.exact and not self.paths:
            raise ValueError(f"{self.location}: without a file nothing can be read again")


@dataclass(frozen=True, eq=False)
class Table:
    """The rows of a source.

    frame:   cells of a csv are text as they stand in the file, blank and missing words null; formats that know
             types (parquet, Excel, SQLite, ...) keep them.
    reading: how they were read.
    notes:   what was odd and what was done about it, a sentence each, naming line and column.
    """

    frame: pl.DataFrame
    reading: Reading
    notes: tuple[str, ...]

    @property
    def own_target(self) -> str | None:
        """The column to predict where nobody names one: the label that files of sequences and class folders carry."""
        return LABEL if self.reading.reader in NAMING and LABEL in self.frame.columns else None
