"""Text tables: lines around the table, lines that do not fit the header, and quotes gone wrong, mended as text.

In: UTF-8. Out: UTF-8 in which every line has as many cells as the header, and what was done about the others.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from firstlight.data.layout import SEPARATORS, Layout, layout_of, separator_of, usual_width
from firstlight.data.wording import are, numbered
from firstlight.refusal import Refused
from firstlight.wording import counted, whole

# Beyond this share of lines that do not fit, the text is no table.
LARGEST_MISFIT_SHARE = 0.5
_LONGEST_BLANK = 256


@dataclass(frozen=True, eq=False)
class Mended:
    """header: the cells of the first line of the table. content: the mended text, names replaced where `changed`.
    rows: lines below the header. changed: whether a reader of the file as it stands would get something else."""

    header: list[str]
    content: bytes
    separator: str
    rows: int
    changed: bool
    notes: tuple[str, ...]


def mended(content: bytes, location: str) -> Mended:
    """The table in a text. Raises Refused for a quote that is not closed, and where most lines do not fit."""
    notes: list[str] = []
    declared, body = _declared_separator(content)
    if not body.strip():
        raise Refused(f"{location} holds nothing below its first line.")
    separator = declared or separator_of(body)
    layout = layout_of(body, separator)
    requoted = not layout.plain_quotes or layout.open_quote
    if requoted:
        body = _requoted(body, separator, location, above=1 if declared else 0)
        layout = layout_of(body, separator)
    blank = _blank_lines(body, layout)
    header_line = _header_line(body, layout, blank)
    if header_line > blank[:header_line].sum():
        notes.append(f"{counted(header_line, 'line')} before the header {are(header_line)} skipped")
    header = _names(body, layout, blank, header_line, separator)
    table = _Table(body, layout, blank, header_line, len(header), separator, 2 if declared else 1)
    edits = table.edits(location, notes)
    unnamed = len(header) - int(layout.cells[header_line])
    changed = requoted or declared is not None or header_line > 0 or bool(edits or unnamed)
    rows = len(layout.starts) - header_line - 1 - sum(edit is None for edit in edits.values())
    return Mended(header, table.edited(edits) if changed else content, separator, rows, changed, tuple(notes))


def _declared_separator(content: bytes) -> tuple[str | None, bytes]:
    """The first line "sep=;" that Excel writes and reads, and the text below it."""
    line, _, below = content.partition(b"\n")
    found = re.fullmatch(rb'"?sep=(.)"?\r?', line.strip(b" "))
    if not found or found[1].decode("latin-1") not in SEPARATORS:
        return None, content
    return found[1].decode("ascii"), below


def _requoted(content: bytes, separator: str, location: str, above: int) -> bytes:
    """The same cells with quotes as a csv has them, read one by one: slow, but some files need it."""
    csv.field_size_limit(sys.maxsize)
    text = content.decode("utf-8")
    padded = re.search(rf'{re.escape(separator)} +"', text) is not None
    line = 0
    for escape in (None, "\\") if '\\"' in text else (None,):
        out = io.StringIO()
        writer = csv.writer(out, delimiter=separator, lineterminator="\n")
        reader = csv.reader(
            io.StringIO(text, newline=""),
            delimiter=separator,
            escapechar=escape,
            skipinitialspace=padded,
            strict=True,
        )
        try:
            line = above + 1
            for row in reader:
                writer.writerow(row)
                line = above + reader.line_num + 1
            return out.getvalue().encode("utf-8")
        except csv.Error:
            continue
    raise Refused(f"{location}: a quote in line {line} is not closed; close it, or take it away, and try again.")


def _blank_lines(content: bytes, layout: Layout) -> NDArray[np.bool_]:
    """(lines,) whether a line holds nothing but blanks."""
    blank: NDArray[np.bool_] = layout.ends <= layout.starts
    short = ~blank & (layout.cells == 1) & (layout.ends - layout.starts < _LONGEST_BLANK)
    for line in np.flatnonzero(short):
        blank[line] = not content[layout.starts[line] : layout.ends[line]].strip()
    return blank


def _header_line(content: bytes, layout: Layout, blank: NDArray[np.bool_]) -> int:
    """The first line that is no title, comment or blank: those have far fewer cells than the usual line."""
    filled = np.flatnonzero(~blank)
    width = usual_width(layout.cells[filled])
    for line in filled:
        cells = int(layout.cells[line])
        comment = content.startswith(b"#", layout.starts[line]) and cells != width
        title = width > 1 and (cells == 1 or 2 * cells < width)
        if not (comment or title):
            return int(line)
    return int(filled[0])


def _names(content: bytes, layout: Layout, blank: NDArray[np.bool_], header_line: int, separator: str) -> list[str]:
    """The cells of the header, with an empty one for each column that it does not name."""
    header = _cells(content[layout.starts[header_line] : layout.ends[header_line]], separator)
    below = np.flatnonzero(~blank[header_line + 1 :]) + header_line + 1
    width = usual_width(layout.cells[below]) if len(below) else len(header)
    if len(header) == width - 1:  # either R's table, whose rows begin with a name, or a separator ends each row
        text = np.frombuffer(content, np.uint8)
        last_is_empty = (text[layout.ends[below] - 1] == ord(separator)).all()
        return [*header, ""] if last_is_empty else ["", *header]
    return header + [""] * (width - len(header))


def _cells(line: bytes, separator: str) -> list[str]:
    return next(csv.reader(io.StringIO(line.decode("utf-8"), newline=""), delimiter=separator), [])


@dataclass(frozen=True, eq=False)
class _Table:
    """The lines of a text from the header on. first_line: the number in the file of the text's first line."""

    content: bytes
    layout: Layout
    blank: NDArray[np.bool_]
    header_line: int
    width: int
    separator: str
    first_line: int

    def edits(self, location: str, notes: list[str]) -> dict[int, bytes | None]:
        """For each line that a reader would stumble over, what shall stand there; None leaves it out."""
        below = np.arange(len(self.blank)) > self.header_line
        blank = np.flatnonzero(self.blank & below)
        if self.width == 1:  # there a blank line is a gap, but for those at the end
            last_filled = int(np.flatnonzero(~self.blank)[-1])
            blank = blank[blank > last_filled]
        edits: dict[int, bytes | None] = dict.fromkeys(blank.tolist())
        misfits = np.flatnonzero((self.layout.cells != self.width) & ~self.blank & below)
        usual = usual_width(self.layout.cells[~self.blank & below]) if (~self.blank & below).any() else 0
        odd = misfits[self.layout.cells[misfits] != usual]
        if len(odd) > LARGEST_MISFIT_SHARE * (~self.blank & below).sum():
            raise Refused(
                f"{location} is no table: {whole(len(odd))} of its lines do not have the header's {self.width} cells."
            )
        if len(odd) and odd[-1] == len(self.blank) - 1 and self._is_cut_off(int(odd[-1])):
            cut = int(odd[-1])
            edits[cut] = None
            notes.append(
                f"the last line ({self._numbers(odd)[-1]}) is cut off: it has {self.layout.cells[cut]} of {self.width} "
                "cells and no line end; it is left out, and more may be missing"
            )
            odd = odd[:-1]
        if len(odd):
            notes.append(
                f"{numbered(self._numbers(odd), 'line')} {'does' if len(odd) == 1 else 'do'} "
                f"not have the {self.width} cells of the header: missing cells are gaps, surplus ones are left out"
            )
        edits |= {int(line): self._fitted(int(line)) for line in misfits if int(line) not in edits}
        return edits

    def edited(self, edits: dict[int, bytes | None]) -> bytes:
        """The text from the header on, with the edits made and names that no reader stumbles over."""
        names = self.separator.join(f"column_{place + 1}" for place in range(self.width)).encode()
        pieces: list[bytes] = []
        position = int(self.layout.starts[self.header_line])
        for line, text in sorted({self.header_line: names, **edits}.items()):
            pieces.append(self.content[position : self.layout.starts[line]])
            if text is not None:
                pieces.append(text + b"\n")
            is_last = line + 1 == len(self.blank)
            position = len(self.content) if is_last else int(self.layout.starts[line + 1])
        return b"".join([*pieces, self.content[position:]])

    def _is_cut_off(self, line: int) -> bool:
        return not self.content.endswith(b"\n") and self.layout.cells[line] < self.width

    def _fitted(self, line: int) -> bytes:
        text = self.content[self.layout.starts[line] : self.layout.ends[line]]
        missing = self.width - int(self.layout.cells[line])
        if missing > 0:
            return text + self.separator.encode() * missing
        out = io.StringIO()
        csv.writer(out, delimiter=self.separator, lineterminator="").writerow(
            _cells(text, self.separator)[: self.width]
        )
        return out.getvalue().encode("utf-8")

    def _numbers(self, lines: NDArray[np.intp]) -> list[int]:
        """The numbers of lines in the file, counted from 1 as editors do."""
        breaks = np.flatnonzero(np.frombuffer(self.content, dtype=np.uint8) == 10)
        found: list[int] = (np.searchsorted(breaks, self.layout.starts[lines]) + self.first_line).tolist()
        return found
