"""Measures all there is in this folder and writes BENCHMARKS.md; start it by `make bench` on a quiet machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import first_fits
import first_minute

FILE = Path(__file__).resolve().parents[1] / "BENCHMARKS.md"


def processor() -> str:
    """The processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """A Markdown table; its rows are shown as they come."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    print(lines[0])
    for row in rows:
        lines.append(f"| {' | '.join(row)} |")
        print(lines[-1], flush=True)
    return [*lines, ""]


def main() -> None:
    """Measures, and writes the file."""
    load = os.getloadavg()[0]
    versions = ", ".join(f"{name} {version(name)}" for name in ("firstlight", "torch", "polars", "numpy"))
    lines = [
        "# Benchmarks",
        "",
        f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {versions}, Python {platform.python_version()};",
        f"{processor()}, {os.cpu_count()} cores; load average {load:.1f} at the start.",
        "",
        "## The first minute: how long a person waits",
        "",
        "Whole commands, each started anew. `bench/first_minute.py` makes the table of 1,000 rows.",
        "",
        *table(first_minute.HEAD, first_minute.rows()),
        "## The first fit: how good it is",
        "",
        "Default settings; the test rows are opened once. Penguins: 20 % of each class. California housing: a file.",
        "",
        *table(first_fits.HEAD, first_fits.rows()),
    ]
    FILE.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
