"""The loop: how long an epoch takes beside other ways to train the same network, in turns, each in its own process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from statistics import median

from processes import run_alone
from tables import peers_python

SHAPES = ((256, 3), (64, 1))  # width, layers
OURS, BY_HAND = "firstlight", "by hand"
PEERS = ("DataLoader", "skorch", "Lightning", "Keras")
TIMES = 3
LIMIT = 300.0
FITS = ((32, 256), (32, 1024))  # bins a column, rows a step
HEAD = ("network", "firstlight, s", "by hand", *PEERS, "R2, lowest to highest")


def rows() -> Iterator[tuple[str, ...]]:
    """A row a network: our seconds for an epoch, and how many times those each other way takes."""
    for width, layers in SHAPES:
        ways = {OURS: sys.executable, BY_HAND: sys.executable, "DataLoader": sys.executable}
        if python := peers_python():
            ways |= dict.fromkeys(PEERS[1:], python)
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        shares = []
        for _ in range(TIMES):
            for way, python in ways.items():
                said = run_alone("loop_peer.py", way, str(width), str(layers), limit=LIMIT, python=python)
                (taken, _), (share, _) = said.lines[-2:]
                seconds[way].append(float(taken))
                shares.append(float(share))
        ours = median(seconds[OURS])
        others = [f"{median(seconds[way]) / ours:.2f} times" if way in ways else "–" for way in (BY_HAND, *PEERS)]
        yield f"{layers} × {width}", f"{ours:.3f}", *others, f"{min(shares):.3f} to {max(shares):.3f}"


PRODUCTS_HEAD = ("bins of a column", "rows a step", "an epoch, s", "its products alone, s", "times")


def product_rows() -> Iterator[tuple[str, ...]]:
    """A row for each size of small networks: seconds of an epoch, and of its matrix products alone."""
    for bins, batch in FITS:
        said = run_alone("loop_products.py", str(bins), str(batch), limit=LIMIT)
        ours, alone = (float(line) for line, _ in said.lines)
        yield str(bins), str(batch), f"{ours:.2f}", f"{alone:.2f}", f"{ours / alone:.2f}"
