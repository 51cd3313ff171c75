"""The straight line: how fast its weights are found, beside scikit-learn's ways, in turns in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import torch
from torch import Tensor

from firstlight.plain.line import least_squares

SHAPES = ((1_000_000, 20), (100_000, 1_000))
TIMES = 3
HEAD = ("rows × columns", "ours, s", "LinearRegression", "Ridge(cholesky)", "SGDRegressor", "farthest weight")


def rows() -> Iterator[tuple[str, ...]]:
    """A row for each shape: seconds of ours, how many times those each other takes, how far our weights lie off."""
    from sklearn.linear_model import LinearRegression, Ridge, SGDRegressor

    for many, width in SHAPES:
        chance = torch.Generator().manual_seed(0)
        design = torch.randn(many, width, generator=chance, dtype=torch.float64)
        truth = torch.randn(width, generator=chance, dtype=torch.float64)
        targets = design @ truth + torch.randn(many, generator=chance, dtype=torch.float64)
        cells, numbers = design.numpy(), targets.numpy()
        ways: dict[str, Callable[[], Any]] = {
            "ours": lambda: least_squares(design, targets),  # noqa: B023
            "linear": lambda: LinearRegression().fit(cells, numbers),  # noqa: B023
            "ridge": lambda: Ridge(solver="cholesky").fit(cells, numbers),  # noqa: B023
            "sgd": lambda: SGDRegressor(random_state=0).fit(cells, numbers),  # noqa: B023
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(TIMES):
            for name, way in ways.items():
                start = time.perf_counter()
                way()
                seconds[name].append(time.perf_counter() - start)
        ours = median(seconds["ours"])
        others = [f"{median(seconds[name]) / ours:.1f} times" for name in ("linear", "ridge", "sgd")]
        yield f"{many:,} × {width:,}".replace(",", " "), f"{ours:.2f}", *others, f"{_farthest(design, targets):.1e}"


def _farthest(design: Tensor, targets: Tensor) -> float:
    """How far a weight lies from that of least squares without any penalty, by another decomposition."""
    centred, truth = design - design.mean(dim=0), targets - targets.mean()
    exact = torch.linalg.lstsq(centred, truth.unsqueeze(1)).solution.flatten()
    return float((least_squares(design, targets)[0][0] - exact).abs().max())
