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
