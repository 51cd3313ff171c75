"""Small pictures for a terminal: points as braille dots, eight to a cell, and marks that need no colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from firstlight.course.lesson import Points

# The bit of each dot of a braille cell (U+2800), by row from the top and column from the left.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_HEIGHT = 10  # cells


@dataclass(frozen=True)
class Series:
    """Points that are drawn alike."""

    name: str
    points: Points
    mark: str  # one character; "" for braille dots
    style: str  # as rich names it


@dataclass(frozen=True)
class Window:
    """The part of the plane that a picture shows."""

    left: float
    right: float
    bottom: float
    top: float

    def across(self, x: float, steps: int) -> int:
        """The step from the left, 0 to steps - 1, in which x lies."""
        return round((x - self.left) / (self.right - self.left) * (steps - 1))

    def down(self, y: float, steps: int) -> int:
        """The step from the top, 0 to steps - 1, in which y lies."""
        height = self.top - self.bottom
        return round((self.top - y) / height * (steps - 1)) if height else 0


def draw(series: Sequence[Series], window: Window, width: int, ascii_only: bool) -> Iterator[Text]:
    """The picture with its legend and its axes, in `width` columns. Later series hide earlier ones."""
    labels = {0: f"{window.top:.2f}", _HEIGHT - 1: f"{window.bottom:.2f}"}
    margin = max(map(len, labels.values()))
    upright, corner, level = ("|", "+", "-") if ascii_only else ("│", "└", "─")
    columns = width - margin - 2
    yield Text()
    yield Text(" " * (margin + 2)).append(_legend(series, ascii_only))
    for number, row in enumerate(_cells(series, window, columns, ascii_only)):
        yield Text(f"{labels.get(number, ''):>{margin}} {upright}", "dim").append(row)
    left, right = f"{window.left:g}", f"{window.right:g}"
    yield Text(f"{'':>{margin}} {corner}{level * columns}", "dim")
    yield Text(f"{'':>{margin}}  {left}{right:>{columns - len(left)}}", "dim")
    yield Text()


def _legend(series: Sequence[Series], ascii_only: bool) -> Text:
    dots = "." if ascii_only else "⠶"
    return Text("   ").join(Text(f"{one.mark or dots} {one.name}", one.style) for one in series)


def _cells(series: Sequence[Series], window: Window, columns: int, ascii_only: bool) -> list[Text]:
    """The rows of the picture, from the top."""
    cells = [[Text(" ")] * columns for _ in range(_HEIGHT)]
    for one in series:
        drawn = _marks(one, window, columns) if one.mark or ascii_only else _dots(one, window, columns)
        for (row, column), character in drawn.items():
            cells[row][column] = Text(character, one.style)
    return [Text().join(row) for row in cells]


def _marks(series: Series, window: Window, columns: int) -> dict[tuple[int, int], str]:
    """Row and column of each cell in which a point lies, and its mark."""
    points = zip(series.points.x, series.points.y, strict=True)
    return {(window.down(y, _HEIGHT), window.across(x, columns)): series.mark or "." for x, y in points}


def _dots(series: Series, window: Window, columns: int) -> dict[tuple[int, int], str]:
    """The same in braille, where a cell has two columns and four rows of dots."""
    bits: dict[tuple[int, int], int] = {}
    for x, y in zip(series.points.x, series.points.y, strict=True):
        across, down = window.across(x, columns * 2), window.down(y, _HEIGHT * 4)
        place = (down // 4, across // 2)
        bits[place] = bits.get(place, 0) | _DOTS[down % 4][across % 2]
    return {place: chr(0x2800 + dots) for place, dots in bits.items()}
