"""One fit with default settings, step by step as `firstlight.fit` does it; each step is told as soon as it is done.

The last line is the most memory that it had at a time, in bytes.
"""

from __future__ import annotations

import argparse
import resource
from pathlib import Path

from firstlight.model.fitting import Epoch
from firstlight.workflow import Choices, fit_steps


def main() -> None:
    """Fits the table that the command line names."""
    parser = argparse.ArgumentParser()
    for name in ("train", "target", "test", "out"):
        parser.add_argument(name)
    parser.add_argument("--seconds", type=float)
    given = parser.parse_args()
    choices = Choices(target=given.target, test=Path(given.test), seconds=given.seconds)
    for event in fit_steps(given.train, choices, plan=None, out=Path(given.out)):
        if not isinstance(event, Epoch):
            print(type(event).__name__, flush=True)
    print(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # Linux counts in KiB


if __name__ == "__main__":
    main()
