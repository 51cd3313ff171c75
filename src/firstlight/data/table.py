"""What reading a source gives: its rows, how they were read, and what was odd about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:  # so that a wrong path is answered before polars is loaded
    import polars as pl

Reader: TypeAlias = Literal[
    "csv", "excel", "parquet", "arrow", "json_lines", "sqlite", "memory",
    "fasta", "fastq", "text_lines", "text_files", "text_classes",
    "image_files", "image_classes", "video_files", "video_classes", "arrays",
]  # fmt: skip
# The column that only names a row, of readers that make one; it is never learned from.
NAMING: Mapping[str, str] = {
    "fasta": "id",
    "fastq": "id",
    "text_files": "path",
    "text_classes": "path",
    "image_files": "path",
    "image_classes": "path",
    "video_files": "path",
    "video_classes": "path",
}
LABEL = "label"  # the column of labels, of readers that find them in headers, in names of folders, or beside arrays
LABELLING = (*NAMING, "arrays")
Options: TypeAlias = Mapping[str, str | int | bool | list[str]]


@dataclass(frozen=True)
class Form:
    """The form in which the pictures or videos of a column are read.

    shape: (height, width, channels) of a picture, (frames, height, width, channels) of a video.
    step:  of a video: seconds from one frame to the next.
    """

    shape: tuple[int, ...]
    step: float = 0.0


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
    forms:    of columns of pictures and videos, by their names.
    """

    location: str
    name: str
    paths: tuple[str, ...]
    reader: Reader
    options: Options
    exact: bool
    summary: str
    forms: Mapping[str, Form] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.exact and not self.paths:
            raise ValueError(f"{self.location}: without a file nothing can be read again")


@dataclass(frozen=True, eq=False)
class Table:
    """The rows of a source.

    frame:   cells of a csv are text as they stand in the file; formats that know types (parquet, Excel, SQLite, ...)
             keep them. In all of them, blank and missing words (NA, null, ...) in columns of text are null.
    reading: how they were read.
    notes:   what was odd and what was done about it, a sentence each, naming line and column.
    """

    frame: pl.DataFrame
    reading: Reading
    notes: tuple[str, ...]

    @property
    def own_target(self) -> str | None:
        """The column to predict where nobody names one: the label that its reader found."""
        return LABEL if self.reading.reader in LABELLING and LABEL in self.frame.columns else None
