"""What a part of the network has to say of itself that reads all columns cell by cell, whatever their kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import Field
from torch import Tensor, nn

from firstlight.kinds.category import MOST_WORDS
from firstlight.kinds.kind import NetworkPart, PartSettings
from firstlight.plain.loop import learning

FEWEST_ROWS = 500  # with fewer the small networks stand alone, and the script stays short


@dataclass(frozen=True)
class Cells:
    """How much there is to learn from, by which sizes are decided.

    different: how many different numbers each column of numbers holds. vocabularies: how many words each column of
    words. outputs: one a class; one in all for a number.
    """

    rows: int
    different: tuple[int, ...]
    vocabularies: tuple[int, ...]
    outputs: int

    @property
    def columns(self) -> int:
        """Of numbers and of words."""
        return len(self.different) + len(self.vocabularies)

    @property
    def widest(self) -> int:
        """The different cells of that column which has most."""
        return max(self.different + self.vocabularies, default=0)

    def features(self, bins: int, words: int = MOST_WORDS) -> int:
        """The features of a row: of each column so many bins and the number itself, or so many words, at most."""
        of_numbers = sum(min(bins + 1, different) for different in self.different)
        return of_numbers + sum(min(words, vocabulary) for vocabulary in self.vocabularies)

    @property
    def enough(self) -> bool:
        """Whether there are cells, and rows enough for more than small networks."""
        return self.columns > 0 and self.rows >= FEWEST_ROWS

    @property
    def usual_seconds(self) -> float:
        """What a part takes at most where no time was asked for: a small table shall not wait."""
        return min(12.0, max(1.0, self.rows / 800))


class CellSettings(PartSettings, frozen=True):
    """What all such parts decide: how many members there are, each of which holds a fold out."""

    members: int = Field(ge=1, le=256)


C = TypeVar("C", bound=CellSettings)


def learns(folds: Tensor, settings: CellSettings) -> Tensor:
    """From which rows each member of such a part learns: (members, rows)."""
    return learning(folds, settings.members)


def learns_line(settings: CellSettings) -> str:
    """The expression by which a script does that."""
    return f"learning(folds, {settings.members})"


def names_line(blocks: Sequence[str]) -> str:
    """The names of blocks as a script writes them."""
    return ", ".join(f'"{name}"' for name in blocks)


@dataclass(frozen=True)
class CellSnippets(Generic[C]):
    """The expressions by which a script makes and fits such a part; see `PartSnippets`."""

    build: Callable[[Sequence[str], C, int], str]
    fit: Callable[[C], tuple[str, str]]
    settle: str  # a method of the module
    learns: Callable[[C], str] = learns_line


@dataclass(frozen=True)
class CellPart(NetworkPart[C]):
    """A part of the network over the columns that are read cell by cell, of all kinds together.

    sizes(cells, seconds)                      the settings, in the time asked for or in that which it takes to do well;
                                               None where the part is not worth its time
    build(inputs, blocks, settings, outputs)   from encoded training rows, which hold the cells under the names of the
                                               blocks: a module (rows of them) to (members, rows, outputs)
    rebuild(tensors, blocks, settings, outputs)
                                               the same module, settled, for tensors of a file
    """

    weight: float  # of its time, beside the 1 of the small networks
    first: float  # seconds that it takes before all others, where time is short
    sizes: Callable[[Cells, float | None], C | None]
    build: Callable[[Mapping[str, Tensor], Sequence[str], C, int], nn.Module]
    rebuild: Callable[[Mapping[str, Tensor], Sequence[str], C, int], nn.Module]
    snippets: CellSnippets[C]
