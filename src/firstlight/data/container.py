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
_SIZE_AT = 120  # where in the 128 bytes of an entry of the folder the size of its stream stands
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
    small = [_numbers(content, shift, sector) for sector in _chain(table, first_small)]
    entries = b"".join(_sector(content, shift, sector) for sector in _chain(table, first_folder))
    sizes = [struct.unpack_from("<Q", entries, start + _SIZE_AT)[0] for start in range(0, len(entries) - 127, 128)]
    return not _has_circle(np.concatenate([np.zeros(0, np.int64), *small])) and max(sizes, default=0) <= len(content)


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
