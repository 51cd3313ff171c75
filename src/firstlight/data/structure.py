"""What stands around the rows of a table: names, a row of units, a total, columns without a name or a value.

In: the cells of the first line and of all others, as text. Out: which of them are the table, and what was odd.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from firstlight.data.wording import are, listed
from firstlight.wording import counted

# A number as people write it in tables: with currency, thousands marks, exponent or per cent.
NUMBER = r"^\s*[-+(]?[$€£¥]?\s?\d[\d.,'\u00a0 ]*([eE][-+]?\d+)?\s?[%€$]?\)?\s*$"
_DATE = r"^\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?$"
_TOTAL = r"(?i)^\s*((grand|sub)[- ]?)?(totals?|sum|summe|gesamt|gesamtsumme|insgesamt|totale?s?|somme|suma)\s*:?\s*$"
# A column counts as one of numbers where this share of its filled cells are.
_MOSTLY = 0.9
_SAMPLE_ROWS = 1000
_LONGEST_UNIT = 16


@dataclass(frozen=True, eq=False)
class Structure:
    """names: of the kept columns. columns: their places among all. first: the first row of the table below the
    header, -1 where the header is a row itself. end: the row after the last. notes: what was odd."""

    names: list[str]
    columns: list[int]
    first: int
    end: int
    notes: list[str]


def structure_of(header: Sequence[str], body: pl.DataFrame) -> Structure:
    """Where the table is. `body`: one text column for each name in `header`, missing cells null."""
    notes: list[str] = []
    sample = body.head(_SAMPLE_ROWS)
    numeric = _numeric(sample.slice(1))
    first, end = 0, body.height
    named = not _is_data(header, sample)
    if not named:
        first = -1
        notes.append("there is no header row: the columns are called column_1, column_2 and so on")
    elif units := _units(sample, numeric):
        first = 1
        notes.append(f"the row below the header holds units ({', '.join(units)}) and is left out")
    if (total := _total(body, numeric)) is not None:
        end -= 1
        notes.append(f"the last row ({total!r}) looks like a total and is left out")
    names, columns = _names(header if named else [""] * len(header), body, notes if named else [])
    return Structure(names, columns, first, end, notes)


def _numeric(cells: pl.DataFrame) -> list[bool]:
    """For each column whether most of its filled cells are numbers."""
    shares = cells.select(pl.all().drop_nulls().str.contains(NUMBER).mean().fill_null(0.0))
    return [share >= _MOSTLY for share in shares.row(0)]


def _is_data(header: Sequence[str], sample: pl.DataFrame) -> bool:
    """Whether the first line is no header: numbers over numbers, or cells that come again below."""
    if sample.height == 0:
        return False
    plausible = pl.Series(header, dtype=pl.String).str.contains(f"{NUMBER}|{_DATE}")
    over_numbers = [
        name.strip()
        for name, is_plausible, cells in zip(header, plausible, sample.iter_columns(), strict=True)
        if is_plausible and (_numeric(cells.to_frame())[0] or _looks_dated(cells))
    ]
    if over_numbers and not _are_labels(over_numbers):
        return True
    again = sum(bool(name) and name in cells for name, cells in zip(header, _lists(sample), strict=True))
    return 2 * again >= len(header) and sample.row(0) != tuple(header)


def _lists(sample: pl.DataFrame) -> list[list[str | None]]:
    """The cells column by column."""
    return list(sample.to_dict(as_series=False).values())


def _looks_dated(cells: pl.Series) -> bool:
    filled = cells.drop_nulls()
    return len(filled) > 0 and bool(filled.str.contains(_DATE).all())


def _are_labels(numbers: list[str]) -> bool:
    """Years, or places counted up one by one, are names that only look like numbers: 2019, 2020, 2021."""
    if not all(number.isdigit() for number in numbers):
        return False
    values = [int(number) for number in numbers]
    years = all(1900 <= value <= 2100 for value in values)
    in_a_row = len(values) > 2 and {after - before for before, after in pairwise(values)} == {1}
    return len(set(values)) == len(values) and (years or in_a_row)


def _units(sample: pl.DataFrame, numeric: list[bool]) -> list[str] | None:
    """The units in the first row: short words over numbers, and blanks or words of their own elsewhere."""
    if sample.height < 3 or not any(numeric):
        return None
    units = []
    for cells, is_numeric in zip(_lists(sample), numeric, strict=True):
        unit, *others = cells
        if unit is None:
            continue
        if len(unit) > _LONGEST_UNIT or re.match(NUMBER, unit) or unit in others:
            return None
        if is_numeric:
            units.append(unit.strip())
    blanks = None in sample.row(0)
    enough = 2 * len(units) >= sum(numeric) and (len(units) > 1 or blanks)
    return list(dict.fromkeys(units)) if enough else None


def _total(body: pl.DataFrame, numeric: list[bool]) -> str | None:
    """The word in the last row that calls it a total, where a number in it is the sum of its column."""
    if body.height < 4:
        return None
    words = [cell for cell in body.row(-1) if cell is not None and re.match(_TOTAL, cell)]
    if not words:
        return None
    for cells, is_numeric in zip(body.iter_columns(), numeric, strict=True):
        if not is_numeric or cells[-1] is None:
            continue
        values = cells.str.replace_all(r"[^\d.eE+-]", "").cast(pl.Float64, strict=False)
        last, above = values[-1], float(values.slice(0, len(values) - 1).sum())
        if last is not None and abs(last - above) <= 0.001 * abs(above):
            return str(words[0])
    return None


def _names(header: Sequence[str], body: pl.DataFrame, notes: list[str]) -> tuple[list[str], list[int]]:
    """A name of its own for every column that has a name or a value."""
    stripped = [" ".join(name.split()) for name in header]
    columns = [
        place
        for place, (name, cells) in enumerate(zip(stripped, body.iter_columns(), strict=True))
        if name or cells.null_count() < len(cells)
    ]
    if dropped := len(stripped) - len(columns):
        notes.append(f"{counted(dropped, 'column')} without a name or a value {are(dropped)} left out")
    if unnamed := [place for place in columns if not stripped[place]]:
        called = listed([f"column_{place + 1}" for place in unnamed])
        notes.append(f"{counted(len(unnamed), 'column')} without a name {are(len(unnamed))} called {called}")
    if any(name != plain for name, plain in zip(header, stripped, strict=True)):
        notes.append("blanks around the names of columns are taken off")
    return _told_apart([stripped[place] or f"column_{place + 1}" for place in columns], notes), columns


def _told_apart(names: list[str], notes: list[str]) -> list[str]:
    """Names that stand twice get a number: "bill", "bill_2"."""
    taken, seen = set(names), Counter[str]()
    apart = []
    for name in names:
        seen[name] += 1
        new = name
        while seen[name] > 1 and new in taken:
            new = f"{name}_{seen[name]}"
            seen[name] += new in taken
        taken.add(new)
        apart.append(new)
    twice = [name for name, count in seen.items() if count > 1]
    for name in twice[:3]:
        called = listed([new for old, new in zip(names, apart, strict=True) if old == name])
        times = "twice" if names.count(name) == 2 else f"{names.count(name)} times"
        notes.append(f"{name!r} stands {times} among the names of columns: read as {called}")
    if len(twice) > 3:
        notes.append(f"{len(twice) - 3} more names of columns stand more than once")
    return apart
