"""Columns that know too much are left out, or named."""

from __future__ import annotations

import polars as pl
import pytest
import torch

from firstlight.plan.leaks import copy_of_target, suspicions, told_alone
from firstlight.plan.plan import LEFT_OUT, Column, Target, Task

ROWS = 200
CHANCE = torch.Generator().manual_seed(5)
AMOUNT = pl.Series("price", torch.randn(ROWS, generator=CHANCE, dtype=torch.float64).numpy() * 10 + 50)
NOISE = pl.Series("noise", torch.randn(ROWS, generator=CHANCE, dtype=torch.float64).numpy())
LABEL = pl.Series("churn", ["yes" if value > 0.5 else "no" for value in NOISE])
OTHER = pl.Series("other", torch.randn(ROWS, generator=CHANCE, dtype=torch.float64).numpy())
CLASSES = Target(column="churn", task="classification")
NUMBERS = Target(column="price", task="regression", read="typed_numbers")
LINE = "a copy of 'price' in another unit: the two lie on a straight line"
WORDS = "a copy of 'churn' in other words: each value stands beside one label and no other"


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (AMOUNT, "a copy of 'price'"),
        (AMOUNT.cast(pl.String), "a copy of 'price'"),
        (AMOUNT + 1000, LINE),
        (AMOUNT * -2.54, LINE),
        ((AMOUNT * 1.8 + 32).cast(pl.String), LINE),
        (AMOUNT.round(3), LINE),
        ((AMOUNT * 1.5).set(pl.arange(0, ROWS, eager=True) % 4 == 0, None), LINE),
        (AMOUNT + NOISE, ""),
        (AMOUNT**2, ""),
        (OTHER, ""),
        (LABEL, ""),
    ],
    ids=[
        "the same", "as text", "shifted", "in inches, other side up", "in Fahrenheit, as text", "rounded", "with gaps",
        "with noise", "bent", "another number", "words",
    ],
)  # fmt: skip
def test_a_copy_of_a_number_is_found_in_every_unit(cells: pl.Series, reason: str) -> None:
    assert copy_of_target(cells, AMOUNT, NUMBERS) == reason


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (LABEL, "a copy of 'churn'"),
        (" " + LABEL + " ", "a copy of 'churn'"),
        (LABEL.replace_strict({"yes": 1, "no": 0}), WORDS),
        (LABEL.replace_strict({"yes": None, "no": "x"}), WORDS),
        (LABEL.set(pl.arange(0, ROWS, eager=True) == 3, "no" if LABEL[3] == "yes" else "yes"), ""),
        (OTHER, ""),
    ],
    ids=["the same", "padded", "re-coded", "a gap for a label", "wrong in one row", "another column"],
)
def test_a_copy_of_labels_is_found_in_other_words(cells: pl.Series, reason: str) -> None:
    assert copy_of_target(cells, LABEL, CLASSES) == reason


def found(cells: pl.Series, target: pl.Series) -> tuple[str, ...]:
    rows = pl.DataFrame([cells.alias("cell"), target.alias("target")])
    column = Column(name="cell", kind="number", settings=None)
    task: Task = "classification" if target.dtype == pl.String else "regression"
    return tuple(each.sentence for each in suspicions(rows, "target", task, (column,)))


ALONE = "cell alone tells target almost without fail: would you know it before you need to predict?"


def test_a_column_that_stands_only_beside_one_label_is_named() -> None:
    refund = OTHER.set(LABEL == "no", None)
    assert found(refund, LABEL) == ("cell stands only where target is 'yes': it may be known only after the fact.",)


def test_with_a_handful_of_cells_that_is_chance() -> None:
    few = OTHER.set((LABEL == "no") | (pl.arange(0, ROWS, eager=True) > 20), None)
    assert 0 < few.is_not_null().sum() < 10
    assert found(few, LABEL) == ()


def test_a_column_that_alone_tells_the_label_is_named() -> None:
    assert found(NOISE, pl.Series(["high" if value > 0 else "low" for value in NOISE])) == (ALONE,)
    recoded = LABEL + pl.Series([f" {number % 3}" for number in range(ROWS)])
    assert found(recoded, LABEL) == (ALONE,)


def test_a_column_that_alone_tells_the_number_is_named() -> None:
    assert found((AMOUNT / 10).round(0).cast(pl.String), (AMOUNT / 10).round(0) * 3) == (ALONE,)
    many = pl.Series(torch.randn(4000, generator=CHANCE, dtype=torch.float64).numpy())
    assert found(many, many**2) == (ALONE,)
    assert found(AMOUNT.set(AMOUNT > 60, None), AMOUNT**2 + NOISE * 100) == ()


@pytest.mark.parametrize("target", [LABEL, AMOUNT], ids=["labels", "numbers"])
def test_a_column_of_chance_is_not_accused(target: pl.Series) -> None:
    assert found(OTHER, target) == ()
    assert told_alone(OTHER, target, "classification" if target.dtype == pl.String else "regression") < 0.2


def test_a_useful_column_is_not_accused() -> None:
    assert found(NOISE + OTHER / 2, LABEL) == ()


def test_a_column_that_is_left_out_anyway_is_not_spoken_of() -> None:
    rows = pl.DataFrame([LABEL, LABEL.alias("copy")])
    assert suspicions(rows, "churn", "classification", (Column(name="copy", kind=LEFT_OUT, settings=None),)) == ()


def test_with_few_rows_nobody_is_accused() -> None:
    rows = pl.DataFrame([LABEL, LABEL.alias("copy")])[:49]
    assert suspicions(rows, "churn", "classification", (Column(name="copy", kind="category", settings=None),)) == ()
