"""The same command twice gives the same bytes; another seed gives another model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
import torch

from firstlight.plan.document import from_toml
from firstlight.store.model_file import FILE_NAME
from firstlight.workflow import Choices

if TYPE_CHECKING:
    from tests.conftest import Fit

FILES = (FILE_NAME, "plan.toml", "log.jsonl", "train.py")
TWICE = """
import sys, torch
from pathlib import Path
from firstlight.workflow import Choices, fit_steps
torch.manual_seed(int(sys.argv[3]))
list(fit_steps(sys.argv[1], Choices("species", seconds=float(sys.argv[4])), None, Path(sys.argv[2])))
"""


def bytes_of(folder: Path | None) -> dict[str, bytes]:
    assert folder is not None
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.mark.parametrize("seconds", [0.001, 0.5])
def test_the_same_fit_twice_gives_the_same_bytes(seconds: float, penguins: Path, fit: Fit, tmp_path: Path) -> None:
    first = fit(penguins, Choices("species", seconds=seconds), out=tmp_path / "first")
    torch.rand(7)  # chance that others have used meanwhile
    second = fit(penguins, Choices("species", seconds=seconds), out=tmp_path / "second")
    assert bytes_of(first.folder) == bytes_of(second.folder)
    if seconds > 0.1:
        assert first.predictor.plan.epochs["columns"] > 1, "the time asked for was turned into steps"


def test_two_processes_give_the_same_bytes_whatever_their_surroundings(penguins: Path, tmp_path: Path) -> None:
    """Other hash seeds, locales, time zones, working folders and used-up chance change nothing."""
    surroundings = [
        {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "UTC"},
        {"PYTHONHASHSEED": "2", "LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo"},
    ]
    folders = []
    for number, variables in enumerate(surroundings):
        folder = tmp_path / f"run{number}"
        working = tmp_path / f"working{number}"
        working.mkdir()
        command = [sys.executable, "-c", TWICE, str(penguins), str(folder), str(number), "0.2"]
        subprocess.run(command, check=True, cwd=working, env={**os.environ, **variables}, capture_output=True)
        folders.append(folder)
    assert bytes_of(folders[0]) == bytes_of(folders[1])


def test_another_seed_gives_another_split_and_another_model(penguins: Path, fit: Fit) -> None:
    first, second = (fit(penguins, Choices("species", seed=seed)) for seed in (0, 1))
    assert bytes_of(first.folder)[FILE_NAME] != bytes_of(second.folder)[FILE_NAME]
    assert [first.predictor.plan.split.seed, second.predictor.plan.split.seed] == [0, 1]
    same = [
        torch.equal(ours, theirs)
        for ours, theirs in zip(
            first.predictor.network.parameters(), second.predictor.network.parameters(), strict=True
        )
    ]
    assert not any(same)


def test_a_plan_given_back_gives_the_same_bytes(penguins: Path, fit: Fit, tmp_path: Path) -> None:
    first = fit(penguins, Choices("species"), out=tmp_path / "first")
    plan = from_toml((tmp_path / "first" / "plan.toml").read_text(), "plan.toml")
    again = fit(penguins, Choices(), plan=plan, out=tmp_path / "again")
    assert bytes_of(first.folder) == bytes_of(again.folder)


def test_the_log_tells_every_epoch(penguins: Path, fit: Fit) -> None:
    run = fit(penguins, Choices("species", seconds=0.3))
    lines = [json.loads(line) for line in bytes_of(run.folder)["log.jsonl"].splitlines()]
    assert [line["epoch"] for line in lines[:-1]] == list(range(1, run.predictor.plan.epochs["columns"] + 1))
    assert lines[-1] == {"kept": run.predictor.kept}


def test_other_columns_in_front_do_not_change_which_rows_are_the_test(penguins: Path, fit: Fit) -> None:
    """A split depends on the rows and the seed, not on how the columns stand."""
    rows = pl.read_csv(penguins, infer_schema=False, null_values=["NA", ""])
    turned = rows.select(reversed(rows.columns))
    first, second = fit(rows, Choices("species")), fit(turned, Choices("species"))
    assert first.evaluation is not None
    assert second.evaluation is not None
    assert first.evaluation.rows == second.evaluation.rows
    truth = [run.evaluation.confusion for run in (first, second) if run.evaluation]
    assert [sum(row) for row in truth[0]] == [sum(row) for row in truth[1]]  # type: ignore[union-attr]
