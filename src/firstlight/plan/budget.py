"""From seconds to steps: how much a fit may do in the time asked for, on this machine.

The time is turned into a number of epochs when the plan is made, by a cost model whose one measured figure, the
machine's speed, is kept on disk. So the same command does the same steps, whatever else the machine is doing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import torch

from firstlight.kinds.cells import FEWEST_ROWS, CellPart, Cells
from firstlight.kinds.speed import machine_speed, quicker_in_half
from firstlight.plain.split import MANY_ROWS
from firstlight.plan.plan import Fitting, Network
from firstlight.refusal import Refused

SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
STEP_OVERHEAD = 0.002  # seconds a step that do not depend on sizes: seen on a two-core machine
ADAM = 100  # products in whose time the optimiser looks after a weight: seen on eight tables
DEFAULT_SECONDS = 15.0
MOST_FIRST = 0.8  # of what is left, that a part may take before all others
OVERHEAD = 5.0  # seconds that all but the network takes: seen on five tables; and on tables of a million rows and more
PREPARING, EVALUATING = 2e-7, 1e-7  # seconds for each cell, and for each feature of a row that is learned from
DEFAULT_STEPS = 2500  # from where on a longer fit was seen to gain little
MOST_EPOCHS = 30
MEMBERS = 8  # with twice as many, errors were the same to the third figure on two tables
MOST_FOLDS = 8
MOST_BINS, MOST_BINS_EACH = 1024, 128  # of all columns together, and of one
SMALL_BATCH = 64  # rows a step up to which threads wait for one another longer than they work
MOST_TAUGHT = 1_000_000  # rows that are learned from: more fit neither into memory nor into a few minutes
FEWEST_TAUGHT = 100_000  # however short the time; where the table has as many
TAUGHT_A_SECOND = 20_000  # of the time that was asked for: to prepare more takes all of it
MOST_CELLS = 200_000_000  # of them as the straight line sees them: 1.6 GB
FEWEST_EPOCHS = 4  # with fewer a network is hardly fitted; a slow machine takes longer instead


def seconds_of(text: str) -> float:
    """How long "10s", "5m" or "1h" is, in seconds."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", text)
    if not found or float(found[1]) == 0:
        raise Refused(f"--time {text!r} is no length of time; write it as 30s, 5m or 1h.")
    return float(found[1]) * SECONDS[found[2]]


def seconds_to_learn(seconds: float, rows: int, cells: Cells) -> float:
    """What is left for the network of the whole time that was asked for; rows: in all, taught or not."""
    others = OVERHEAD + PREPARING * rows * cells.columns + EVALUATING * cells.rows * cells.features(0)
    return max(seconds / 2, seconds - others)


def rows_taught(cells: Cells, seconds: float | None) -> int:
    """The training rows that are learned from: all of them, or so many that they fit into memory and into the time."""
    most = MOST_TAUGHT if seconds is None else min(MOST_TAUGHT, max(FEWEST_TAUGHT, int(TAUGHT_A_SECOND * seconds)))
    return min(cells.rows, most, MOST_CELLS // max(1, cells.features(0)))


def shared_out(seconds: float, parts: Sequence[CellPart[Any]]) -> tuple[dict[str, float], float]:
    """The seconds of each of the parts by name, in their order, and what is left for the small networks."""
    times = {}
    whole = 1 + sum(part.weight for part in parts)
    for part in parts:
        times[part.name] = max(part.weight / whole * seconds, min(part.first, MOST_FIRST * seconds))
        seconds, whole = seconds - times[part.name], whole - part.weight
    return times, seconds


def batch_for(rows: int) -> int:
    """Rows a step, as published searches over many tables chose them. Source: TabM, Gorishniy et al. 2024."""
    for most, batch in ((2_800, 32), (4_500, 64), (6_400, 128), (32_000, 256), (108_000, 512)):
        if rows < most:
            return batch
    return 1024


def network_for(cells: Cells, seconds: float | None) -> Network:
    """The network's sizes and its fitting, in `seconds` where a time was asked for, else as most such tables need."""
    rows = cells.rows
    most = max(4, min(MOST_BINS_EACH, rows // 64))
    bins = next((bins for bins in range(most, 2, -1) if cells.features(bins) <= MOST_BINS + cells.features(0)), 2)
    batch = batch_for(rows)
    network = Network(
        members=MEMBERS, width=128, layers=2, bins=bins,
        epochs=max(FEWEST_EPOCHS, min(MOST_EPOCHS, DEFAULT_STEPS // steps_an_epoch(rows, batch))), batch=batch,
        rate=0.002 if rows < 10_000 else 0.006, decay=0.03,
        half=rows >= FEWEST_ROWS and quicker_in_half(),
    )  # fmt: skip
    if seconds is None:
        epochs = min(network.epochs, max(FEWEST_EPOCHS, epochs_within(DEFAULT_SECONDS, cells, network)))
    else:
        epochs = min(4 * network.epochs, epochs_within(seconds, cells, network))
    return network.model_copy(update={"epochs": epochs})


def steps_an_epoch(rows: int, batch: int) -> int:
    """How many batches an epoch goes through."""
    return math.ceil(min(rows, MANY_ROWS) / batch)


def fitting_for(rows: int, taught: int, batch: int | None, folds: int, seed: int) -> Fitting:
    """Rows, folds, at most so many, and threads.

    batch: rows a step of the small networks; None where parts that are more work a row stand beside them, or alone.
    """
    small = batch is not None and batch <= SMALL_BATCH and rows < FEWEST_ROWS
    threads = 1 if small else torch.get_num_threads()
    some = taught if taught < rows else None
    return Fitting(rows=some, folds=max(2, min(folds, rows // 2)), seed=seed, threads=threads)


def epochs_within(seconds: float, cells: Cells, network: Network) -> int:
    """How many epochs of this network this machine does in so many seconds; one at least."""
    first = network.members * cells.features(network.bins) * network.width
    others = network.members * network.width * ((network.layers - 1) * network.width + cells.outputs)
    taught = 4 * first + 6 * others  # products and additions, forward and backward
    speed = machine_speed(network.half)
    step = STEP_OVERHEAD + taught * network.batch / speed + ADAM * (first + others) / machine_speed()
    watching = 2 * (first + others) * min(cells.rows, 4096) / speed
    return max(1, int(seconds / (steps_an_epoch(cells.rows, network.batch) * step + watching)))
