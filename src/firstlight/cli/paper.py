"""What the commands print on: a gutter for the step's name, lines wrapped beside it, columns aligned.

What strangers wrote comes as plain text: nothing in it is taken for markup, and control characters are spelt out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from firstlight.cli.escaping import printable

GUTTER = 12  # columns: the step's number and name stand in them
_NARROWEST, _WIDEST = 60, 110
_LONGEST_NAME = 26
KEEP = "\ue000"  # stands for a blank at which no line may end


def console() -> Console:
    """The terminal, or the file or pipe in its place: there without colours."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


class Paper:
    """Prints lines with a gutter at their left."""

    def __init__(self, target: Console, gutter: int = GUTTER) -> None:
        self.console = target
        self.gutter = gutter
        self.width = max(_NARROWEST, min(target.width, _WIDEST)) - gutter

    @property
    def ascii_only(self) -> bool:
        """Whether nothing but ASCII can be shown."""
        return self.console.options.ascii_only

    def say(self, text: str, *, step: str = "", style: str = "") -> None:
        """A sentence, wrapped; the step's name stands before its first line."""
        for line in self._wrapped(printable(text), self.width):
            self._print(step, Text(line, style))
            step = ""

    def rows(self, rows: Sequence[tuple[str, ...]], *, step: str = "", dim: int | None = None) -> None:
        """Lines of cells under one another; the last cell wraps within its column. dim: a column to show paler."""
        if not rows:
            return
        cells = [[printable(cell) for cell in row] for row in rows]
        last = max(len(row) for row in cells) - 1
        widths = [max(cell_len(_short(row[place])) for row in cells) for place in range(last)]
        left = sum(width + 2 for width in widths)
        for row in cells:
            head = Text()
            for place, width in enumerate(widths):
                cell = _short(row[place])
                head.append(cell + " " * (width - cell_len(cell) + 2), "dim" if place == dim else "")
            for line in self._wrapped(row[last], max(self.width - left, 20)) or [""]:
                self._print(step, Text.assemble(head, line))
                step, head = "", Text(" " * left)

    def table(self, columns: Sequence[str], rows: Sequence[tuple[str, ...]], marks: Sequence[str] = ()) -> None:
        """A heading and rows; the first column to the left, the others to the right; a mark after a row."""
        lines = [tuple(columns), *rows]
        widths = [max(cell_len(line[place]) for line in lines) for place in range(len(columns))]
        for number, line in enumerate(lines):
            first, *others = line
            text = first + " " * (widths[0] - cell_len(first))
            for cell, width in zip(others, widths[1:], strict=True):
                text += "   " + " " * (width - cell_len(cell)) + cell
            mark = marks[number - 1] if number and marks else ""
            self._print(
                "", Text(printable(text), "dim" if number == 0 else "bold" if mark else "").append(f"   {mark}")
            )

    def blank(self) -> None:
        """An empty line."""
        self.console.print()

    def _wrapped(self, text: str, width: int) -> list[str]:
        """The text in lines; a number with its thousands apart, such as 1 152 048, stays whole."""
        whole = Text(re.sub(r"(?<=\d) (?=\d{3}\b)", KEEP, text))
        return [line.plain.replace(KEEP, " ") for line in whole.wrap(self.console, width)]

    def _print(self, step: str, line: Text) -> None:
        whole = Text(f"{step:<{self.gutter}}", "bold").append_text(line)
        whole.rstrip()
        self.console.print(whole)


def _short(name: str) -> str:
    """A name cut where it would push everything else aside."""
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def source_named(location: str) -> str:
    """A source as a line about it begins: the file's name, without the folders on the way."""
    return "standard input" if location == "-" else PurePath(location).name or location
