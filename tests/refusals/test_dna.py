"""Sequences that are none, or not wholly: what is said of them, where, and that nothing is lost in silence."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from firstlight.checking import check
from firstlight.kinds.dna import DNA
from firstlight.plan.plan import LEFT_OUT
from firstlight.refusal import Refused
from firstlight.store.run import Run
from firstlight.using import predict
from firstlight.workflow import Choices

if TYPE_CHECKING:
    from tests.conftest import Fit

ROWS = 40
LABELS = ["yes", "no"] * (ROWS // 2)


def drawn(letters: str, shortest: int, longest: int, seed: int = 0) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices(letters, k=chance.randint(shortest, longest))) for _ in range(ROWS)]


def table(cells: Sequence[str | None]) -> pl.DataFrame:
    return pl.DataFrame({"bases": cells, "label": LABELS}, {"bases": pl.String, "label": pl.String})


def notes_on_answers(run: Run, rows: pl.DataFrame) -> tuple[str, ...]:
    """What is noted when rows are answered, each of them with a finite probability."""
    answered = predict(run, rows)
    assert len(answered.frame) == len(rows)
    assert answered.frame["P(yes)"].is_finite().all()
    return answered.notes


SEQUENCES = drawn("ACGT", 40, 40)


def test_a_column_of_proteins_alone_is_refused_by_that_word(fit: Fit) -> None:
    with pytest.raises(
        Refused,
        match=r"no column is left to predict 'label' from \(bases: protein sequences, which are not read\)\.$",
    ):
        fit(table(drawn("ACDEFGHIKLMNPQRSTVWY", 30, 90)), Choices("label"))


def test_beside_other_columns_proteins_are_left_out_and_said(fit: Fit) -> None:
    rows = table(drawn("ACDEFGHIKLMNPQRSTVWY", 30, 90)).with_columns(size=pl.Series(range(ROWS)).sqrt())
    plan = fit(rows, Choices("label")).predictor.plan
    assert plan.inputs == ("size",)
    assert plan.reasons["columns.bases"] == "protein sequences, which are not read"


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        ("ACGTJACGTZACGTACGT", "1 cell with letters that are not DNA (JZ 1): read as unknown"),
        ("see the notes", "1 cell with letters that are not DNA (see the notes 1): read as unknown"),
        ("not yet", "1 cell with letters that are not DNA (not yet 1): read as unknown"),
        ("ACGT" * 500 + "😀", "1 cell with letters that are not DNA (😀 1): read as unknown"),
    ],
    ids=["letters", "a remark", "words for none", "an emoji"],
)
def test_cells_with_letters_that_are_no_bases_are_noted_at_the_fit_and_at_each_prediction(
    fit: Fit, odd: str, told: str
) -> None:
    run = fit(table([*SEQUENCES[:-1], odd]), Choices("label", test=0.0))
    assert f"bases: {told}" in run.notes
    answered = notes_on_answers(run, pl.DataFrame({"bases": ["ACGT" * 10, odd, None, ""]}))
    assert answered == (f"bases: {told}",)


@pytest.mark.parametrize("keep", ["network", "straight line"])
def test_empty_and_missing_and_strange_sequences_are_answered(fit: Fit, keep: str) -> None:
    run = fit(table(SEQUENCES), Choices("label"), keep=keep)
    strange = ["", " ", None, "A", "NNNN", "-" * 40, "acgu", "R" * 100, "A" * 100_000, "\t\r\n", "é", "\x00" * 40]
    notes_on_answers(run, pl.DataFrame({"bases": strange}, {"bases": pl.String}))


def test_a_column_of_gaps_alone_is_answered(fit: Fit) -> None:
    run = fit(table(SEQUENCES), Choices("label"))
    for cells in ([None] * 3, ["", "", ""]):
        answers = run.predict(pl.DataFrame({"bases": cells}, {"bases": pl.String}))
        assert answers["P(yes)"].n_unique() == 1
    assert notes_on_answers(run, pl.DataFrame({"bases": [1, 2]})) == (
        "bases: 2 cells with letters that are not DNA (1 1, 2 1): read as unknown",
    )


def test_a_table_without_the_sequences_is_refused_with_the_name_that_is_looked_for(fit: Fit, tmp_path: Path) -> None:
    run = fit(table(SEQUENCES), Choices("label"))
    (tmp_path / "t.csv").write_text("base,size\nACGT,1\n")
    with pytest.raises(Refused) as caught:
        run.predict(tmp_path / "t.csv")
    assert str(caught.value) == (
        "t has none of the columns that the model reads ('bases'); is 'base' one of them, under another name?"
    )


def test_of_longer_sequences_it_is_said_how_much_is_read(fit: Fit) -> None:
    long = [cell * 60 for cell in SEQUENCES]
    plan = fit(table(long), Choices("label")).predictor.plan
    assert plan.reasons["columns.bases"] == "sequences of 2400 bases, of which the first 2000 are read"


def test_what_is_too_short_or_says_nothing_is_no_dna(fit: Fit) -> None:
    for cells in (drawn("ACGT", 3, 3), ["A" * 30, "A" * 20] * (ROWS // 2), ["N" * 30, "N" * 20] * (ROWS // 2)):
        kinds = {column.name: column.kind for column in check(table(cells), "label").columns}
        assert kinds["bases"] in ("category", LEFT_OUT)
        assert DNA.claim(pl.Series(cells)) is None


def test_a_long_odd_cell_is_not_printed_whole() -> None:
    found = check(table([*SEQUENCES[:-1], "ACGT" * 2000 + "J"]), "label")
    remark = next(remark for remark in found.remarks if remark.about == "bases")
    assert remark.text == "1 cell with letters that are not DNA ('J'): read as unknown"
