"""How long a person waits in the first minute, in seconds on this machine: median and slowest of several starts.

Each command is started anew, as a person would, several times; the median is shown with the slowest.
The table of 1,000 rows is made up here, from a fixed seed, so that nothing has to be fetched.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median

ROWS = 1_000


@dataclass(frozen=True)
class Wait:
    """Something to wait for: its command line, its exit status, and the seconds promised."""

    what: str
    command: tuple[str, ...]
    status: int
    seconds: float
    times: int


def waits(folder: Path) -> list[Wait]:
    """The promises about the first minute, each as a command to time."""
    firstlight = str(Path(sys.executable).parent / "firstlight")
    table = str(folder / "rows.csv")
    return [
        Wait("firstlight --help", (firstlight, "--help"), 0, 0.3, times=5),
        Wait("a wrong path", (firstlight, "fit", "rosw.csv", "--target", "answer"), 2, 0.5, times=5),
        Wait("a misspelt target", (firstlight, "fit", table, "--target", "anwser"), 2, 0.5, times=5),
        Wait(
            f"{ROWS} rows to the verdict",
            (firstlight, "fit", table, "--target", "answer", "--out", str(folder / "run")),
            0,
            10.0,
            times=3,
        ),
    ]


def write_rows(path: Path) -> None:
    """A table with numbers, a category and gaps, and an answer of two classes that depends on them."""
    chance = Random(0)
    lines = ["length,width,colour,answer"]
    for _ in range(ROWS):
        length, width = chance.gauss(40, 5), chance.gauss(15, 2)
        colour = chance.choice(["red", "green", "blue"])
        answer = "yes" if length + 2 * width + 4 * (colour == "red") + chance.gauss(0, 3) > 71 else "no"
        lines.append(f"{length:.1f},{'' if chance.random() < 0.02 else f'{width:.1f}'},{colour},{answer}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def seconds_of(wait: Wait, folder: Path) -> float:
    """Wall seconds of one start of the command; a wrong exit status is an error, not a time."""
    start = time.perf_counter()
    done = subprocess.run(wait.command, cwd=folder, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode != wait.status:
        raise SystemExit(f"{wait.what} ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return seconds


def rows() -> Iterator[tuple[str, ...]]:
    """What is waited for, median and slowest of the seconds, and the promise: a row for each wait."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(folder / "rows.csv")
        for wait in waits(folder):
            seconds = [seconds_of(wait, folder) for _ in range(wait.times)]
            yield wait.what, f"{median(seconds):.2f}", f"{max(seconds):.2f}", f"{wait.seconds:.2f}", str(wait.times)


HEAD = ("what", "median, s", "slowest, s", "promised, s", "runs")
