"""Rows of different lengths: what a text is once it is taken apart (step 1)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, eq=False)
class Ragged:
    """Sets of whole numbers, one a row: row r holds values[starts[r]:starts[r + 1]], ascending.

    values: (numbers,) int32. starts: (rows + 1,) int32. It is also a matrix of zeros and ones, with a 1 wherever a row
    holds the number of a column.
    """

    values: Tensor
    starts: Tensor

    def __len__(self) -> int:
        return len(self.starts) - 1

    @classmethod
    def of_pairs(cls, owners: Tensor, values: Tensor, rows: int) -> "Ragged":
        """From pairs of a row and a number in any order, each counted once: (pairs,) int32 both."""
        values, order = values.sort(stable=True)  # whole numbers are sorted digit by digit: as fast as they are read
        owners, order = owners[order].sort(stable=True)
        values = values[order]
        new = torch.ones(len(values), dtype=torch.bool)
        new[1:] = (owners[1:] != owners[:-1]) | (values[1:] != values[:-1])
        return cls(values[new], starts_of(owners[new], rows))

    @classmethod
    def of_sets(cls, hashes: NDArray[np.uint64], owners: NDArray[np.int64], rows: int) -> "Ragged":
        """From hashes, of which 31 bits are kept, and the row that each belongs to."""
        return cls.of_pairs(torch.from_numpy(owners.astype(np.int32)), keys_of(hashes), rows)

    @classmethod
    def of_numbers(
        cls, hashes: NDArray[np.uint64], owners: NDArray[np.int64], rows: int
    ) -> tuple["Ragged", NDArray[np.int64]]:
        """The same with the hashes numbered from 0, in their order, and for each number a place where it stands.

        All bits are compared: whichever of two hashes taken for one stood first would depend on the other rows.
        """
        keys, numbers = torch.from_numpy(hashes.view(np.int64)).unique(return_inverse=True)
        place = torch.arange(len(numbers), dtype=torch.int64)
        first = torch.full((len(keys),), len(numbers)).scatter_reduce(0, numbers, place, "amin")
        return cls.of_pairs(torch.from_numpy(owners.astype(np.int32)), numbers.int(), rows), first.numpy()

    def index_select(self, dim: int, chosen: Tensor) -> "Ragged":
        """The chosen rows, as `Tensor.index_select` with dim 0 gives them."""
        lengths = self.starts.diff().index_select(dim, chosen)
        starts = F.pad(lengths.cumsum(0), (1, 0))
        moved = (self.starts[chosen] - starts[:-1]).repeat_interleave(lengths)
        return Ragged(self.values[torch.arange(len(moved)) + moved], starts.int())

    def sums(self, values: Tensor) -> Tensor:
        """For each row the sum of the values of its numbers: (numbers, k) to (rows, k)."""
        return F.embedding_bag(self.values, values, self.starts, mode="sum", include_last_offset=True)

    def turned(self, columns: int) -> "Ragged":
        """The matrix turned round: for each number the rows that hold it."""
        owners = torch.arange(len(self), dtype=torch.int32).repeat_interleave(self.starts.diff())
        values, order = self.values.sort(stable=True)
        return Ragged(owners[order], starts_of(values, columns))

    def among(self, known: Tensor) -> "Ragged":
        """Those of the numbers that are known, as their places among the known ones (known,) int32, ascending."""
        places = torch.searchsorted(known, self.values).clamp_max(max(len(known) - 1, 0)).int()
        kept = known[places] == self.values if len(known) else torch.zeros(len(places), dtype=torch.bool)
        before = F.pad(kept.cumsum(0), (1, 0))
        return Ragged(places[kept], before[self.starts].int())


def joined(parts: Sequence[Ragged]) -> Ragged:
    """The rows of several, one after the other."""
    counts = torch.cat([torch.zeros(1, dtype=torch.int32), *(part.starts.diff() for part in parts)])
    values = torch.cat([torch.empty(0, dtype=torch.int32), *(part.values for part in parts)])
    return Ragged(values, counts.cumsum(0).int())


@dataclass(frozen=True, eq=False)
class TwoLevels:
    """Sets of parts, one a row, and for each part its set of numbers."""

    rows: Ragged
    parts: Ragged

    def __len__(self) -> int:
        return len(self.rows)

    def index_select(self, dim: int, chosen: Tensor) -> "TwoLevels":
        """The chosen rows, with those of the parts that they hold."""
        rows = self.rows.index_select(dim, chosen)
        used, numbers = rows.values.unique(return_inverse=True)
        return TwoLevels(Ragged(numbers.int(), rows.starts), self.parts.index_select(0, used))


def keys_of(hashes: NDArray[np.uint64]) -> Tensor:
    """31 bits of each hash: int32."""
    return torch.from_numpy((hashes >> np.uint64(33)).astype(np.int32))


def starts_of(ascending: Tensor, size: int) -> Tensor:
    """Where each number from 0 to size - 1 begins among ascending ones, and the end: (size + 1,) int32."""
    return F.pad(torch.bincount(ascending, minlength=size).cumsum(0), (1, 0)).int()
