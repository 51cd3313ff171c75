"""Columns that know too much are left out, or named."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import torch

from firstlight.plan.leaks import copy_of_target, in_first_half, suspicions, told_alone, words_that_tell
from firstlight.plan.plan import LEFT_OUT, Column, Target, Task

ROWS = 200
CHANCE = torch.Generator().manual_seed(5)
AMOUNT = pl.Series("price", torch.randn(ROWS, generator=CHANCE, dtype=torch.float64).numpy() * 10 + 50)
NOISE = pl.Series("noise", torch.randn(ROWS, generator=CHANCE, dtype=torch.float64).numpy())
LABEL = pl.Series("churn", ["yes" if value > 0.5 else "no" for value in NOISE])
OTHER = pl.Series("other", torch.randn(ROWS, generator=CHANCE, dtype=torch.float64).numpy())
MANY = pl.Series(torch.randn(4000, generator=CHANCE, dtype=torch.float64).numpy())
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
    assert found(MANY, pl.Series(["high" if value > 0 else "low" for value in MANY])) == (ALONE,)
    recoded = LABEL + pl.Series([f" {number % 3}" for number in range(ROWS)])
    assert found(recoded, LABEL) == (ALONE,)


def test_a_column_that_alone_tells_the_number_is_named() -> None:
    tens = (AMOUNT / 10).clip(3, 7).round(0)
    assert found(tens.cast(pl.String), tens * 3) == (ALONE,)
    assert found(MANY, MANY**2) == (ALONE,)
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


def told_of(cells: list[str], labels: list[str], kind: str = "category") -> tuple[str, ...]:
    """What is said of a column of names beside labels."""
    rows = pl.DataFrame({"name": cells, "site": labels})
    column = Column(name="name", kind=kind, settings=None)
    return tuple(each.sentence for each in suspicions(rows, "site", "classification", (column,)))


SITES = ["EI", "EI", "IE", "N", "N", "N", "N", "IE"] * 25
NAMED = {"EI": "DONOR", "IE": "ACCEPTOR", "N": "NEG"}
NAMES = [f"GENE{number % 17}-{NAMED[site]}-{number}" for number, site in enumerate(SITES)]
WORDS_TELL = "'NEG' stands only where site is 'N', 'DONOR' where it is 'EI', 'ACCEPTOR' where it is 'IE'"


class TestNames:
    """Names that hold the label, as those of records in data banks do."""

    def test_a_word_for_each_label_is_named(self) -> None:
        used = told_of(NAMES, SITES)
        assert used == (f"name gives the answer away: {WORDS_TELL}; would you know it before you predict?",)

    def test_it_is_named_also_where_the_names_are_left_out(self) -> None:
        left = told_of(NAMES, SITES, kind=LEFT_OUT)
        assert left == (f"name is left out, and would know too much: {WORDS_TELL}.",)

    def test_that_a_word_is_missing_tells_as_much(self) -> None:
        names = [f"rec {number}" + " decoy" * (site == "N") for number, site in enumerate(SITES)]
        labels = ["no" if site == "N" else "yes" for site in SITES]
        assert told_of(names, labels) == (
            "name gives the answer away: 'decoy' stands only where site is 'no'; would you know it before you predict?",
        )

    def test_labels_in_the_order_of_every_other_row_are_told_too(self) -> None:
        labels = ["a", "b"] * 100
        assert told_of([f"{label}-{number}" for number, label in enumerate(labels)], labels) != ()

    @pytest.mark.parametrize("wrong", [0.02, 0.2])
    def test_a_word_that_is_often_wrong_is_a_hint_and_no_leak(self, wrong: float) -> None:
        labels = ["N" if number % round(1 / wrong) == 0 else site for number, site in enumerate(SITES)]
        labels = [label if number % round(1 / wrong) else "EI" for number, label in enumerate(labels)]
        assert told_of(NAMES, labels) == ()

    def test_what_one_half_of_the_rows_teaches_is_held_against_the_other(self) -> None:
        turned = {"EI": "IE", "IE": "N", "N": "EI"}
        first = in_first_half(len(SITES))
        assert told_of(NAMES, [site if one else turned[site] for site, one in zip(SITES, first, strict=True)]) == ()

    def test_where_nearly_all_rows_are_of_one_label_anyway_nobody_is_accused(self) -> None:
        labels = ["rare" if number % 100 == 7 else "common" for number in range(200)]
        assert told_of([f"case {number} of many" for number in range(200)], labels) == ()

    def test_texts_of_chance_are_not_accused(self) -> None:
        words = "the a film was good bad not very it and story cast end long dull".split()
        chance = torch.Generator().manual_seed(3)
        texts = [" ".join(words[place] for place in torch.randint(15, (9,), generator=chance)) for _ in range(200)]
        labels = ["up" if "good" in text and torch.rand(1, generator=chance) < 0.9 else "down" for text in texts]
        assert told_of(texts, labels, kind="text") == ()

    def test_a_copy_that_is_left_out_is_spoken_of_once(self) -> None:
        assert told_of([f"{site} site" for site in SITES], SITES, kind=LEFT_OUT) == ()

    def test_at_most_three_labels_are_shown(self) -> None:
        labels = [f"c{number % 5}" for number in range(200)]
        said = told_of([f"{label} x {number}" for number, label in enumerate(labels)], labels)
        assert "'x'" not in said[0]
        assert said[0].count("where") == 3
        assert ", and so on; would you" in said[0]

    def test_without_classes_nothing_is_said(self) -> None:
        assert words_that_tell(pl.Series([1, 2] * 50), pl.Series(["a", "b"] * 50)) == {}
        assert words_that_tell(pl.Series([None] * 100, dtype=pl.String), pl.Series(["a", "b"] * 50)) == {}


class TestLengths:
    """Sequences and texts whose mere length tells the answer."""

    @pytest.mark.parametrize("kind", ["dna", "text"])
    def test_a_length_that_tells_the_label_is_named(self, kind: str) -> None:
        chance = torch.Generator().manual_seed(0)
        cells = ["".join("ACGT"[base] for base in torch.randint(4, (61,), generator=chance)) for _ in SITES]
        cells = [cell[:60] if site == "N" else cell for cell, site in zip(cells, SITES, strict=True)]
        labels = ["no" if site == "N" else "yes" for site in SITES]
        why = "name tells site by the mere length of its cells: were all of them collected in the same way?"
        assert told_of(cells, labels, kind) == (why,)
        assert told_of(cells, SITES, kind) == (), "of two of the three labels it tells nothing"
        assert told_of(cells, labels, "category") == (), "keys of two lengths are no news"


def test_the_texts_and_sequences_of_real_sets_are_not_accused(shared: Path) -> None:
    for place in ("text/trec6", "text/sms_spam", "text/germeval2018_offense", "dna/prom_core_tata", "dna/mouse_0"):
        rows = pl.read_parquet(shared / "data" / f"{place}.train.parquet")
        column = next(name for name in rows.columns if name != "label")
        kind = place.partition("/")[0]
        assert suspicions(rows, "label", "classification", (Column(name=column, kind=kind, settings=None),)) == ()
