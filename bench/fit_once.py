"""One fit with default settings, as `firstlight.fit` does it; a line is written when a step is done."""

from __future__ import annotations

import argparse
from pathlib import Path

from firstlight.asking import requested
from firstlight.workflow import Epoch, fit_steps


def main() -> None:
    """Fits the table that the command line names."""
    parser = argparse.ArgumentParser()
    for name in ("train", "target", "test", "out"):
        parser.add_argument(name)
    parser.add_argument("--time")
    given = parser.parse_args()
    asked = requested(
        given.train, given.target, test=Path(given.test), time=given.time, out=given.out, task=None, by_time=None,
        group=None, seed=0, plan=None, sheet=None, label=None,
    )  # fmt: skip
    for event in fit_steps(asked.source, asked.choices, asked.plan, asked.out):
        if not isinstance(event, Epoch):
            print(type(event).__name__, flush=True)


if __name__ == "__main__":
    main()
