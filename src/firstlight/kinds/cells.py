"""What a part of the network has to say of itself that reads all columns cell by cell, whatever their kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

from torch import Tensor, nn

from firstlight.kinds.kind import NetworkPart, P

FEWEST_ROWS = 500  # with fewer, such parts were seen to add little to small networks and a line


@dataclass(frozen=True)
class Cells:
    """How much there is to learn from, by which sizes are decided.

    columns: of numbers and of words, of which so many of numbers. words: in all vocabularies together. outputs: one a
    class; one in all for a number.
    """

    rows: int
    columns: int
    numbers: int
    words: int
    outputs: int

    @property
    def usual_seconds(self) -> float:
        """What a part takes at most where no time was asked for: a small table shall not wait."""
        return min(12.0, max(1.0, self.rows / 800))


@dataclass(frozen=True)
class CellSnippets(Generic[P]):
    """The expressions by which a script makes and fits such a part; see `PartSnippets`."""

    build: Callable[[Sequence[str], P, int], str]
    learns: Callable[[P], str]
    fit: Callable[[P], tuple[str, str]]


@dataclass(frozen=True)
class CellPart(NetworkPart[P]):
    """A part of the network over the columns that are read cell by cell, of all kinds together.

    sizes(cells, seconds)                      the settings, in the time asked for or in that which it takes to do well;
                                               None where the part is not worth its time
    build(inputs, blocks, settings, outputs)   from encoded training rows, which hold the cells under the names of the
                                               blocks: a module (rows of them) to (members, rows, outputs)
    rebuild(tensors, blocks, settings, outputs)
                                               the same module for tensors of a file
    """

    share: float  # of the time that was asked for
    sizes: Callable[[Cells, float | None], P | None]
    build: Callable[[Mapping[str, Tensor], Sequence[str], P, int], nn.Module]
    rebuild: Callable[[Mapping[str, Tensor], Sequence[str], P, int], nn.Module]
    snippets: CellSnippets[P]
