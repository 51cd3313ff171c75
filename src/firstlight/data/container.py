"""The container of old workbooks (OLE compound file): whether it may be given to the reader of workbooks.

That reader believes a file: it follows a chain of sectors wherever it leads, round in a circle too, and sets aside as
much memory as the file says that it needs. A damaged one could take all memory there is, so it is looked at first.
Source: Microsoft, [MS-CFB] Compound File Binary File Format, sections 2.2 to 2.5.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

_HEADER = 512
_IN_HEADER = 109  # so many sectors of the table of sectors are named in the header itself
_ENTRY = 128  # bytes of an entry of the folder
_LARGEST_SMALL = 4096  # shorter streams lie in sectors of 64 bytes
# Records of a workbook, [MS-XLS] sections 2.4.90 and 2.4.265: how far a sheet reaches, and the texts of all sheets.
_DIMENSIONS, _TEXTS = 0x0200, 0x00FC
# Records that are a cell, which begin with its row and column; one holds a run of cells and ends with its last column.
_CELL_RUN = 0x00BD
_CELLS = frozenset({0x0006, 0x0203, 0x0204, 0x0205, 0x027E, 0x00FD, _CELL_RUN})
_LARGEST_SHEET = 2**16 * 2**8
_FREE = 0xFFFFFFFF
_LAST_REGULAR = 0xFFFFFFFA  # greater numbers are marks, such as the end of a chain


def is_sound(content: bytes) -> bool:
    """Whether every chain of sectors comes to an end, and no size that is claimed is beyond that of the file."""
    if len(content) < _HEADER:
        return False
    (shift,) = struct.unpack_from("<H", content, 30)
    if shift not in (9, 12):  # sectors of 512 or 4096 bytes
        return False
    folders, tables, first_folder = struct.unpack_from("<3I", content, 40)
    first_small, smalls, first_list, lists = struct.unpack_from("<4I", content, 60)
    if max(folders, tables, smalls, lists) > len(content) >> shift:
        return False
    listed = _listed_sectors(content, shift, first_list)
    if listed is None:
        return False
    table = np.concatenate([np.zeros(0, np.int64), *(_numbers(content, shift, sector) for sector in listed)])
    there = -(-len(content) // (1 << shift)) - 1  # sectors in the file, the last perhaps not whole
    if _has_circle(table) or (table[there:] != _FREE).any():
        return False
    small_tables = [_numbers(content, shift, sector) for sector in _chain(table, first_small)]
    small_table = np.concatenate([np.zeros(0, np.int64), *small_tables])
    if _has_circle(small_table):
        return False
    folder = _joined(content, shift, table, first_folder)
    entries = [folder[start : start + _ENTRY] for start in range(0, len(folder) - _ENTRY + 1, _ENTRY)]
    if any(_size(entry) > len(content) for entry in entries):
        return False
    books = [entry for entry in entries if entry[:18].decode("utf-16-le", "replace").startswith(("Workbook", "Book"))]
    small_stream = _joined(content, shift, table, _start(entries[0])) if entries else b""
    return all(
        _claims_are_modest(
            b"".join(small_stream[sector << 6 : (sector + 1) << 6] for sector in _chain(small_table, _start(book)))
            if _size(book) < _LARGEST_SMALL
            else _joined(content, shift, table, _start(book))
        )
        for book in books
    )


def _claims_are_modest(stream: bytes) -> bool:
    """Whether the records of a workbook set aside no more cells than a sheet can have, nor texts than it has bytes."""
    position = 0
    while position + 4 <= len(stream):
        kind, length = struct.unpack_from("<2H", stream, position)
        record = stream[position + 4 : position + 4 + length]
        if kind == _DIMENSIONS and len(record) in (10, 14):  # its row numbers were two bytes each before 1997
            first_row, last_row, first_column, last_column = struct.unpack_from(
                "<2I2H" if length == 14 else "<4H", record
            )
            if last_row < first_row or (last_row - first_row) * max(last_column - first_column, 1) > _LARGEST_SHEET:
                return False
        if kind == _TEXTS and len(record) >= 8 and max(struct.unpack_from("<2I", record)) > len(stream):
            return False
        if kind in _CELLS and len(record) >= 4 and max(record[3], record[-1] if kind == _CELL_RUN else 0) > 0:
            return False  # a sheet of this format has 256 columns, so the high byte of a column is zero
        position += 4 + length
    return True


def _start(entry: bytes) -> int:
    return int.from_bytes(entry[116:120], "little")


def _size(entry: bytes) -> int:
    return int.from_bytes(entry[120:128], "little")


def _joined(content: bytes, shift: int, table: NDArray[np.int64], first: int) -> bytes:
    return b"".join(_sector(content, shift, sector) for sector in _chain(table, first))


def _sector(content: bytes, shift: int, sector: int) -> bytes:
    return content[(sector + 1) << shift : (sector + 2) << shift]


def _numbers(content: bytes, shift: int, sector: int) -> NDArray[np.int64]:
    """The numbers that a sector holds; none where it lies beyond the end of the file."""
    whole = _sector(content, shift, sector)
    return np.frombuffer(whole[: len(whole) // 4 * 4], "<u4").astype(np.int64)


def _listed_sectors(content: bytes, shift: int, first: int) -> list[int] | None:
    """The sectors that hold the table of sectors, or None where their list runs in a circle."""
    found = list(struct.unpack_from(f"<{_IN_HEADER}I", content, 76))
    seen: set[int] = set()
    while first < _LAST_REGULAR:
        if first in seen:
            return None
        seen.add(first)
        numbers = _numbers(content, shift, first).tolist()
        found += numbers[:-1]
        first = numbers[-1] if numbers else _LAST_REGULAR
    return [sector for sector in found if sector < len(content) >> shift]


def _chain(table: NDArray[np.int64], sector: int) -> list[int]:
    found = []
    while sector < len(table):
        found.append(sector)
        sector = int(table[sector])
    return found


def _has_circle(table: NDArray[np.int64]) -> bool:
    """Whether some sector comes after itself: all are sent twice as far each time, and those on no circle arrive."""
    end = len(table)
    after = np.append(np.where(table < end, table, end), end)
    for _ in range(end.bit_length()):
        after = after[after]
    return bool((after != end).any())
