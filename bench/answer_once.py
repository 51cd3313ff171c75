"""One `firstlight predict` of a run's model: `python answer_once.py RUN ROWS OUT`."""

from __future__ import annotations

import sys
from pathlib import Path

from firstlight.cli.use import run_predict


def main() -> None:
    """Answers the rows that the command line names."""
    run, rows, out = sys.argv[1:]
    run_predict(run, rows, None, Path(out), why=False)


if __name__ == "__main__":
    main()
