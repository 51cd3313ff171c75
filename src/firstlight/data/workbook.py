"""Workbooks (xlsx, xls, xlsb, ods): which sheet, and where on it the table lies.

A sheet that is nothing but a table is read by `plain.reading.read_excel`. On others, titles, notes, units, totals
and merged cells are found on the sheet as text first; then the rows of the table alone are read, with their types.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass

import fastexcel
import numpy as np
import polars as pl
from numpy.typing import NDArray

from firstlight.data.container import is_sound
from firstlight.data.damage import damage_refused
from firstlight.data.packing import check_document
from firstlight.data.places import Source
from firstlight.data.signatures import ZIP
from firstlight.data.structure import Structure, structure_of
from firstlight.data.table import Reading, Table
from firstlight.data.tidy import tidied
from firstlight.data.wording import are, listed
from firstlight.data.worksheet import Marks, Merge, check_extent, marks_of
from firstlight.plain.reading import read_excel, without_missing_words
from firstlight.refusal import Refused, nearest
from firstlight.wording import counted

_PROTECTED = "EncryptedPackage".encode("utf-16-le")
# Below the table and a blank row, up to this many rows are taken for footnotes.
_MOST_FOOTNOTES = 10

# It says on the log, for every blank column, that it takes it for text.
logging.getLogger("fastexcel").setLevel(logging.ERROR)


@dataclass(frozen=True, eq=False)
class Sheet:
    """A sheet as text: `cells` has a row for each row of the sheet from the top, blank and missing cells null."""

    name: str
    visible: bool
    cells: pl.DataFrame

    @property
    def holds_table(self) -> bool:
        """Whether there are two rows or more, and a row with two cells or more."""
        filled = self.filled
        return bool((filled > 0).sum() > 1 and filled.max() > 1)

    @property
    def filled(self) -> NDArray[np.int64]:
        """(rows,) number of filled cells."""
        if self.cells.width == 0:
            return np.zeros(0, np.int64)
        return self.cells.select(pl.sum_horizontal(pl.all().is_not_null())).to_series().cast(pl.Int64).to_numpy()


def read_workbook(source: Source, wanted: str | None) -> Table:
    """The table on the wanted sheet, or on the first sheet that holds one. Raises Refused where there is none."""
    content = source.content()
    if _PROTECTED in content:
        raise Refused(f"{source.location} is protected by a password, or damaged; save it without a password.")
    if content.startswith(ZIP):
        check_document(source.location, content)
        check_extent(content, source.location)
    elif not is_sound(content):
        raise Refused(f"{source.location} is a workbook that is cut off or damaged; fetch or save it again.")
    with damage_refused(source.location, "a workbook"):
        workbook = fastexcel.read_excel(content)
        sheet, notes = _chosen(workbook, wanted, source.location)
        marks = marks_of(content, sheet.name)
        notes += _mark_notes(marks)
        frame, exact = _table_on(sheet, marks, content, source.location, notes)
    frame, changed = tidied(frame, notes)
    paths = () if source.path is None else (source.path,)
    exact = exact and not changed and source.held is None and source.path is not None
    names = workbook.sheet_names
    summary = f'sheet "{sheet.name}"' + (f" of {len(names)}" if len(names) > 1 else "")
    reading = Reading(
        source.location,
        source.name,
        paths,
        "excel",
        {"sheet": sheet.name},
        exact,
        ", ".join([summary, *source.packed]),
    )
    return Table(frame, reading, tuple(notes))


def _chosen(workbook: fastexcel.ExcelReader, wanted: str | None, location: str) -> tuple[Sheet, list[str]]:
    names = workbook.sheet_names
    if wanted is not None:
        if wanted not in names:
            near = nearest(wanted, names)
            hint = f"did you mean {near!r}?" if near else f"it has {listed(names)}."
            raise Refused(f"{location} has no sheet {wanted!r}; {hint}")
        return _sheet(workbook, wanted), []
    sheets = [_sheet(workbook, name) for name in names]
    ranked = sorted(sheets, key=lambda sheet: (not sheet.holds_table, not sheet.visible))
    if not ranked or sum(ranked[0].filled > 0) == 0:
        raise Refused(f"{location} is a workbook without a filled sheet: the sheet is empty.")
    if len(names) == 1:
        return ranked[0], []
    name = ranked[0].name
    others = listed([other for other in names if other != name])
    place = names.index(name) + 1
    return ranked[0], [f"sheet {name!r} is read, number {place} of {len(names)}; --sheet NAME takes another ({others})"]


def _sheet(workbook: fastexcel.ExcelReader, name: str) -> Sheet:
    loaded = workbook.load_sheet(name, header_row=None, skip_rows=0, dtypes="string", whitespace_as_null=True)
    return Sheet(name, loaded.visible == "visible", loaded.to_polars())


def _mark_notes(marks: Marks) -> list[str]:
    notes = []
    if marks.hidden_rows or marks.hidden_columns:
        rows, columns = counted(marks.hidden_rows, "hidden row"), counted(marks.hidden_columns, "hidden column")
        notes.append(f"{rows} and {columns} are read too")
    if marks.error_cells:
        notes.append(f"{counted(marks.error_cells, 'error cell')} (#DIV/0! and its like) taken as missing")
    return notes


@dataclass(frozen=True, eq=False)
class _Frame:
    """Where the table lies on a sheet: `header` cells, rows `first` to `end` (exclusive) below them."""

    header: list[str]
    first: int
    end: int


def _located(sheet: Sheet, marks: Marks, notes: list[str]) -> _Frame:
    """The header is the first row that is at least half as full as the usual row; notes may stand below the table."""
    filled = sheet.filled
    usual = int(np.bincount(filled[filled > 0]).argmax())
    header_row = int(np.flatnonzero(filled >= max(min(usual, 2), (usual + 1) // 2))[0])
    if above := int((filled[:header_row] > 0).sum()):
        notes.append(f"{counted(above, 'row')} above the table {are(above)} skipped")
    rows = np.flatnonzero(filled > 0)
    end = int(rows[-1]) + 1
    blank = np.flatnonzero(filled[header_row:end] == 0) + header_row
    if len(blank) and end - blank[-1] - 1 <= _MOST_FOOTNOTES and (2 * filled[blank[-1] : end] < usual).all():
        below = int((filled[blank[-1] : end] > 0).sum())
        notes.append(f"{counted(below, 'row')} below the table {are(below)} skipped")
        end = int(blank[-1])
    top = [cell or "" for cell in sheet.cells.row(header_row)]
    across = [merge for merge in marks.merges if merge.top == header_row and merge.right > merge.left]
    if not across or header_row + 1 >= end:
        return _Frame(top, header_row + 1, end)
    for merge in across:
        top[merge.left : merge.right + 1] = [top[merge.left]] * (merge.right - merge.left + 1)
    second = [cell or "" for cell in sheet.cells.row(header_row + 1)]
    notes.append("the header has two rows with merged cells: the names are put together from both")
    return _Frame([f"{over} {name}".strip() for over, name in zip(top, second, strict=True)], header_row + 2, end)


def _table_on(sheet: Sheet, marks: Marks, content: bytes, location: str, notes: list[str]) -> tuple[pl.DataFrame, bool]:
    """The table, and whether it is just what `read_excel` gives."""
    place = _located(sheet, marks, notes)
    body = without_missing_words(sheet.cells.slice(place.first, place.end - place.first))
    if not any(series.null_count() < len(series) for series in body.iter_columns()):
        raise Refused(f"{location}: sheet {sheet.name!r} has a header and no rows.")
    rows = np.flatnonzero(body.select(pl.any_horizontal(pl.all().is_not_null())).to_series()) + place.first
    filled = body[rows - place.first]
    structure = structure_of(place.header, filled)
    told = len(notes) + len(structure.notes)
    notes += structure.notes + [
        f"{name!r} holds formulas without results: open the file in Excel once and save it"
        for name, column in zip(structure.names, structure.columns, strict=True)
        if column in marks.without_results
    ]
    merges = [merge for merge in marks.merges if merge.bottom > max(merge.top, place.first)]
    if merges:
        notes.append(f"{counted(len(merges), 'cell')} merged over several rows: the value stands in each of them")
    whole = not (structure.notes or merges) and (place.first, place.end) == (_first(sheet) + 1, sheet.cells.height)
    if whole and told == len(notes) and (frame := _at_once(content, sheet.name, structure, len(rows))) is not None:
        return frame, True
    return _typed(sheet, structure, place.first - 1, rows, merges, content, location), False


def _first(sheet: Sheet) -> int:
    """The first row of a sheet that is filled."""
    return int(np.flatnonzero(sheet.filled)[0])


def _at_once(content: bytes, sheet: str, structure: Structure, rows: int) -> pl.DataFrame | None:
    """The sheet as `read_excel` gives it, or None where that is not the table (error cells stop it, say)."""
    try:
        frame = read_excel([io.BytesIO(content)], sheet)
    except (fastexcel.FastExcelError, pl.exceptions.PolarsError):
        return None
    return frame if frame.columns == structure.names and frame.height == rows else None


def _typed(
    sheet: Sheet,
    structure: Structure,
    header_row: int,
    rows: NDArray[np.int64],
    merges: Sequence[Merge],
    content: bytes,
    location: str,
) -> pl.DataFrame:
    """The kept rows and columns of a sheet with their types. `rows`: the filled rows below the header."""
    kept = rows[max(structure.first, 0) : structure.end]
    if structure.first < 0:  # the header is a row itself
        kept = np.concatenate([[header_row], kept])
    start, stop = int(kept[0]), int(kept[-1]) + 1
    frame = _block(sheet, content, start, stop - start, location)
    for merge in merges:
        inner = np.arange(max(merge.top, start) + 1, min(merge.bottom + 1, stop)) - start
        if merge.top >= start and len(inner):
            cells = frame.to_series(merge.left)
            frame = frame.with_columns(cells.scatter(inner.tolist(), cells[merge.top - start]))
    frame = frame[kept - start]
    columns = frame.columns
    frame = frame.select([columns[place] for place in structure.columns])
    frame.columns = structure.names
    return without_missing_words(frame)


def _block(sheet: Sheet, content: bytes, start: int, height: int, location: str) -> pl.DataFrame:
    """Some rows of a sheet, each column typed by these rows alone; error cells are null."""
    forced: dict[int, str] = {}
    while True:
        options = {"skip_rows": start, "n_rows": height, "dtypes": forced or None}
        try:
            return pl.read_excel(
                io.BytesIO(content),
                sheet_name=sheet.name,
                has_header=False,
                infer_schema_length=None,
                read_options=options,
                drop_empty_rows=False,
                drop_empty_cols=False,
            )
        except fastexcel.FastExcelError as error:  # a column of error cells, whose type is then told by the others
            found = re.search(r"column __UNNAMED__(\d+)", str(error))
            if not found or int(found[1]) in forced:
                raise Refused(f"{location}: sheet {sheet.name!r} cannot be read; save it again as csv.") from error
            cells = sheet.cells.to_series(int(found[1])).slice(start, height).drop_nulls()
            forced[int(found[1])] = "float" if cells.cast(pl.Float64, strict=False).is_not_null().all() else "string"
