"""How a fit grows with rows and columns: seconds, memory and error on tables that are made for it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from generated import files_of_size
from processes import fit_alone

TESTED = 100_000  # rows


@dataclass(frozen=True)
class Size:
    """A table's size, and the seconds that are asked for; None: none are."""

    rows: int
    columns: int
    seconds: float | None = None


SIZES = (
    Size(1_000, 20),
    Size(10_000, 20),
    Size(100_000, 20),
    Size(1_000_000, 20, seconds=60.0),
    Size(10_000_000, 20, seconds=300.0),
    Size(10_000, 200),
    Size(10_000, 1_000),
)
HEAD = ("rows × columns", "asked, s", "whole, s", "peak memory, GB", "error", "straight line's")


def rows() -> Iterator[tuple[str, ...]]:
    """A row for each size."""
    for size in SIZES:
        with tempfile.TemporaryDirectory() as name:
            files = files_of_size(Path(name), size.rows, size.columns, min(TESTED, size.rows))
            fit = fit_alone(files, Path(name), size.seconds)
            if fit.run.evaluation is None:
                raise ValueError(f"{size} was not tested")
            contenders = {each.name: each for each in fit.run.evaluation.contenders}
            errors = [
                f"{contenders[who].score('root_mean_squared_error').value:.3f}"
                for who in (fit.run.predictor.kept, "straight line")
            ]
        asked = "–" if size.seconds is None else f"{size.seconds:g}"
        shape = f"{size.rows:,} × {size.columns:,}".replace(",", " ")
        yield shape, asked, f"{fit.whole:.0f}", f"{fit.peak / 1e9:.1f}", *errors
