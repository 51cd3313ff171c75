"""What a kind of column has to say of itself; a new kind is one more value of this class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import polars as pl
from pydantic import BaseModel, Field
from torch import Tensor, nn

from firstlight.plain.categories import words
from firstlight.plain.why import Change
from firstlight.wording import counted


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
    """A constant for a script: on one line where it fits, the comment above, else as many items on a line as fit."""
    line = f"{before}{', '.join(items)}{after}"
    if len(f"{line}  # {comment}") <= SCRIPT_WIDTH:
        return f"{line}  # {comment}"
    if len(line) <= SCRIPT_WIDTH:
        return f"# {comment}\n{line}"
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
    network_features: Callable[[int], str] | None  # an expression: the features module, given the number of bins
    line_features: str  # an expression: the features module


class PartSettings(Settings, frozen=True):
    """The sizes of a part and how it is fitted; a table of its own in plan.toml."""

    epochs: int = Field(ge=1)


P = TypeVar("P", bound=PartSettings)
Epochs = Iterator[tuple[int, float, float]]  # of each: its number, the loss on rows learned from, on rows held out


@dataclass(frozen=True)
class Aim:
    """What a part is to learn, by which its sizes are decided, and in how many seconds where a time was asked for.

    pretrained: the folder of a pretrained encoder, where one is to be used.
    """

    targets: Tensor  # of the training rows: (rows,) classes int64, or numbers float64
    outputs: int  # one a class; one in all for a number
    folds: int
    seconds: float | None
    seed: int
    pretrained: str | None = None

    @property
    def classes(self) -> bool:
        """Whether classes are learned, not numbers."""
        return not self.targets.is_floating_point()


@dataclass(frozen=True)
class PartSnippets(Generic[P]):
    """The expressions by which a script makes and fits a part.

    In them, `rows` is the table, `train` the numbers of the training rows, `inputs` the encoded training rows.
    """

    encode: Callable[[P], str]
    build: Callable[[P, int], str]
    learns: Callable[[P], str]  # with `folds`, those of the training rows
    fit: Callable[[P], tuple[str, str]]  # the function that fits it, and what that is told beyond the data
    settle: str = ""  # a method of the module


Losses = Callable[[Tensor, Tensor], Tensor]  # of outputs (members, rows, outputs) and targets: (members, rows)


@dataclass(frozen=True)
class NetworkPart(Generic[P]):
    """A part of the network, which answers by itself: its name and how it learns, whatever it reads.

    learns(folds, settings)                    from which rows each member learns: (members, rows)
    fit(module, inputs, targets, learns, losses_of, settings)
                                               the module learns, an epoch at a time
    settle(module)                             after the fit: leaves what answers new rows
    """

    name: str
    told: str  # what it reads, for people
    settings: type[P]
    reasons: Mapping[str, str]  # of its settings, by name
    learns: Callable[[Tensor, P], Tensor]
    fit: Callable[[Any, dict[str, Any], Tensor, Tensor, Losses, P], Epochs]
    settle: Callable[[Any], None]


@dataclass(frozen=True)
class KindPart(NetworkPart[P], Generic[S, P]):
    """A part of the network that reads the columns of one kind as wholes, texts or pictures say.

    block: under which name the inputs hold what it reads; parts of one block are given the same.
    encode(rows, columns, settings)            cells to what the part reads
    build(values, settings, outputs)           from encoded training rows: a module (rows of them) to
                                               (members, rows, outputs)
    rebuild(tensors, settings, outputs)        the same module, settled, for tensors of a file
    misfit(columns, settings)                  why settings that are sound do not go with the columns; "" where they do
    """

    block: str
    folds: int  # into how many parts the training rows are best dealt for it
    encode: Callable[[pl.DataFrame, Mapping[str, S], P], Any]
    build: Callable[[Any, P, int], nn.Module]
    rebuild: Callable[[Mapping[str, Tensor], P, int], nn.Module]
    snippets: PartSnippets[P]
    misfit: Callable[[Mapping[str, S], P], str] = lambda columns, settings: ""


TEXT_OF_ROW = "row[{column!r}].item() or ''"  # the text of a row in a script


def texts_of(cells: pl.Series) -> list[str]:
    """The cells as text, a gap as the empty one."""
    return cells.cast(pl.String).fill_null("").to_list()


@dataclass(frozen=True)
class Occlusion:
    """How to find out what each part of a cell, a word, a base or a part of a picture, does to an answer.

    changes(cell, most)   the cell without each of its first parts, or with others in their place; a function of
                          `plain/`, as scripts call it too
    with_changes(row, column, changes)
                          the row as it is, and below it once for each change; likewise
    cell:       the expression for the cell of a `row` in a script: a format of `column`.
    cells_of(cells)       the cells of a column, as `changes` takes them
    noun, done: of a part and what is done to it: "word", "left out".
    most:       parts of one cell that are asked about.
    told:       how a part is named: a format of `part` and of `number`, where it stands.
    letters:    what a sequence is made of, where its parts are drawn as a logo; "" for words.
    grid:       of a picture, how many parts there are a side; 0 where parts stand one after the other.
    in_report:  how much a report may ask at most: parts of rows, times the letters of the row.
    """

    changes: Callable[[Any, int], Iterator[Change]]
    with_changes: Callable[[pl.DataFrame, str, Sequence[Change]], pl.DataFrame]
    cell: str
    cells_of: Callable[[pl.Series], Iterable[Any]]
    noun: str
    done: str
    most: int
    told: str
    letters: str = ""
    grid: int = 0
    in_report: int = 0

    @property
    def beyond(self) -> str:
        """What is said of a cell with more parts than are asked about."""
        return f"more than {self.most} {self.noun}s: only the first {self.most} were {self.done} in turn"


@dataclass(frozen=True)
class Kind(Generic[S]):
    """All columns of one kind become one tensor, under the name `block`, and one features module.

    claim(cells)                     whether a column is of this kind, from training cells alone
    learn(rows, columns)             what has to be known before encoding, from training rows
    encode(rows, columns, learned)   cells to a tensor (rows, ...)
    network_features(values, learned, bins), line_features(values, learned)
                                     modules from encoded training rows: (rows, ...) to (rows, width); no network
                                     features where parts of their own read the columns
    part_settings(rows, columns, aim)
                                     for kinds with parts of their own: the sizes of those that are worth their time,
                                     by name, from training rows
    strays(cells, settings)          cells that are there but cannot be read as this kind: (rows,) boolean
    cell_type(settings)              of what type the cells are, where they cannot be told from words
    odd_letters(cells)               where a stray cell is read but for some letters: these, or the whole of a short one
    occlusion:                       how to ask what each part of a cell does; None where a cell is left out as a whole
    """

    name: str
    block: str
    settings: type[S]
    modules: tuple[type[nn.Module] | None, type[nn.Module]]  # of the network's features, of the line's
    claim: Callable[[pl.Series], Claim[S] | None]
    learn: Callable[[pl.DataFrame, Mapping[str, S]], Learned]
    encode: Callable[[pl.DataFrame, Mapping[str, S], Learned], Tensor]
    network_features: Callable[[Tensor, Learned, int], nn.Module] | None
    line_features: Callable[[Tensor, Learned], nn.Module]
    strays: Callable[[pl.Series, S], pl.Series]
    snippets: Snippets[S]
    parts: tuple[KindPart[S, Any], ...] = ()
    part_settings: Callable[[pl.DataFrame, Mapping[str, S], Aim], Mapping[str, PartSettings]] | None = None
    occlusion: Occlusion | None = None
    odd_letters: Callable[[pl.Series], pl.Series] | None = None
    cell_type: Callable[[S], pl.DataType] | None = None

    def strays_told(self, number: int) -> str:
        """So many stray cells in words: "2 cells that are no number"."""
        if self.odd_letters:
            return f"{counted(number, 'cell')} with letters that are not {self.name.upper()}"
        return f"{counted(number, 'cell')} that {'is' if number == 1 else 'are'} no {self.name}"

    def strays_shown(self, strays: pl.Series) -> pl.Series:
        """What is shown of stray cells: (rows,) text."""
        return words(self.odd_letters(strays) if self.odd_letters else strays)

    @property
    def strays_become(self) -> str:
        """What is done with stray cells."""
        return "read as unknown" if self.odd_letters else "taken as a gap"
