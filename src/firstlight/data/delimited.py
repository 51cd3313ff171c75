"""Text tables (csv, tsv and their kin): from bytes to a table, whatever stands around its rows.

A clean file is read by `plain.reading.read_csv` straight from its path. One with oddities is first mended as text
(lines around the table, lines of another length, quotes), then read by the same function.
"""

from __future__ import annotations

import io

import polars as pl

from firstlight.data.encoding import SPOKEN, text_of
from firstlight.data.layout import SEPARATORS
from firstlight.data.mending import Mended, mended
from firstlight.data.places import Source, unreadable
from firstlight.data.structure import Structure, structure_of
from firstlight.data.table import Reading, Table
from firstlight.data.tidy import tidied, without_repeated_headers
from firstlight.data.wording import brief
from firstlight.plain.reading import read_csv, without_missing_words
from firstlight.refusal import Refused

# The packings that polars unpacks by itself, given UTF-8.
_POLARS_UNPACKS = ((), ("gzip",), ("zstd",))


def read_delimited(source: Source) -> Table:
    """The table in a text file. Raises Refused where there is none, or no row in it."""
    text = text_of(source.content(), source.location)
    if not text.content.strip():
        raise Refused(f"{source.location} holds nothing but blank lines.")
    table = mended(text.content, source.location)
    if table.rows == 0:
        raise Refused(f"{source.location} has a header and no rows.")
    openable = source.path is not None and source.packed in _POLARS_UNPACKS
    openable = openable and not (source.packed and text.encoding != "utf8")
    as_it_stands = openable and not (text.changed or table.changed)
    body = _read(source, text.encoding, table) if as_it_stands else _read_mended(table, source.location)
    notes = [*text.notes, *table.notes]
    frame, exact = _table_in(body, table.header, notes)
    if frame.width == 0:
        raise Refused(f"{source.location} holds nothing but separators.")
    separator = SEPARATORS.get(table.separator, "one column") if len(table.header) > 1 else "one column"
    summary = ", ".join([separator, SPOKEN.get(text.encoding, text.encoding), *source.packed])
    options = {"separator": table.separator, "encoding": text.encoding}
    paths = () if source.path is None else (source.path,)
    reading = Reading(source.location, source.name, paths, "csv", options, exact and as_it_stands, summary)
    return Table(frame, reading, tuple(notes))


def _read(source: Source, encoding: str, table: Mended) -> pl.DataFrame:
    return _parsed([source.path or ""], table.separator, encoding, source.location)


def _read_mended(table: Mended, location: str) -> pl.DataFrame:
    return _parsed([io.BytesIO(table.content)], table.separator, "utf8", location)


def _parsed(paths: list[str] | list[io.BytesIO], separator: str, encoding: str, location: str) -> pl.DataFrame:
    try:
        return read_csv(paths, separator, encoding)
    except (pl.exceptions.PolarsError, UnicodeError) as error:
        raise Refused(f"{location} cannot be read as a table: {brief(error)}.") from error
    except OSError as error:
        raise unreadable(location, error) from error


def _table_in(body: pl.DataFrame, header: list[str], notes: list[str]) -> tuple[pl.DataFrame, bool]:
    """The table without what stands around it, and whether the body was just that."""
    body, repeated = without_repeated_headers(body, header, notes)
    structure = structure_of(header, body)
    notes += structure.notes
    frame, padded = tidied(_cut(body, header, structure), notes)
    whole = structure.first == 0 and structure.end == body.height and structure.names == body.columns
    return frame, whole and not (repeated or padded)


def _cut(body: pl.DataFrame, header: list[str], structure: Structure) -> pl.DataFrame:
    if structure.first < 0:  # the header is a row itself
        first = pl.DataFrame([header], schema=dict.fromkeys(body.columns, pl.String), orient="row")
        body = pl.concat([without_missing_words(first), body])
        frame = body.head(structure.end + 1)
    else:
        frame = body.slice(structure.first, structure.end - structure.first)
    columns = frame.columns
    frame = frame.select([columns[place] for place in structure.columns])
    frame.columns = structure.names
    return frame
