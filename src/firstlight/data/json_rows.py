"""JSON: one object a line, or one list of objects; a line that is no object costs one row, and is named."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import polars as pl

from firstlight.data.encoding import SPOKEN, Text, text_of
from firstlight.data.nested import flat
from firstlight.data.places import Source
from firstlight.data.table import Reading, Table
from firstlight.data.tidy import tidied
from firstlight.data.wording import are, brief, numbered
from firstlight.plain.reading import read_json_lines
from firstlight.refusal import Refused
from firstlight.wording import counted


def read_json(source: Source) -> Table:
    """The rows in a JSON text. Raises Refused where it holds none, or is nested beyond reason."""
    text = text_of(source.content(), source.location)
    notes = list(text.notes)
    plain = not (text.changed or source.packed) and text.encoding == "utf8" and source.path is not None
    frame = None if text.content.lstrip().startswith(b"[") else _typed(text.content)
    as_it_stands = plain and frame is not None
    if frame is None:
        lines = _mended_lines(text, source.location, notes)
        frame = _typed(lines)
    if frame is None or frame.width == 0:
        raise Refused(f"{source.location}: its rows do not fit into columns; give each row the same fields.")
    if frame.height == 0:
        raise Refused(f"{source.location} has no rows.")
    frame, unfolded = flat(frame, notes)
    frame, changed = tidied(frame, notes)
    paths = () if source.path is None else (source.path,)
    exact = as_it_stands and not (unfolded or changed)
    summary = ", ".join(["JSON", SPOKEN.get(text.encoding, text.encoding), *source.packed])
    reading = Reading(source.location, source.name, paths, "json_lines", {}, exact, summary)
    return Table(frame, reading, tuple(notes))


def _typed(lines: bytes) -> pl.DataFrame | None:
    """The lines as a frame, or None where one of them is no object."""
    try:
        return read_json_lines([io.BytesIO(lines)])
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None


def _mended_lines(text: Text, location: str, notes: list[str]) -> bytes:
    """One object a line: from a list of objects, or from lines of which some are no objects."""
    strange: list[str] = []

    def not_json(word: str) -> None:
        strange.append(word)

    content = text.content.decode("utf-8")
    try:
        if content.lstrip().startswith("["):
            rows = _rows_of_list(json.loads(content, parse_constant=not_json), location, notes)
        else:
            rows = _rows_of_lines(content, location, notes, not_json)
    except RecursionError as error:
        raise Refused(f"{location} is nested too deeply for a table.") from error
    except ValueError as error:
        raise Refused(f"{location} is not whole JSON: {brief(error)}.") from error
    if strange:
        words = ", ".join(dict.fromkeys(strange))
        notes.append(f"{words} stand among the numbers, which JSON does not allow: taken as gaps")
    return "\n".join(json.dumps(row) for row in rows).encode()


def _rows_of_list(found: object, location: str, notes: list[str]) -> list[dict[str, object]]:
    """The objects of a list; what else stands in it is left out and counted."""
    entries = found if isinstance(found, list) else []
    rows = [entry for entry in entries if isinstance(entry, dict)]
    if not rows:
        raise Refused(f"{location} holds no rows: a table is a list of objects, one a row.")
    if len(rows) < len(entries):
        others = len(entries) - len(rows)
        notes.append(f"{counted(others, 'thing')} in the list {are(others)} no object and {are(others)} left out")
    return rows


def _rows_of_lines(
    content: str, location: str, notes: list[str], not_json: Callable[[str], None]
) -> list[dict[str, object]]:
    """The objects of all lines that hold one."""
    rows: list[dict[str, object]] = []
    bad: list[int] = []
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_constant=not_json)
        except ValueError:
            row = None
        if isinstance(row, dict):
            rows.append(row)
        else:
            bad.append(number)
    if len(bad) > len(rows):
        raise Refused(f"{location} is no table: most of its lines (the first: {bad[0]}) are no JSON objects.")
    if bad:
        several = are(len(bad))
        notes.append(f"{numbered(bad, 'line')} {several} no JSON object and {several} left out")
    return rows
