"""SQLite: one table or one query of a database file, opened for reading only."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, unquote

import polars as pl

from firstlight.data.nested import flat
from firstlight.data.places import Source, file_at, short_name
from firstlight.data.table import Reading, Table
from firstlight.data.wording import brief, listed
from firstlight.plain.reading import read_sqlite
from firstlight.refusal import Refused, nearest

PREFIX = "sqlite:///"


def read_address(location: str) -> Table:
    """The table or query that an address such as "sqlite:///shop.db?table=orders" names."""
    if not location.startswith(PREFIX):
        raise Refused(f"{location}: write the address as {PREFIX}file.db?table=NAME, with three slashes.")
    path, _, settings = location.removeprefix(PREFIX).partition("?")
    path = file_at(unquote(path))
    asked = parse_qs(settings, keep_blank_values=True)
    for key in asked:
        if key not in ("table", "query"):
            near = nearest(key, ["table", "query"]) or "table' or 'query"
            raise Refused(f"{location} asks for {key!r}; did you mean {near!r}?")
    if len(asked) > 1 or any(len(values) > 1 for values in asked.values()):
        raise Refused(f"{location} asks for more than one thing; name one table or one query.")
    return _read(location, path, asked.get("table", [None])[0], asked.get("query", [None])[0])


def read_database_file(source: Source) -> Table:
    """The only table of a SQLite file given by its path."""
    if source.path is None or source.held is not None:
        raise Refused(f"{source.location} holds a SQLite database in a pipe or an archive; give it as a file.")
    return _read(source.location, source.path, None, None)


def _read(location: str, path: str, table: str | None, query: str | None) -> Table:
    try:
        if query is None:
            table = _only_table(path, table)
            query = f"SELECT * FROM {_quoted(table)}"
        frame = read_sqlite([path], query)
    except sqlite3.Error as error:
        raise Refused(f"{location} cannot be read by SQLite: {brief(error)}.") from error
    except (pl.exceptions.PolarsError, OverflowError, UnicodeError, ValueError) as error:
        raise Refused(f"{location} cannot be read as a table: {brief(error)}.") from error
    if frame.height == 0:
        raise Refused(f"{location} gives no rows.")
    notes: list[str] = []
    frame, changed = flat(frame, notes)
    summary = f"SQLite, table {table!r}" if table else "SQLite, a query"
    reading = Reading(location, table or short_name(path), (path,), "sqlite", {"query": query}, not changed, summary)
    return Table(frame, reading, tuple(notes))


def _only_table(path: str, wanted: str | None) -> str:
    """The wanted table, or the only one there is."""
    address = f"{Path(path).absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        found = connection.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name"
        )
        names = [str(name) for (name,) in found]
    if wanted is None:
        if len(names) == 1:
            return names[0]
        if not names:
            raise Refused(f"{path} is a SQLite database without a table.")
        raise Refused(f"{path} holds {len(names)} tables: {listed(names)}; name one: {PREFIX}{path}?table={names[0]}")
    if wanted in names:
        return wanted
    near = nearest(wanted, names)
    hint = f"did you mean {near!r}?" if near else f"it has {listed(names)}." if names else "it has none."
    raise Refused(f"{path} has no table {wanted!r}; {hint}")


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
