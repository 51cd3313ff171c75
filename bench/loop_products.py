"""How long the loop takes over small networks as tables have them, beside its matrix products alone, in turns.

Run as `python loop_products.py BINS BATCH`; prints the median seconds of an epoch of each.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median

import torch
from loop_peer import COLUMNS, RATE, ROWS, table
from torch import Tensor, nn

from firstlight.plain.lookup import MembersByLookup
from firstlight.plain.loop import fit_members, learning
from firstlight.plain.numbers import piecewise_linear
from firstlight.plain.targets import member_squared_errors
from firstlight.plan.budget import MEMBERS

WIDTH, LAYERS, FOLDS = 128, 2, 8
TIMES = 3


def products(sizes: list[int], batch: int) -> Callable[[], None]:
    """The products of an epoch: forward, and for the slopes of weights and of all inputs but the first."""
    layers = [
        (torch.randn(MEMBERS, batch, many), torch.randn(MEMBERS, many, wide), torch.randn(MEMBERS, batch, wide))
        for many, wide in pairwise(sizes)
    ]

    def epoch() -> None:
        for _ in range(0, ROWS, batch):
            for number, (inputs, weight, slope) in enumerate(layers):
                torch.bmm(inputs, weight)
                torch.bmm(inputs.mT, slope)
                if number:
                    torch.bmm(slope, weight.mT)

    return epoch


def seconds_of(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Measures the sizes that the command line names."""
    bins, batch = map(int, sys.argv[1:])
    torch.manual_seed(0)
    rows, targets = table()
    values = rows.double()
    features: nn.Module = piecewise_linear(values, bins)
    model = MembersByLookup(nn.ModuleDict({"numbers": features}), MEMBERS, WIDTH, LAYERS, 1)
    inputs: dict[str, Tensor] = {"numbers": values}
    learns = learning(torch.arange(ROWS) % FOLDS, MEMBERS)
    epochs = fit_members(model, inputs, targets.flatten(), learns, member_squared_errors, TIMES + 1, batch, RATE, 0.01)
    alone = products([COLUMNS * (bins + 1), *[WIDTH] * LAYERS, 1], batch)
    next(epochs)
    alone()
    found = [(seconds_of(lambda: next(epochs)), seconds_of(alone)) for _ in range(TIMES)]
    for each in zip(*found, strict=True):
        print(median(each))


if __name__ == "__main__":
    main()
