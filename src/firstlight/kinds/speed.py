"""How fast this machine fits: measured once, then read from a file of the user's cache folder."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from firstlight.machine import measured_once

RELIED_ON = 0.85  # of the fastest that was seen, which a fit of a minute does not keep up


def machine_speed() -> float:
    """Products a second that a fit reaches here."""
    return measured_once(f"torch {torch.__version__} threads {torch.get_num_threads()}", lambda: _measured_speed())


def adding_speed() -> float:
    """Additions a second to sums at random places."""
    name = f"torch {torch.__version__} threads {torch.get_num_threads()} additions"
    return measured_once(name, lambda: _measured_adding())


def _measured_speed() -> float:
    """Forward and backward passes of a typical layer."""
    inputs, weight = torch.ones(16, 256, 256), torch.ones(16, 256, 128, requires_grad=True)
    products = 4 * 16 * 256 * 256 * 128
    return RELIED_ON * products / _fastest(lambda: torch.bmm(inputs, weight).relu().sum().backward())


def _measured_adding() -> float:
    """Sums of the errors of rows by bin."""
    places = torch.randint(4096, (16, 50_000), generator=torch.Generator().manual_seed(0))
    values = torch.ones(16, 50_000)
    return RELIED_ON * values.numel() / _fastest(lambda: torch.zeros(16, 4096).scatter_add_(1, places, values))


def _fastest(work: Callable[[], object]) -> float:
    """The seconds of the fastest of many goes: what slows one down is other work."""
    seconds = []
    for _ in range(40):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
