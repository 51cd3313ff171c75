"""How good the first fit is, beside the straight line: default settings, test rows opened once.

The penguins come with the package. California housing is used where it lies in ../shared, else left out.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import firstlight as fl
from firstlight.evaluate.evaluation import ScoreName

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "table"


def rows() -> Iterator[tuple[str, ...]]:
    """Table, score, network with its interval, straight line, kept, seconds: a row for each table that is there."""
    tables: list[tuple[str, Path, str, float | Path]] = [("penguins", fl.datasets.penguins(), "species", 0.2)]
    california = SHARED / "california_housing.train.parquet"
    if california.exists():
        tables.append(("california_housing", california, "MedHouseVal", SHARED / "california_housing.test.parquet"))
    for name, source, target, test in tables:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            run = fl.fit(source, target, test=test, out=Path(folder) / "run")
        seconds = time.perf_counter() - start
        if run.evaluation is None:
            raise ValueError(f"{name} was not tested")
        score: ScoreName = "accuracy" if run.evaluation.task == "classes" else "root_mean_squared_error"
        network, line = (run.evaluation.contender(who) for who in ("network", "straight line"))
        if network is None or line is None:
            raise ValueError(f"{name}: not all answered")
        mine = network.score(score)
        yield (
            name, score.replace("_", " "), f"{mine.value:.4f}", f"{mine.low:.4f} to {mine.high:.4f}",
            f"{line.score(score).value:.4f}", run.predictor.kept, f"{seconds:.1f}",
        )  # fmt: skip


HEAD = ("table", "score", "network", "95 % interval", "straight line", "kept", "seconds")
