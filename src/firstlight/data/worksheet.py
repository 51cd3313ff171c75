"""What only the XML of an xlsx sheet tells: hidden rows, merged cells, error cells, formulas without results.

The reader of workbooks gives values and no more. The sheet is searched as text: a million cells take a second.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from dataclasses import dataclass
from xml.etree import ElementTree

from firstlight.data.packing import ZIP_DAMAGE
from firstlight.refusal import Refused
from firstlight.wording import whole

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
# The list of sheets is a page of XML; a longer one is not worth reading.
_LONGEST_LIST = 2**20
# Cells of a sheet, blank ones counted: a reader keeps some 30 bytes for each. A million rows of fifty columns.
LARGEST_SHEET = 50_000_000


@dataclass(frozen=True, eq=False)
class Merge:
    """A block of merged cells: rows and columns from 0, counted from the top left used cell; ends inclusive."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True, eq=False)
class Marks:
    """What a sheet says beside its values; columns are counted from the first used one."""

    hidden_rows: int = 0
    hidden_columns: int = 0
    error_cells: int = 0
    merges: tuple[Merge, ...] = ()
    without_results: tuple[int, ...] = ()


def marks_of(workbook: bytes, sheet: str) -> Marks:
    """The marks of a sheet of an xlsx file; none where the file is of another format or built in an unusual way."""
    try:
        with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
            member = _member_of(archive, sheet)
            return _marks(archive.read(member)) if member else Marks()
    except (ElementTree.ParseError, KeyError, *ZIP_DAMAGE):
        return Marks()


def check_extent(workbook: bytes, location: str) -> None:
    """Refuse an xlsx file with a sheet so wide and long that the reader, which keeps blank cells too, cannot hold it.

    One forgotten cell in the far corner is enough for that.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
            for name in archive.namelist():
                if name.startswith("xl/worksheets/") and name.endswith(".xml"):
                    columns, rows = _used(archive.read(name))
                    wide, long = max(columns, default=0) + 1, max(rows, default=0)
                    if wide * long > LARGEST_SHEET:
                        raise Refused(
                            f"{location}: a sheet reaches over {whole(long)} rows and {whole(wide)} columns; "
                            "delete the lone cells far from the table, or save it as csv."
                        )
    except ZIP_DAMAGE as error:
        raise Refused(f"{location} is a workbook that is cut off or damaged; fetch or save it again.") from error


def _used(xml: bytes) -> tuple[set[int], set[int]]:
    """The columns (from 0) and rows (from 1) in which cells with content stand."""
    columns: set[bytes] = set()
    rows: set[bytes] = set()
    for cell in re.finditer(rb'<c r="([A-Z]+)(\d+)"[^>/]*>', xml):
        columns.add(cell[1])
        rows.add(cell[2])
    return set(map(_place, columns)), set(map(int, rows))


def _member_of(archive: zipfile.ZipFile, sheet: str) -> str | None:
    """The file in the archive that holds the sheet of that name."""
    names = ("xl/workbook.xml", "xl/_rels/workbook.xml.rels")
    if any(name not in archive.namelist() or archive.getinfo(name).file_size > _LONGEST_LIST for name in names):
        return None
    listed, linked = (ElementTree.fromstring(archive.read(name)) for name in names)
    links = {entry.get(_LINK) for entry in listed.iter(f"{_MAIN}sheet") if entry.get("name") == sheet}
    for entry in linked:
        if entry.get("Id") in links:
            target = entry.get("Target", "")
            return target.lstrip("/") if target.startswith("/") else posixpath.join("xl", target)
    return None


def _marks(xml: bytes) -> Marks:
    columns, _ = _used(xml)
    left = min(columns, default=0)
    hidden_columns = (
        sum(
            int(last) - int(first) + 1
            for first, last in re.findall(rb'<col (?=[^>]*hidden="(?:1|true)")[^>]*min="(\d+)"[^>]*max="(\d+)"', xml)
            if int(last) < 1000  # the thousands of columns to the right that nobody uses are often hidden at once
        )
        or len(re.findall(rb'<col [^>]*hidden="(?:1|true)"', xml[: xml.find(b"<sheetData")]))
    )
    formulas = re.findall(rb'<c r="([A-Z]+)\d+"[^>]*><f[^>]*>[^<]*</f>(?:<v\s*/>|<v></v>)?</c>', xml)
    return Marks(
        hidden_rows=len(re.findall(rb'<row [^>]*hidden="(?:1|true)"', xml)),
        hidden_columns=hidden_columns,
        error_cells=len(re.findall(rb'<c [^>]*t="e"', xml)),
        merges=tuple(_merge(reference, left) for reference in re.findall(rb'<mergeCell ref="([A-Z0-9:]+)"', xml)),
        without_results=tuple(sorted({_place(letters) - left for letters in formulas})),
    )


def _merge(reference: bytes, left: int) -> Merge:
    (first, top), (last, bottom) = re.findall(rb"([A-Z]+)(\d+)", reference)
    return Merge(int(top) - 1, _place(first) - left, int(bottom) - 1, _place(last) - left)


def _place(letters: bytes) -> int:
    """The place of a column from 0: "A" is 0, "AA" is 26."""
    place = 0
    for letter in letters:
        place = place * 26 + letter - ord("A") + 1
    return place - 1
