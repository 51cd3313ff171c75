"""Step 1, prepare and load: any source to a `Table`. The format is told by the content; the name decides only where
the content leaves it open, as between a text a line and a table of one column.

In: a path, a pattern of paths, a folder or archive of pictures, videos, texts or sequences, "-" for standard input, an
address of a SQLite table, or a frame. Out: the table, how it was read, and what was odd about it. What cannot be read
is refused in one sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from firstlight.data.folders import Contents, contents_of
from firstlight.data.places import Source, short_name, source_inside, sources_at
from firstlight.data.signatures import (
    ARROW_FILE,
    ARROW_STREAM,
    PARQUET,
    SQLITE,
    is_workbook,
    looks_like_json,
)
from firstlight.data.table import Form, Table
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


def read(
    source: str | Path | FrameLike | Table,
    *,
    sheet: str | None = None,
    label: str | None = None,
    labels: str | Path | None = None,
    forms: Mapping[str, Form] | None = None,
) -> Table:
    """The table in a source.

    source: a path, a pattern ("sales-*.csv": files with the same columns, one below the other in the order of their
            names), a folder or zip archive of pictures, videos, text files or sequences (folders in it are the
            classes), "-" for standard input, "sqlite:///file.db?table=name" or "...?query=SELECT ...", or a frame of
            polars, pandas or any library that hands over Arrow columns; a table that is read already stays as it is.
    sheet:  the sheet of a workbook; else the first that holds a table.
    label:  for FASTA and FASTQ: a regular expression whose one group is the label in each header; else found out.
    labels: for FASTA and FASTQ: a table with a column id and the labels.
    forms:  in which the pictures and videos of columns are read, as those of another table were; else found out.

    Raises Refused, with one sentence, where there is no table to be had.
    """
    if isinstance(source, Table):
        return source
    if not isinstance(source, (str, Path)):
        from firstlight.data.frames import read_frame

        return read_frame(source)
    return _read_place(str(source), _Asked(sheet, label, labels, forms or {}))


@dataclass(frozen=True)
class _Asked:
    """What was asked for beside the place: see `read`."""

    sheet: str | None
    label: str | None
    labels: str | Path | None
    forms: Mapping[str, Form]

    def refuse_sheet(self, location: str) -> None:
        """An option that has nothing to act on is refused, lest someone believe that it did."""
        if self.sheet is not None:
            raise Refused(f"{location} is no workbook, so it has no sheet {self.sheet!r}; leave --sheet away.")

    def refuse_labels(self, location: str) -> None:
        """The same for labels: other tables have theirs in a column."""
        if self.label is not None or self.labels is not None:
            raise Refused(
                f"{location} holds no sequences (FASTA or FASTQ), which labels are looked up for; name --target."
            )


def _read_place(location: str, asked: _Asked) -> Table:
    if location.startswith("sqlite:"):
        asked.refuse_labels(location)
        from firstlight.data.database import read_address

        return read_address(location)
    # A wrong path is answered here, before polars is loaded: that is why the imports stand below.
    found = sources_at(location)
    if asked.labels is not None:
        sources_at(str(asked.labels))
    if (contents := contents_of(location)) is not None:
        return _read_contents(contents, location, found, asked)
    from firstlight.data.packing import unpack
    from firstlight.data.signatures import array_format

    first, notes = (found[0], []) if array_format(found[0]) else unpack(found[0])
    if _is_of_sequences(first):
        return _read_sequences(location, [first, *found[1:]], asked, notes)
    asked.refuse_labels(location)
    if array_format(first):
        asked.refuse_sheet(location)
        from firstlight.data.arrays import read_arrays

        return read_arrays(first, asked.forms)
    tables = [_read_table(found[0], first, notes, asked)]
    alike = replace(asked, forms=tables[0].reading.forms)
    tables += [_read_table(part, *unpack(part), alike) for part in found[1:]]
    return tables[0] if len(tables) == 1 and found[0].location == location else _joined(location, tables)


def _read_contents(contents: Contents, location: str, found: Sequence[Source], asked: _Asked) -> Table:
    """What a folder or an archive holds."""
    if contents.holds == "sequences":
        return _read_sequences(location, found, asked, contents.notes)
    asked.refuse_labels(location)
    if contents.holds == "texts":
        asked.refuse_sheet(location)
        from firstlight.data.text_folder import read_text_folder

        return read_text_folder(contents.place, found, contents.notes)
    if len(contents.tables) == 1:
        table = _read_table_of_files(contents, asked)
        if table is not None:
            return table
    asked.refuse_sheet(location)
    from firstlight.data.picture_folder import read_pixel_folder

    return read_pixel_folder(location, contents, found, asked.forms)


def _read_table_of_files(contents: Contents, asked: _Asked) -> Table | None:
    """The table that lies beside pictures or videos and names them; None where it names none."""
    from firstlight.data.packing import unpack

    source = source_inside(contents, contents.tables[0])
    table = _read_table(source, *unpack(source), asked)
    return table if table.reading.forms else None


def _read_sequences(location: str, found: Sequence[Source], asked: _Asked, notes: Sequence[str]) -> Table:
    asked.refuse_sheet(location)
    from firstlight.data.sequences import read_sequences

    labels = None if asked.labels is None else read(asked.labels)
    return read_sequences(location, found, asked.label, labels, notes)


def _is_of_sequences(source: Source) -> bool:
    from firstlight.data.sequences import format_in

    return format_in(source) is not None


def _read_table(source: Source, unpacked: Source, notes: list[str], asked: _Asked) -> Table:
    """The table in a file, with the pictures and videos that its cells hold or name."""
    table = _read_format(unpacked, asked)
    table = replace(table, notes=(*notes, *_name_notes(unpacked, table), *table.notes))
    from firstlight.data.picture_columns import with_pixels

    return with_pixels(table, source, asked.forms)


def _read_format(source: Source, asked: _Asked) -> Table:
    head = source.head(_HEAD)
    if is_workbook(head):
        from firstlight.data.workbook import read_workbook

        return read_workbook(source, asked.sheet)
    asked.refuse_sheet(source.location)
    if head.startswith((PARQUET, ARROW_FILE, ARROW_STREAM)):
        from firstlight.data.binary import read_columns

        return read_columns(source, head)
    if head.startswith(SQLITE):
        from firstlight.data.database import read_database_file

        return read_database_file(source)
    for offset, magic, what in STRANGERS:
        if head.startswith(magic, offset):
            raise Refused(f"{source.location} is no table but {what}.")
    if _is_of_sequences(source):
        raise Refused(f"{source.location} holds sequences, other than the files read with it.")
    if head.lstrip()[:5].lower() in (b"<html", b"<!doc"):
        raise Refused(f"{source.location} is a web page; save its table as csv.")
    if head.lstrip().startswith(b"<?xml"):
        raise Refused(f"{source.location} is an XML file; save its table as csv or xlsx.")
    if looks_like_json(head):
        from firstlight.data.json_rows import read_json

        return read_json(source)
    from firstlight.data.text_lines import read_lines

    if (lines := read_lines(source)) is not None:
        return lines
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
