"""Whether convolutions are quicker in half precision here: on some processors threefold, on others ten times slower."""

from __future__ import annotations

import time

import torch
from torch.nn import functional as F

from firstlight.machine import measured_once

TIMES = 3
WORTH = 1.2  # times quicker, below which the shorter numbers are not worth their coarseness


def half_pays() -> bool:
    """Whether bfloat16 (8 bits of fraction) is to be used in place of float32 for products; measured once."""
    name = f"torch {torch.__version__} threads {torch.get_num_threads()} times that bfloat16 is quicker"
    return measured_once(name, lambda: _seconds(torch.float32) / _seconds(torch.bfloat16)) > WORTH


def _seconds(kind: torch.dtype) -> float:
    """The least time of a small convolution, 38 million products."""
    pictures = torch.ones(8, 32, 16, 16, dtype=kind).contiguous(memory_format=torch.channels_last)
    weight = torch.ones(32, 32, 3, 3, dtype=kind)
    found = []
    for _ in range(TIMES + 1):  # the first time, memory is set up
        start = time.perf_counter()
        F.conv2d(pictures, weight, padding=1)
        found.append(time.perf_counter() - start)
    return min(found[1:])
