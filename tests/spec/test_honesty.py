"""A score is worth something only where nothing has looked at the test rows, and nothing is called better by chance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import torch
from safetensors.torch import load_file

from firstlight.store.audit import audit
from firstlight.store.model_file import FILE_NAME
from firstlight.store.run import Run
from firstlight.workflow import Choices, open_rows, prepare_rows

if TYPE_CHECKING:
    from tests.conftest import Fit

MARKER, NUMBER_MARKER, DATE_MARKER = "qzx7marker", 424242.125, "2071-07-17"


def table(rows: int = 120, *, task: str = "classification", seed: int = 0) -> pl.DataFrame:
    """A csv's cells: two numbers, a category, a boolean and a date, all of some use; and a target."""
    chance = torch.Generator().manual_seed(seed)
    size, weight, noise = torch.randn(3, rows, generator=chance, dtype=torch.float64)
    place = torch.randint(3, (rows,), generator=chance)
    day = torch.randint(1, 28, (rows,), generator=chance)
    signal = size + weight / 2 + place + noise / 3
    if task == "classification":
        steps = (signal > 0).int() + (signal > 2).int()
        target = pl.Series("target", [["low", "mid", "high"][step] for step in steps.tolist()])
    else:
        target = pl.Series("target", [f"{number:.3f}" for number in signal])
    return pl.DataFrame(
        {
            "size": [f"{number:.4f}" for number in size],
            "weight": [None if number > 1.5 else f"{number:.4f}" for number in weight],
            "place": [["here", "there", "away"][number] for number in place],
            "open": ["yes" if number > 0 else "no" for number in noise],
            "day": [f"2024-03-{number:02d}" for number in day],
        }
    ).with_columns(target)


def written(rows: pl.DataFrame, path: Path) -> Path:
    rows.write_csv(path)
    return path


def set_aside(rows: pl.DataFrame) -> list[int]:
    """The numbers of the rows that a fit sets aside by chance; all rows are different."""
    prepared, _ = prepare_rows(open_rows(rows, Choices("target"), None), Choices("target"), None)
    aside = prepared.rows.test.join(rows.with_row_index("row number"), on=rows.columns, nulls_equal=True)
    return aside["row number"].to_list()


def planted(rows: pl.DataFrame, numbers: list[int], cells: dict[str, Any]) -> pl.DataFrame:
    """The rows with other cells in the rows of these numbers."""
    there = pl.int_range(len(rows), eager=True).is_in(numbers)
    return rows.with_columns(
        pl.when(there).then(pl.lit(cell)).otherwise(pl.col(name)).alias(name) for name, cell in cells.items()
    )


@pytest.mark.parametrize("keep", ["network", "straight line"])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_marker_planted_in_test_rows_only_is_found_nowhere(task: str, keep: str, fit: Fit, tmp_path: Path) -> None:
    """The latest rows are the test, so it is known which they are before anything is planted."""
    marks = {"size": str(NUMBER_MARKER), "place": MARKER, "open": MARKER + "?", "day": DATE_MARKER}
    marks["target"] = MARKER + "!" if task == "classification" else str(NUMBER_MARKER)
    rows = table(task=task).with_columns(pl.int_range(120).cast(pl.String).alias("turn"))
    path = written(planted(rows, list(range(96, 120)), marks), tmp_path / "rows.csv")
    planted_run = fit(path, Choices("target", time="turn"), keep=keep, page=True)
    clean = fit(written(rows, path), Choices("target", time="turn"), keep=keep)
    assert planted_run.folder is not None
    assert clean.folder is not None
    for name in ("plan.toml", FILE_NAME, "train.py", "log.jsonl"):
        content = (planted_run.folder / name).read_bytes()
        if name == FILE_NAME:  # the scores come from the test rows, and nothing else may
            content = content.replace(json.dumps(audit(planted_run.folder / name).metadata["evaluation"]).encode(), b"")
            assert b"log_loss" not in content
        for mark in (MARKER, str(NUMBER_MARKER), "424242", DATE_MARKER, "2071"):
            assert mark.encode() not in content, f"{mark} stands in {name}"
    assert (planted_run.folder / "plan.toml").read_bytes() == (clean.folder / "plan.toml").read_bytes()
    assert same_weights(planted_run, clean)
    assert planted_run.predictor.encoders == clean.predictor.encoders


