"""A program in a process of its own, started anew on two threads; each of its lines is stamped as it comes.

So what a program does before its first line, `import torch` above all, counts for whoever does it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

import polars as pl

import firstlight as fl
from firstlight.store.run import Run

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared" / "data"
THREADS = 2
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
LONGEST_FIT = 900.0  # seconds; a fit that takes longer is an error


class TookTooLong(Exception):
    """A program outlived its limit and was ended."""


@dataclass(frozen=True)
class Said:
    """The lines that a program wrote, each with the seconds since its start, and the seconds until its end."""

    lines: tuple[tuple[str, float], ...]
    seconds: float

    def after(self, line: str) -> float:
        """Seconds after which a line was written."""
        return next(seconds for said, seconds in self.lines if said == line)

    @property
    def last(self) -> str:
        """The last line."""
        return self.lines[-1][0]


def run_alone(script: str, *words: str | Path, limit: float, python: str = sys.executable) -> Said:
    """Runs a script of this folder. Raises TookTooLong beyond the limit in seconds, SystemExit where it fails."""
    command = [python, "-W", "ignore", str(HERE / script), *map(str, words)]
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(THREADS))}
    with tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        ending = Timer(limit, process.kill)
        ending.start()
        with process:
            lines = [(line.rstrip("\n"), time.perf_counter() - start) for line in process.stdout or ()]
        seconds = time.perf_counter() - start
        ending.cancel()
        if process.returncode != 0 and seconds >= limit:
            raise TookTooLong(f"{script} was ended after {limit:g} s")
        if process.returncode != 0:
            errors.seek(0)
            raise SystemExit(f"{script} ended with status {process.returncode}:\n{errors.read()}")
    return Said(tuple(lines), seconds)


@dataclass(frozen=True)
class Files:
    """Training and test rows of a set, as parquet files, and the column to predict."""

    train: Path
    test: Path
    target: str

    def frames(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The training rows and the test rows."""
        return pl.read_parquet(self.train), pl.read_parquet(self.test)


def files_of(folder: Path, name: str, target: str) -> Files | None:
    """The two files of a set, None where they do not lie there."""
    files = Files(folder / f"{name}.train.parquet", folder / f"{name}.test.parquet", target)
    return files if files.train.exists() and files.test.exists() else None


@dataclass(frozen=True, eq=False)
class Fit:
    """A fit in a process of its own.

    to_scores: seconds from its start until the test rows are scored: importing, reading, fitting, predicting.
    whole:     seconds until its end: with plan, model file, script and report.
    peak:      the most memory that it had at a time, in bytes.
    """

    run: Run
    to_scores: float
    whole: float
    peak: int


def fit_alone(files: Files, folder: Path, time: float | None = None) -> Fit:
    """A fit with default settings, or within so many seconds; the run folder is made in `folder`."""
    out = Path(tempfile.mkdtemp(dir=folder)) / "run"
    asked = [] if time is None else ["--seconds", f"{time:.1f}"]
    said = run_alone("fit_once.py", files.train, files.target, files.test, out, *asked, limit=LONGEST_FIT)
    return Fit(fl.load(out), said.after("Evaluated"), said.seconds, int(said.last))


def shown(value: float | None, digits: int = 3) -> str:
    """A figure of a table; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def yes(is_so: bool) -> str:
    """Whether something was reached, as it stands in a table."""
    return "yes" if is_so else "no"


def missed(what: list[str], all_reached: str) -> str:
    """The line below a table that names what was missed."""
    return f"Missed: {'; '.join(what)}." if what else all_reached
