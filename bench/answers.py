"""How fast a model answers a million rows, from csv to parquet, beside CatBoost: whole processes, in turns."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
from generated import files_of_size
from processes import Said, fit_alone, run_alone
from tables import peers_python

TAUGHT, ASKED, COLUMNS = 100_000, 1_000_000, 20
SECONDS = 60.0  # of the fit
TIMES = 3
LIMIT = 600.0
HEAD = ("who", "error", "seconds", "times CatBoost's")


def rows() -> Iterator[tuple[str, ...]]:
    """A row for each who answers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = files_of_size(folder, TAUGHT, COLUMNS, ASKED)
        truth = pl.read_parquet(files.test)
        asked = folder / "asked.csv"
        truth.drop(files.target).write_csv(asked)
        run = fit_alone(files, folder, SECONDS).run.folder
        ways: dict[str, Callable[[Path], Said]] = {
            "firstlight": lambda out: run_alone("answer_once.py", str(run), asked, out, limit=LIMIT)
        }
        if python := peers_python():
            told = (files.target, folder / "catboost.cbm")
            run_alone("answer_peer.py", "fit", files.train, *told, limit=LIMIT, python=python)
            ways["CatBoost"] = lambda out: run_alone(
                "answer_peer.py", "answer", asked, *told, out, limit=LIMIT, python=python
            )
        seconds: dict[str, list[float]] = {who: [] for who in ways}
        for _ in range(TIMES):
            for who, way in ways.items():
                seconds[who].append(way(folder / f"{who}.parquet").seconds)
        for who in ways:
            missed = (pl.read_parquet(folder / f"{who}.parquet")[files.target] - truth[files.target]).to_numpy()
            error = float(np.sqrt(np.mean(missed**2)))
            share = f"{median(seconds[who]) / median(seconds['CatBoost']):.1f}" if "CatBoost" in ways else "–"
            yield who, f"{error:.3f}", f"{median(seconds[who]):.1f}", share
