"""The loop: how long an epoch takes beside other ways to train the same network, in turns, each in its own process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from statistics import median

from processes import run_alone
from tables import peers_python

from firstlight.kinds.speed import quicker_in_half

SHAPES = ((256, 3), (64, 1))  # width, layers
OURS, IN_HALF, BY_HAND = "firstlight", "in bfloat16", "by hand"
PEERS = ("DataLoader", "skorch", "Lightning", "Keras")
TIMES = 3
LIMIT = 300.0
FITS = ((32, 256), (32, 1024))  # bins a column, rows a step
HEAD = ("network", "firstlight, s", "in bfloat16, s", "by hand", *PEERS, "R2, lowest to highest")


def rows() -> Iterator[tuple[str, ...]]:
    """A row a network: our seconds for an epoch, and how many times those of the quicker way each peer takes.

    Bfloat16 is measured where a fit would use it; what is written by hand is in float32, and compared with float32.
    """
    for width, layers in SHAPES:
        ways = {OURS: sys.executable, BY_HAND: sys.executable, "DataLoader": sys.executable}
        if quicker_in_half():
            ways[IN_HALF] = sys.executable
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
        found = {way: median(taken) for way, taken in seconds.items()}
        quicker = min(found[way] for way in (OURS, IN_HALF) if way in found)
        ours = [f"{found[way]:.3f}" if way in found else "–" for way in (OURS, IN_HALF)]
        by_hand = f"{found[BY_HAND] / found[OURS]:.2f} times"
        peers = [f"{found[way] / quicker:.2f} times" if way in found else "–" for way in PEERS]
        yield f"{layers} × {width}", *ours, by_hand, *peers, f"{min(shares):.3f} to {max(shares):.3f}"


PRODUCTS_HEAD = ("bins of a column", "rows a step", "an epoch, s", "its products alone, s", "times")


def product_rows() -> Iterator[tuple[str, ...]]:
    """A row for each size of small networks: seconds of an epoch, and of its matrix products alone."""
    for bins, batch in FITS:
        said = run_alone("loop_products.py", str(bins), str(batch), limit=LIMIT)
        ours, alone = (float(line) for line, _ in said.lines)
        yield str(bins), str(batch), f"{ours:.2f}", f"{alone:.2f}", f"{ours / alone:.2f}"
