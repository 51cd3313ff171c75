"""Where the rows of a delimited text begin, and how many cells each has, without taking a single cell apart.

All of it is done on arrays of bytes, a block at a time: a file of a gigabyte costs seconds, not objects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

QUOTE, LINE_FEED, CARRIAGE_RETURN = ord('"'), ord("\n"), ord("\r")
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_BLOCK = 2**20
# The separator is chosen on this many bytes from the beginning.
_SAMPLE = 2**17


@dataclass(frozen=True, eq=False)
class Layout:
    """The lines of a text; a line end inside quotes does not end a line.

    starts, ends: (lines,) int64, byte offsets; `ends` excludes the line end.
    cells:        (lines,) int64, separators outside quotes and one.
    plain_quotes: whether each quote opens or closes a cell or is doubled, so that the above is to be trusted.
    open_quote:   whether the last quote is never closed.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    cells: NDArray[np.int64]
    plain_quotes: bool
    open_quote: bool


def layout_of(content: bytes, separator: str) -> Layout:
    """The lines of `content` and the number of cells in each."""
    ends: list[NDArray[np.int64]] = []
    separators: list[NDArray[np.int64]] = []  # before each line end, from the beginning of the text
    inside, seen, plain = 0, 0, True  # inside: 1 where the block begins inside quotes
    for start in range(0, len(content), _BLOCK):
        block = np.frombuffer(content, np.uint8, count=min(_BLOCK, len(content) - start), offset=start)
        breaks, parts = np.flatnonzero(block == LINE_FEED), np.flatnonzero(block == ord(separator))
        quotes = np.flatnonzero(block == QUOTE)
        if inside or len(quotes):
            breaks, parts = (at[(np.searchsorted(quotes, at) + inside) % 2 == 0] for at in (breaks, parts))
            opening, closing = quotes[inside::2] + start, quotes[1 - inside :: 2] + start
            plain = plain and _quotes_are_plain(content, opening, closing, separator)
            inside = (inside + len(quotes)) % 2
        ends.append(breaks + start)
        separators.append(np.searchsorted(parts, breaks) + seen)
        seen += len(parts)
    if not content.endswith(b"\n") or inside:  # the last line has no line end
        ends.append(np.array([len(content)]))
        separators.append(np.array([seen]))
    all_ends = np.concatenate([np.zeros(0, np.int64), *ends])
    starts = np.concatenate([[0], all_ends[:-1] + 1]).astype(np.int64)[: len(all_ends)]
    cells = np.diff(np.concatenate([[0], *separators])) + 1
    return Layout(starts, _before_returns(content, starts, all_ends), cells, plain, bool(inside))


def _quotes_are_plain(content: bytes, opening: NDArray[np.int64], closing: NDArray[np.int64], separator: str) -> bool:
    """Whether opening quotes follow a separator or line end, and closing ones precede one (or are doubled)."""
    text = np.frombuffer(content, np.uint8)
    beside = np.zeros(256, dtype=bool)
    beside[[QUOTE, LINE_FEED, CARRIAGE_RETURN, ord(separator)]] = True
    before = text[opening[opening > 0] - 1]
    after = text[closing[closing < len(text) - 1] + 1]
    return bool(beside[before].all() and beside[after].all())


def _before_returns(content: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Line ends as Windows writes them, "\\r\\n", begin a byte earlier."""
    text = np.frombuffer(content, np.uint8)
    filled = np.flatnonzero(ends > starts)
    returns = filled[text[ends[filled] - 1] == CARRIAGE_RETURN]
    before = ends.copy()
    before[returns] -= 1
    return before


def usual_width(cells: NDArray[np.int64]) -> int:
    """The number of cells that most lines have; of equally frequent ones the largest."""
    counts = np.bincount(cells)
    return int(len(counts) - 1 - counts[::-1].argmax())


def separator_of(content: bytes) -> str:
    """The separator that parts most lines into equally many cells, more than one; between equals the rarer letter.

    Where none does so the text is one column, and a letter is given that does not occur in it.
    """
    sample = content if len(content) <= _SAMPLE else content[: content.rfind(b"\n", 0, _SAMPLE) + 1 or _SAMPLE]
    best, best_share = "", 0.5
    for separator in ("\t", ";", "|", ","):  # a comma may well be there by chance, a tab hardly
        layout = layout_of(sample, separator)
        if not layout.plain_quotes or layout.open_quote:  # inches, say: 5" pipe
            layout = layout_of(sample.replace(b'"', b" "), separator)
        cells = layout.cells[layout.ends > layout.starts]
        width = usual_width(cells) if len(cells) else 1
        share = float((cells == width).mean()) if width > 1 else 0.0
        if share > best_share:
            best, best_share = separator, share
    return best or next(letter for letter in (*SEPARATORS, "\x1f") if letter.encode() not in content)
