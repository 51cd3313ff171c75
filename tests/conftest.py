"""What every test may ask for, and the quiet surroundings that all of them run in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from firstlight.datasets import penguins as penguins_path

# Several tests run side by side, so each takes one thread. Set before anything imports torch, and
# handed down to the commands that tests start.
os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", POLARS_MAX_THREADS="1")
# Commands print as into a file, however wide the terminal is that the tests were started from.
os.environ.update(COLUMNS="110", NO_COLOR="1", TERM="dumb", PYTHONUTF8="1")
os.environ.pop("FORCE_COLOR", None)

# A slow machine is no broken promise: Hypothesis counts examples, not seconds.
settings.register_profile("firstlight", deadline=None)
settings.load_profile("firstlight")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture
def shared() -> Path:
    """The data that lies beside the checkout, too large to be part of it; skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"the data of this test lies in {SHARED.name}/ beside the checkout, which is not there")
    return SHARED


@pytest.fixture
def penguins() -> Path:
    """The table that the package ships: 344 rows, 7 columns."""
    return penguins_path()