def same_weights(first: Run, second: Run) -> bool:
    """Whether two model files hold the same tensors, to the last bit."""
    assert first.folder is not None
    assert second.folder is not None
    ours, theirs = load_file(first.folder / FILE_NAME), load_file(second.folder / FILE_NAME)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_other_cells_in_test_rows_change_the_scores_and_nothing_else(task: str, fit: Fit) -> None:
    rows = table(task=task)
    aside = set_aside(rows)
    assert len(aside) == 24
    before = fit(rows, Choices("target"))
    after = fit(planted(rows, aside, {"place": "away", "day": "2024-03-01"}), Choices("target"))
    assert same_weights(before, after)
    assert before.predictor.plan == after.predictor.plan
    assert torch.equal(before.predictor.weights, after.predictor.weights)
    assert before.predictor.halfwidths == after.predictor.halfwidths
    assert before.predictor.kept == after.predictor.kept
    assert before.evaluation != after.evaluation


def test_other_cells_in_training_rows_do_change_the_model(fit: Fit) -> None:
    """So that the test above cannot pass by accident."""
    rows = table()
    aside = set_aside(rows)
    taught = [number for number in range(120) if number not in aside]
    before = fit(rows, Choices("target"))
    after = fit(planted(rows, taught[:20], {"day": "2024-03-01"}), Choices("target"))
    assert not same_weights(before, after)


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("seed", range(4))
def test_shuffled_answers_are_never_called_better_than_the_constant_guess(task: str, seed: int, fit: Fit) -> None:
    rows = table(200, task=task, seed=seed)
    shuffled = rows.with_columns(rows["target"].shuffle(seed=seed))
    run = fit(shuffled, Choices("target", seed=seed, seconds=0.3))
    assert run.evaluation is not None
    against_constant = [each for each in run.evaluation.differences if each.against == "constant"]
    assert against_constant
    assert not any(difference.better for difference in against_constant)


def test_rows_of_the_file_in_another_order_do_not_change_which_kinds_and_words_are_learned(fit: Fit) -> None:
    rows = table()
    first = fit(rows, Choices("target", test=0.0))
    second = fit(rows.reverse(), Choices("target", test=0.0))
    assert first.predictor.encoders == second.predictor.encoders
    assert first.predictor.plan.columns == second.predictor.plan.columns


def test_without_a_test_the_verdict_says_so(fit: Fit) -> None:
    run = fit(table(), Choices("target", test=0.0))
    assert run.evaluation is None
    assert "not tested" in run.verdict.lower()


def test_identical_rows_never_stand_on_both_sides(fit: Fit) -> None:
    rows = table(60)
    twice = pl.concat([rows, rows[:25]])
    prepared, lesson = prepare_rows(open_rows(twice, Choices("target"), None), Choices("target"), None)
    assert len(prepared.rows.train.join(prepared.rows.test, on=rows.columns, nulls_equal=True, how="semi")) == 0
    keys = prepared.rows.train.with_columns(fold=pl.Series(lesson.folds.numpy()))
    assert keys.group_by(rows.columns).agg(pl.col("fold").n_unique())["fold"].max() == 1


def test_a_copy_of_the_target_is_left_out_and_a_column_that_tells_it_is_named_in_the_verdict(fit: Fit) -> None:
    rows = table(200)
    rows = rows.with_columns(rows["target"].alias("copy"), (rows["target"] + rows["open"]).alias("telling"))
    run = fit(rows, Choices("target"))
    kinds = {column.name: column.kind for column in run.predictor.plan.columns}
    assert kinds["copy"] == "left out"
    assert [suspicion.column for suspicion in run.predictor.plan.beware] == ["telling"]
    assert "telling" in run.verdict
