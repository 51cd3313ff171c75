"""What a kind of column has to say of itself; a new kind is one more value of this class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import polars as pl
from pydantic import BaseModel
from torch import Tensor, nn


def share(matches: pl.Series) -> float:
    """How many of the cells are true, as a share from 0 to 1; 0 where there are no cells."""
    return int(matches.sum()) / max(len(matches), 1)


def has_words(cells: pl.Series) -> bool:
    """Whether cells can be written as words; lists, records, bytes, lengths of time and objects cannot."""
    return not (cells.dtype.is_nested() or isinstance(cells.dtype, pl.Binary | pl.Duration | pl.Object))


class Settings(BaseModel, frozen=True, extra="forbid"):
    """What is decided about one column beyond its kind; it is written to plan.toml."""


SCRIPT_WIDTH = 116  # columns of a line in a script
S = TypeVar("S", bound=Settings)
Learned = Mapping[str, Sequence[str]]  # what is learned from training cells before any tensor is made: words a column


def in_brackets(before: str, items: Sequence[str], after: str, comment: str) -> str:
    """A constant for a script: on one line where it fits, else as many items on a line as fit."""
    line = f"{before}{', '.join(items)}{after}  # {comment}"
    if len(line) <= SCRIPT_WIDTH:
        return line
    lines = ["   "]
    for item in items:
        if len(lines[-1]) + len(item) + 2 > SCRIPT_WIDTH:
            lines.append("   ")
        lines[-1] += f" {item},"
    return "\n".join([f"{before}  # {comment}", *lines, after])


@dataclass(frozen=True)
class Claim(Generic[S]):
    """That a column is of a kind: how sure (0 to 1), why (for people), and what is decided about it."""

    sureness: float
    reason: str
    settings: S


@dataclass(frozen=True)
class Snippets(Generic[S]):
    """The lines by which a script does what the kind does; they call definitions of `plain/`.

    In them, `rows` is the table, `train` the numbers of the training rows, `inputs` the encoded training rows.
    """

    constants: Callable[[Mapping[str, S]], str]  # names the columns, with their settings
    learn: str  # learns from the training rows, or ""
    encode: str  # an expression: all rows to a tensor
    network_features: Callable[[int], str]  # an expression: the features module, given the number of bins
    line_features: str  # an expression: the features module


@dataclass(frozen=True)
class Kind(Generic[S]):
    """All columns of one kind become one tensor, under the name `block`, and one features module.

    claim(cells)                     whether a column is of this kind, from training cells alone
    learn(rows, columns)             what has to be known before encoding, from training rows
    encode(rows, columns, learned)   cells to a tensor (rows, ...)
    network_features(values, learned, bins), line_features(values, learned)
                                     modules from encoded training rows: (rows, ...) to (rows, width)
    strays(cells, settings)          cells that are there but cannot be read as this kind: (rows,) boolean
    """

    name: str
    block: str
    settings: type[S]
    modules: tuple[type[nn.Module], type[nn.Module]]  # of the network's features, of the line's
    claim: Callable[[pl.Series], Claim[S] | None]
    learn: Callable[[pl.DataFrame, Mapping[str, S]], Learned]
    encode: Callable[[pl.DataFrame, Mapping[str, S], Learned], Tensor]
    network_features: Callable[[Tensor, Learned, int], nn.Module]
    line_features: Callable[[Tensor, Learned], nn.Module]
    strays: Callable[[pl.Series, S], pl.Series]
    snippets: Snippets[S]
