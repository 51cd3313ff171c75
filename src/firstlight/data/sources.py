"""Step 1, prepare and load: any source to a `Table`. The format is told by the content, never by the name.

In: a path, a pattern of paths, "-" for standard input, an address of a SQLite table, or a frame. Out: the table, how
it was read, and what was odd about it. What cannot be read is refused in one sentence.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from firstlight.data.places import STANDARD_INPUT, Source, short_name, sources_at
from firstlight.data.signatures import (
    ARROW_FILE,
    ARROW_STREAM,
    PARQUET,
    SQLITE,
    is_workbook,
    looks_like_json,
)
from firstlight.data.table import Table
from firstlight.refusal import Refused

if TYPE_CHECKING:
    from firstlight.data.frames import FrameLike

# Formats that are known and are no tables; a sentence is better than a wall of letters. The number is an offset.
STRANGERS = (
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"GIF8", "a GIF picture"),
    (0, b"II*\0", "a TIFF picture"),
    (0, b"MM\0*", "a TIFF picture"),
    (0, b"RIFF", "a picture or video"),
    (4, b"ftyp", "a video"),
    (0, b"\x1aE\xdf\xa3", "a video"),
    (0, b"%PDF", "a PDF; export the table from the program that made it, or copy it into a spreadsheet"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"\x80\x02", "a pickle, which is never opened because it can run code"),
    (0, b"\x80\x03", "a pickle, which is never opened because it can run code"),
    (0, b"\x80\x04", "a pickle, which is never opened because it can run code"),
    (0, b"\x80\x05", "a pickle, which is never opened because it can run code"),
    (8, b'{"', "a safetensors file, which holds a model and no table"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"7z\xbc\xaf", "a 7z archive; unpack it first"),
    (0, b"Rar!", "a RAR archive; unpack it first"),
    (257, b"ustar", "a tar archive; unpack it first"),
    (0, b"FEA1", "a feather file of the first version; save it again as parquet"),
    (0, b"ORC", "an ORC file; save it again as parquet"),
    (0, b"Obj\x01", "an Avro file; save it again as parquet"),
    (0, b"$FL2", "an SPSS file; save it as csv"),
    (0, b"<stata_dta>", "a Stata file; save it as csv"),
    (0, b"\x7fELF", "a program"),
)
_HEAD = 512


def read(source: str | Path | FrameLike | Table, *, sheet: str | None = None) -> Table:
    """The table in a source.

    source: a path, a pattern ("sales-*.csv": files with the same columns, one below the other in the order of their
            names), "-" for standard input, "sqlite:///file.db?table=name" or "...?query=SELECT ...", or a frame of
            polars, pandas or any library that hands over Arrow columns; a table that is read already stays as it is.
    sheet:  the sheet of a workbook; else the first that holds a table.

    Raises Refused, with one sentence, where there is no table to be had.
    """
    if isinstance(source, Table):
        return source
    if not isinstance(source, (str, Path)):
        from firstlight.data.frames import read_frame

        return read_frame(source)
    location = str(source)
    if location.startswith("sqlite:"):
        from firstlight.data.database import read_address

        return read_address(location)
    # A wrong path is answered here, before polars is loaded: that is why the imports stand below.
    found = sources_at(location)
    tables = [_read_one(part, sheet) for part in found]
    return tables[0] if len(tables) == 1 and found[0].location == location else _joined(location, tables)


def _read_one(source: Source, sheet: str | None) -> Table:
    from firstlight.data.packing import unpack

    if not source.head(1):
        what = "standard input" if source.location == STANDARD_INPUT else source.location
        raise Refused(f"{what} is empty.")
    source, notes = unpack(source)
    table = _read_format(source, sheet)
    return replace(table, notes=(*notes, *_name_notes(source, table), *table.notes))


def _read_format(source: Source, sheet: str | None) -> Table:
    head = source.head(_HEAD)
    if is_workbook(head):
        from firstlight.data.workbook import read_workbook

        return read_workbook(source, sheet)
    if sheet is not None:
        raise Refused(f"{source.location} is no workbook, so it has no sheet {sheet!r}; leave --sheet away.")
    if head.startswith((PARQUET, ARROW_FILE, ARROW_STREAM)):
        from firstlight.data.binary import read_columns

        return read_columns(source, head)
    if head.startswith(SQLITE):
        from firstlight.data.database import read_database_file

        return read_database_file(source)
    for offset, magic, what in STRANGERS:
        if head.startswith(magic, offset):
            raise Refused(f"{source.location} is no table but {what}.")
    if re.match(rb">[^\n]*\n[A-Za-z*.\r\n-]*(\n|>|$)", head) or re.match(rb"@[^\n]*\n[A-Za-z.\r]+\n\+?", head):
        raise Refused(f"{source.location} is no table but a file of sequences (FASTA or FASTQ).")
    if head.lstrip()[:5].lower() in (b"<html", b"<!doc"):
        raise Refused(f"{source.location} is a web page; save its table as csv.")
    if head.lstrip().startswith(b"<?xml"):
        raise Refused(f"{source.location} is an XML file; save its table as csv or xlsx.")
    if looks_like_json(head):
        from firstlight.data.json_rows import read_json

        return read_json(source)
    from firstlight.data.delimited import read_delimited

    return read_delimited(source)


def _name_notes(source: Source, table: Table) -> list[str]:
    """A note where the name promises another format than the content keeps."""
    promised = {
        ".xlsx": "excel", ".xls": "excel", ".ods": "excel", ".parquet": "parquet", ".csv": "csv", ".json": "json_lines",
    }  # fmt: skip
    spoken = {"excel": "a workbook", "parquet": "parquet", "csv": "csv", "json_lines": "JSON", "arrow": "Arrow"}
    suffix = Path(source.location).suffix.lower()
    reader = table.reading.reader
    if suffix not in promised or promised[suffix] == reader:
        return []
    return [f"the name ends in {suffix}, the file is {spoken.get(reader, reader)}"]


def _joined(location: str, tables: list[Table]) -> Table:
    """The tables of a pattern one below the other. Raises Refused where their columns differ."""
    import polars as pl

    from firstlight.data.wording import brief

    first = tables[0]
    for other in tables[1:]:
        _check_columns(first, other)
    try:
        frame = pl.concat([table.frame.select(first.frame.columns) for table in tables], how="vertical_relaxed")
    except pl.exceptions.PolarsError as error:
        raise Refused(f"{location}: the files hold other kinds of values in a column: {brief(error)}.") from error
    readings = [table.reading for table in tables]
    alike = all(
        (reading.reader, reading.options) == (first.reading.reader, first.reading.options)
        and table.frame.schema == first.frame.schema
        for reading, table in zip(readings, tables, strict=True)
    )
    reading = replace(
        first.reading,
        location=location,
        name=short_name(location),
        paths=tuple(path for reading in readings for path in reading.paths),
        exact=alike and all(reading.exact for reading in readings),
        summary=f"{len(tables)} files, {first.reading.summary}",
    )
    notes = tuple(f"{Path(table.reading.location).name}: {note}" for table in tables for note in table.notes)
    return Table(frame, reading, notes)


def _check_columns(first: Table, other: Table) -> None:
    mine, theirs = first.frame.columns, other.frame.columns
    lacking = [name for name in mine if name not in theirs]
    surplus = [name for name in theirs if name not in mine]
    if lacking or surplus:
        what = f"has no column {lacking[0]!r}" if lacking else f"has a column {surplus[0]!r}"
        raise Refused(
            f"{other.reading.location} {what}, other than {first.reading.location}: files of one pattern need the "
            "same columns."
        )
