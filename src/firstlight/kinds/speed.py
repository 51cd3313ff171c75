"""How fast this machine fits: measured once, then read from a file of the user's cache folder."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from firstlight.kinds.precision import WORTH, half_pays
from firstlight.machine import measured_once
from firstlight.plain.forest import MOST_BINS, best_questions, keep_freed_memory
from firstlight.plain.neighbours import mean_by_distance

RELIED_ON = 0.85  # of the fastest that was seen, which a fit of a minute does not keep up
# How long questions are sought, in additions: seen on generated tables of 1 000 to 300 000 rows
ROW_PASSES, BIN_PASSES = 4.0, 4.5
COMPARED = 64  # numbers that say where a row lies, where rows are compared


def machine_speed(half: bool = False) -> float:
    """Products and additions a second that a fit reaches here, with float32 or half of it, bfloat16."""
    return measured_once(_name("products in bfloat16" if half else "products"), lambda: _measured_speed(half))


def quicker_in_half() -> bool:
    """Whether layers are so much quicker in bfloat16 here that it is worth its coarseness."""
    return half_pays() and machine_speed(half=True) > WORTH * machine_speed()


def adding_speed() -> float:
    """Additions a second to sums at random places, as trees do them: see `additions_for_questions`."""
    return measured_once(_name("sums"), _measured_adding)


def additions_for_questions(rows: int, columns: int, bins: int, sums: int, questions: int) -> float:
    """How many additions it takes to find the questions of one tree; sums: how many are made of each bin's rows."""
    return columns * (ROW_PASSES * questions * rows + BIN_PASSES * sums * bins * float(2**questions))


def comparing_speed() -> float:
    """Pairs of rows a second whose distance is told, and learned from."""
    return measured_once(_name("pairs"), _measured_comparing)


def _name(what: str) -> str:
    return f"torch {torch.__version__} threads {torch.get_num_threads()} {what} a second"


def _measured_speed(half: bool) -> float:
    """Forward and backward passes of a typical layer, its weights kept in float32 in any case."""
    kind = torch.bfloat16 if half else torch.float32
    inputs, weight = torch.ones(16, 256, 256, dtype=kind), torch.ones(16, 256, 128, requires_grad=True)
    products = 4 * 16 * 256 * 256 * 128
    return RELIED_ON * products / _fastest(40, lambda: torch.bmm(inputs, weight.to(kind)).relu().sum().backward())


def _measured_adding() -> float:
    """Questions sought for typical numbers of rows and columns."""
    chance = torch.Generator().manual_seed(0)
    bins = torch.randint(MOST_BINS + 1, (8, 8192), generator=chance)
    errors = torch.randn(4, 2, 8192, generator=chance).abs()
    keep_freed_memory()
    sought = _fastest(10, lambda: best_questions(bins, torch.ones(8, dtype=torch.bool), errors, 8, decay=1.0))
    return RELIED_ON * 4 * additions_for_questions(8192, 8, MOST_BINS + 1, 2, 8) / sought


def _measured_comparing() -> float:
    """Answers of typical numbers of rows, and how they depend on where the rows lie."""
    places, keys = (torch.ones(2, rows, COMPARED, requires_grad=True) for rows in (256, 4096))
    known, seen = torch.ones(4096, 1), torch.ones(2, 4096)
    told = _fastest(10, lambda: mean_by_distance(places, keys, known, seen).sum().backward())
    return RELIED_ON * places.shape[0] * places.shape[1] * keys.shape[1] / told


def _fastest(times: int, work: Callable[[], object]) -> float:
    """The seconds of the fastest of so many goes: what slows one down is other work."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
