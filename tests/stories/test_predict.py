"""From a model and new rows to a file of answers; where the target is known, to a score whose looks count."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import firstlight
from firstlight.refusal import Refused

if TYPE_CHECKING:
    from tests.stories.conftest import Run


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of the penguins' species; not to be changed."""
    folder = tmp_path_factory.mktemp("classifier") / "penguins"
    firstlight.fit(firstlight.datasets.penguins(), "species", time=0.01, out=folder)
    return folder


@pytest.fixture(scope="module")
def regressor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of the penguins' body mass; not to be changed."""
    folder = tmp_path_factory.mktemp("regressor") / "penguins"
    firstlight.fit(firstlight.datasets.penguins(), "body_mass_g", time=0.01, out=folder)
    return folder


@pytest.fixture
def table(penguins: Path) -> pl.DataFrame:
    """The penguins as a csv reader gives them: text."""
    return firstlight.read(penguins).frame


def words(text: str) -> str:
    """The text with every gap one blank."""
    return " ".join(text.split())


class TestPredict:
    """Answers for new rows."""

    def test_classes_come_as_the_target_and_a_probability_each_in_row_order(
        self, run: Run, classifier: Path, penguins: Path
    ) -> None:
        done = run("predict", classifier, penguins)
        assert done == (0, "penguins.csv: predicted 344 rows into predictions.csv\n", "")
        answers = pl.read_csv("predictions.csv")
        assert answers.columns == ["species", "P(Adelie)", "P(Chinstrap)", "P(Gentoo)"]
        probabilities = answers.select(pl.col("^P.*$"))
        assert probabilities.sum_horizontal().to_list() == pytest.approx([1.0] * 344)
        labels = [name[2:-1] for name in probabilities.columns]
        assert answers["species"].to_list() == [
            labels[max(range(3), key=lambda place: row[place])] for row in probabilities.iter_rows()
        ]

    def test_numbers_come_as_the_target_with_low_and_high(self, run: Run, regressor: Path, penguins: Path) -> None:
        assert run("predict", regressor, penguins, "-o", "answers.parquet").status == 0
        answers = pl.read_parquet("answers.parquet")
        assert answers.columns == ["body_mass_g", "low", "high"]
        assert len(answers) == 344
        assert (answers["low"] < answers["body_mass_g"]).all()
        assert (answers["body_mass_g"] < answers["high"]).all()

    def test_the_three_formats_hold_the_same(self, run: Run, classifier: Path, penguins: Path) -> None:
        for ending in ("csv", "parquet", "xlsx"):
            assert run("predict", classifier, penguins, "-o", f"a.{ending}").status == 0
        expected = pl.read_parquet("a.parquet")
        assert_frame_equal(pl.read_csv("a.csv"), expected)
        assert_frame_equal(pl.read_excel("a.xlsx"), expected)

    def test_another_ending_is_refused_before_the_work(self, run: Run, classifier: Path, penguins: Path) -> None:
        assert run("predict", classifier, penguins, "-o", "a.txt") == (
            2,
            "",
            "a.txt ends in none of .csv, .parquet, .xlsx; name the file after one of these formats.\n",
        )

    def test_rows_without_the_target_in_another_order_of_columns_get_the_same_answers(
        self, run: Run, classifier: Path, penguins: Path, table: pl.DataFrame
    ) -> None:
        columns = [*table.drop("species").columns, "remark"]
        random.Random(1).shuffle(columns)
        table.with_columns(remark=pl.lit("new")).select(columns).write_csv("new.csv")
        run("predict", classifier, penguins, "-o", "a.csv")
        done = run("predict", classifier, "new.csv", "-o", "b.csv")
        assert done == (0, "new.csv: predicted 344 rows into b.csv\n", "")
        assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()

    def test_typed_rows_get_the_same_answers_as_text(
        self, classifier: Path, penguins: Path, table: pl.DataFrame
    ) -> None:
        typed = pl.read_csv(penguins, null_values=["NA"])
        assert typed.schema != table.schema
        model = firstlight.load(classifier)
        assert_frame_equal(model.predict(typed), model.predict(table))

    def test_a_missing_column_is_said_and_taken_as_gaps(self, run: Run, classifier: Path, table: pl.DataFrame) -> None:
        table.drop("bill_length_mm").write_csv("new.csv", null_value="NA")
        done = run("predict", classifier, "new.csv")
        assert done.status == 0
        assert "bill_length_mm the column is missing: taken as a gap in every row" in words(done.out)
        table.with_columns(bill_length_mm=pl.lit(None, dtype=pl.String)).write_csv("gaps.csv", null_value="NA")
        run("predict", classifier, "gaps.csv", "-o", "gaps_predicted.csv")
        assert Path("predictions.csv").read_bytes() == Path("gaps_predicted.csv").read_bytes()

    def test_unseen_words_strays_and_gaps_are_counted(self, run: Run, classifier: Path, table: pl.DataFrame) -> None:
        island = ["Corsica"] * 20 + ["Elba"] * 9 + [None] * 3 + table["island"].to_list()[32:]
        depth = ["deep", "inf", *table["bill_depth_mm"].to_list()[2:]]
        table.with_columns(pl.Series("island", island), pl.Series("bill_depth_mm", depth)).write_csv("new.csv")
        done = run("predict", classifier, "new.csv")
        said = words(done.out)
        assert done.status == 0
        assert (
            "island 29 rows with a word that the training rows do not teach (Corsica 20, Elba 9): "
            "answered from the other columns"
        ) in said
        assert "island 3 gaps, and none in the training rows: answered from the other columns" in said
        assert "bill_depth_mm 2 cells that are no number (deep 1, inf 1): taken as a gap" in said
        assert len(pl.read_csv("predictions.csv")) == 344

    def test_many_rows_are_answered_block_by_block_as_they_would_be_at_once(
        self, classifier: Path, table: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = firstlight.load(classifier)
        at_once = run.predict(table)
        monkeypatch.setattr("firstlight.model.predictor.BLOCK", 50)
        assert_frame_equal(run.predict(table), at_once)

    def test_one_row_is_enough(self, run: Run, classifier: Path, table: pl.DataFrame) -> None:
        table.head(1).write_csv("one.csv")
        assert run("predict", classifier, "one.csv").out == "one.csv: predicted 1 row into predictions.csv\n"

    def test_rows_with_none_of_the_columns_are_refused(self, run: Run, classifier: Path) -> None:
        pl.DataFrame({"a": [1, 2], "Island": ["Biscoe", "Dream"]}).write_csv("other.csv")
        assert run("predict", classifier, "other.csv").err == (
            "other.csv has none of the columns that the model reads ('island', 'bill_length_mm', 'bill_depth_mm', "
            "'flipper_length_mm', 'body_mass_g' and 1 more); is 'Island' one of them, under another name?\n"
        )

    def test_a_model_file_alone_is_enough(self, run: Run, classifier: Path, penguins: Path) -> None:
        shutil.copy(classifier / "model.safetensors", "mine.safetensors")
        run("predict", "mine.safetensors", penguins, "-o", "a.csv")
        run("predict", classifier, penguins, "-o", "b.csv")
        assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()

    def test_why_is_a_last_column_and_the_first_rows_are_told(
        self, run: Run, classifier: Path, penguins: Path, table: pl.DataFrame
    ) -> None:
        run("predict", classifier, penguins, "-o", "plain.csv")
        done = run("predict", classifier, penguins, "--why", "-o", "a.csv")
        assert (done.status, done.err) == (0, "")
        answers = pl.read_csv("a.csv")
        assert answers.columns == ["species", "P(Adelie)", "P(Chinstrap)", "P(Gentoo)", "why"]
        assert_frame_equal(answers.drop("why"), pl.read_csv("plain.csv"))
        reason = r"\w+ [+-]\d+(\.\d+)?"
        assert answers["why"].str.contains(rf"^{reason}(, {reason}){{0,4}}$").all()
        said = words(done.out)
        assert "What moved the first 3 answers, each left out in turn (in log-odds of the answer):" in said
        for number in range(3):
            assert f"row {number + 1} {answers['species'][number]} {answers['why'][number]}" in said
        assert "row 4" not in said
        assert firstlight.load(classifier).predict(table, why=True)["why"].to_list() == answers["why"].to_list()

    def test_why_of_numbers_is_in_the_targets_unit(self, run: Run, regressor: Path, penguins: Path) -> None:
        done = run("predict", regressor, penguins, "--why")
        assert "each left out in turn (in the unit of body_mass_g):" in words(done.out)
        found = firstlight.predict(regressor, penguins, why=True)
        answers = firstlight.load(regressor)
        without = firstlight.read(penguins).frame.with_columns(sex=pl.lit(None, pl.String))
        fallen = found.frame["body_mass_g"] - answers.predict(without)["body_mass_g"]
        effects = [{each.column: each.effect for each in reason.moved}.get("sex", 0.0) for reason in found.whys]
        assert effects == pytest.approx(fallen.to_list(), abs=1.0)

    def test_why_of_strangers_words_is_no_formula_and_steers_no_terminal(self, run: Run, tmp_path: Path) -> None:
        chance = random.Random(1)
        sizes = [chance.gauss(0, 1) for _ in range(90)]
        hostile = '=cmd"|\x1b[2J'
        rows = pl.DataFrame({hostile: sizes, "kind": ["up" if size > 0 else "down" for size in sizes]})
        firstlight.fit(rows, "kind", time=0.01, out=tmp_path / "run")
        rows.write_parquet("rows.parquet")
        done = run("predict", "run", "rows.parquet", "--why", "-o", "a.csv")
        assert done.status == 0
        assert "\x1b" not in done.out
        assert '=cmd"|\\x1b[2J ' in done.out
        reasons = pl.read_csv("a.csv")["why"].drop_nulls()
        assert len(reasons) > 80
        assert reasons.filter(reasons != "").str.starts_with("'=cmd").all()

    def test_a_target_called_like_a_bound_keeps_its_name(self, tmp_path: Path) -> None:
        rows = pl.DataFrame({"x": [row * 0.7 for row in range(60)], "low": [row * 1.5 + row % 3 for row in range(60)]})
        model = firstlight.fit(rows, "low", time=0.01, out=tmp_path / "run")
        assert model.predict(rows).columns == ["low", "low'", "high"]


class TestEvaluate:
    """Scores, and the counting of looks."""

    @pytest.fixture
    def model(self, classifier: Path, tmp_path: Path) -> Path:
        """A run folder of the penguins' species that may be changed."""
        return Path(shutil.copytree(classifier, tmp_path / "penguins"))

    def test_a_further_look_at_the_test_rows_is_counted_and_said(self, run: Run, model: Path) -> None:
        scores = json.loads((model / "metrics.json").read_text(encoding="utf-8"))
        for look in (2, 3):
            done = run("evaluate", model)
            assert (done.status, done.err) == (0, "")
            assert f"On the run's own 69 test rows; look {look} at them" in words(done.out)
            assert f"This is look {look} at the same test rows: they are no longer an untouched test" in words(done.out)
            metrics = json.loads((model / "metrics.json").read_text(encoding="utf-8"))
            assert metrics["looks"] == look
            assert f"This is look {look}" in metrics["verdict"]
            assert metrics["evaluation"] == scores["evaluation"]
        assert "This is look 3" in firstlight.load(model).verdict

    def test_looks_at_new_rows_are_counted_for_those_rows(self, run: Run, model: Path, table: pl.DataFrame) -> None:
        table.tail(60).write_csv("new.csv", null_value="NA")
        table.tail(60).reverse().write_csv("other.csv", null_value="NA")
        looks = [run("evaluate", model, source).out.splitlines()[0] for source in ("new.csv", "new.csv", "other.csv")]
        assert looks == [
            "On 60 rows of new.csv; look 1 at them",
            "On 60 rows of new.csv; look 2 at them",
            "On 60 rows of other.csv; look 1 at them",
        ]
        metrics = json.loads((model / "metrics.json").read_text(encoding="utf-8"))
        assert sorted(metrics["looks_elsewhere"].values()) == [1, 2]
        assert metrics["looks"] == 1

    def test_new_rows_are_scored_where_their_target_is_known(self, run: Run, model: Path, table: pl.DataFrame) -> None:
        species = ["King", None, *table["species"].to_list()[2:]]
        table.with_columns(pl.Series("species", species)).write_csv("new.csv", null_value="NA")
        done = run("evaluate", model, "new.csv")
        assert "On 342 rows of new.csv" in done.out
        assert "2 of 344 rows have no species that the model knows: not scored" in words(done.out)

    def test_rows_without_the_target_are_refused(self, run: Run, model: Path, table: pl.DataFrame) -> None:
        table.drop("species").write_csv("new.csv")
        assert run("evaluate", model, "new.csv").err.startswith("new.csv has no column 'species'; it has 'island', ")
        table.with_columns(species=pl.lit("King")).write_csv("kings.csv")
        assert run("evaluate", model, "kings.csv").err == (
            "kings.csv has no row with a species that the model knows, so nothing can be scored.\n"
        )

    def test_rows_of_the_table_that_it_was_fitted_on_are_no_test(
        self, run: Run, model: Path, penguins: Path, table: pl.DataFrame
    ) -> None:
        warning = "rows stand in penguins too, the table that it was fitted on: the score is too good to be true."
        assert f"344 of these 344 {warning}" in words(run("evaluate", model, penguins).out)
        shifted = table.with_columns(pl.col("body_mass_g").cast(pl.Int64, strict=False) + 1)
        pl.concat([table.cast(pl.String).head(20), shifted.cast(pl.String).tail(60)]).write_csv(
            "new.csv", null_value="NA"
        )
        assert f"{warning}" in words(run("evaluate", model, "new.csv").out)
        shifted.drop_nulls("body_mass_g").write_csv("new.csv", null_value="NA")
        assert "too good to be true" not in words(run("evaluate", model, "new.csv").out)

    def test_a_table_that_changed_since_is_refused(self, run: Run, penguins: Path, table: pl.DataFrame) -> None:
        shutil.copy(penguins, "mine.csv")
        firstlight.fit("mine.csv", "species", time=0.01, out="run")
        table.reverse().write_csv("mine.csv", null_value="NA")
        assert run("evaluate", "run").err == (
            "mine.csv has changed since the fit, so its test rows cannot be told from the others.\n"
        )

    def test_a_model_without_a_test_needs_rows(self, run: Run, penguins: Path) -> None:
        firstlight.fit(penguins, "species", time=0.01, test="none", out="run")
        assert run("evaluate", "run").err == (
            "the model has no test rows of its own (--test none); name a table to test it on.\n"
        )

    def test_a_model_file_alone_says_that_looks_are_not_counted(self, run: Run, model: Path, penguins: Path) -> None:
        shutil.copy(model / "model.safetensors", "alone.safetensors")
        said = words(run("evaluate", "alone.safetensors").out)
        assert "look 2 at them, which is not recorded" in said
        assert "lies without its run folder, so the looks at these rows cannot be counted" in said

    def test_a_run_folder_that_cannot_be_written_to_is_evaluated_all_the_same(
        self, run: Run, model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refusing(path: Path, content: str) -> None:
            raise Refused(f"{path} cannot be written: read-only file system.")

        monkeypatch.setattr("firstlight.using.write_whole", refusing)
        said = words(run("evaluate", model).out)
        assert f"{model} cannot be written to, so the looks at these rows cannot be counted" in said

    def test_rows_of_a_frame_are_looked_at_again_from_the_copy_in_the_run_folder(
        self, run: Run, table: pl.DataFrame
    ) -> None:
        firstlight.fit(table, "species", time=0.01, out="run")
        assert "On the run's own 69 test rows; look 2 at them" in run("evaluate", "run").out
