"""A fit of bad input: an answer, or a refusal of one sentence that leaves nothing behind; never a traceback."""

from __future__ import annotations

import datetime
import decimal
import gzip
import io
import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openpyxl
import polars as pl
import pytest
import torch

from firstlight.data.sources import read
from firstlight.plan import deciding
from firstlight.plan.plan import LEFT_OUT, Fitting, Network, Plan
from firstlight.refusal import Refused
from firstlight.store.folder import OWNER, claimed
from firstlight.store.run import Run
from firstlight.workflow import Choices, fit_steps

if TYPE_CHECKING:
    from tests.conftest import Fit

BADINPUT = Path(__file__).resolve().parents[3] / "shared" / "data" / "badinput"
MANIFEST = tomllib.loads((BADINPUT / "MANIFEST.toml").read_text(encoding="utf-8"))["file"] if BADINPUT.is_dir() else []
TABLES = [entry["name"] for entry in MANIFEST if entry["kind"] in ("csv", "json", "parquet", "xlsx")]
LARGE = {"csv_3000_columns.csv": "y", "csv_gzip_bomb.csv.gz": "x"}  # and what is predicted in them
ROWS = 60


def table(**columns: object) -> pl.DataFrame:
    """Sixty rows: a number, a category, and a label that depends on them; and other columns."""
    chance = torch.Generator().manual_seed(0)
    size = torch.randn(ROWS, generator=chance, dtype=torch.float64)
    place = torch.randint(3, (ROWS,), generator=chance)
    label = ["yes" if number > 0 else "no" for number in (size + place - 1).tolist()]
    base = {"size": size.tolist(), "place": [["here", "there", "away"][number] for number in place], "label": label}
    return pl.DataFrame({**base, **columns})


def csv(text: str, folder: Path) -> Path:
    path = folder / "rows.csv"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(source: Path | pl.DataFrame, choices: Choices, folder: Path) -> str:
    """The sentence with which a fit is refused; nothing may be left of it."""
    before = sorted(folder.rglob("*"))
    with pytest.raises(Refused) as caught:
        list(fit_steps(source, choices, None, folder / "runs" / "one"))
    assert sorted(folder.rglob("*")) in (before, sorted([*before, folder / "runs"])), "something half-written is left"
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence[-1] in ".?"
    return sentence


@pytest.fixture
def whole(fit: Fit) -> Callable[..., Run]:
    """A fit with its report, of which every file is there at the end."""

    def fitted(source: Path | pl.DataFrame, target: str = "label", **asked: Any) -> Run:
        run = fit(source, Choices(target, **asked), page=True)
        assert run.folder is not None
        names = {path.name for path in run.folder.iterdir()} - {"rows.parquet", "test_rows.parquet"}
        assert names == {"plan.toml", "model.safetensors", "metrics.json", "log.jsonl", "report.html", "train.py"}
        return run

    return fitted


def plan_of(run: Run) -> Plan:
    return run.predictor.plan


def kind_of(run: Run, name: str) -> str:
    return next(column.kind for column in plan_of(run).columns if column.name == name)


def test_a_missing_file_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    csv("a,b\n1,2\n", tmp_path)
    said = refusal(tmp_path / "rosw.csv", Choices("label"), tmp_path)
    assert said.startswith("there is no file '")
    assert said.endswith("rows.csv'?")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "rows.csv is empty."),
        ("\n\n", "rows.csv"),
        ("size,label\n", "rows.csv has a header and no rows"),
        (";\r;", "rows.csv holds nothing but separators"),
        ("size,label\n1,yes\n", "rows.csv has 1 row with a label; a fit needs 10 at the least."),
        ("size,label\n" + "1,yes\n" * 9, "rows.csv has 9 rows with a label; a fit needs 10 at the least."),
        ("size,label\n" + "1,\n2,\n" * 20, "rows.csv"),
    ],
    ids=["empty", "blank lines", "header only", "separators only", "one row", "nine rows", "no target at all"],
)
def test_a_table_of_too_few_rows_is_refused(text: str, sentence: str, tmp_path: Path) -> None:
    assert sentence in refusal(csv(text, tmp_path), Choices("label"), tmp_path)


def test_a_target_that_is_not_there_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    path = csv(table().write_csv(), tmp_path)
    assert refusal(path, Choices("lable"), tmp_path) == "rows.csv has no column 'lable'; did you mean 'label'?"
    said = refusal(path, Choices("zzz"), tmp_path)
    assert said == "rows.csv has no column 'zzz'; it has 'size', 'place', 'label'."


@pytest.mark.parametrize("asked", [{"time": "plaec"}, {"group": "plaec"}])
def test_a_column_to_part_by_that_is_not_there_is_refused_with_the_nearest_name(
    asked: dict[str, str], tmp_path: Path
) -> None:
    said = refusal(table(), Choices("label", **asked), tmp_path)  # type: ignore[arg-type]
    assert said.endswith("has no column 'plaec'; did you mean 'place'?")


@pytest.mark.parametrize(
    ("columns", "choices", "sentence"),
    [
        ({"label": ["yes"] * ROWS}, Choices("label"), "column 'label' is the same in every row ('yes'); there is"),
        ({"label": [f"k{n}" for n in range(ROWS)]}, Choices("label"), "'label' has 48 different values in 48 rows"),
        ({}, Choices("label", task="regression"), "column 'label' holds words such as "),
        ({"label": [b"\xff", b"a"] * 30}, Choices("label"), "column 'label' cannot be predicted: its cells (Binary)"),
        ({"label": [1e200, 2e200] * 30}, Choices("label", task="regression"), "0 training rows with a label to learn"),
        ({"size": [1.0] * ROWS, "place": ["x"] * ROWS}, Choices("label"), "no column is left to predict 'label' from"),
        ({"group": ["a"] * ROWS}, Choices("label", group="group"), "no test rows can be set aside by column 'group'"),
        ({"group": ["a"] * 30 + ["b"] * 30}, Choices("label", group="group"), "rows of one group stay together"),
        ({"day": ["2024-01-01"] * ROWS}, Choices("label", time="day"), "no test rows can be set aside by column 'day'"),
        ({}, Choices("label", time="place"), "column 'place' cannot order rows by time"),
        ({}, Choices("label", test=0.001), "no test rows can be set aside by a share of 0.001: all 60"),
        ({}, Choices("label", test=0.999), "no test rows can be set aside by a share of 0.999"),
        ({}, Choices("label", test=0.97), ""),
    ],
    ids=[
        "constant", "keys", "words as a number", "bytes", "beyond reckoning", "nothing to learn from", "one group",
        "two groups", "one day", "words as time", "next to no test", "next to no training", "two training rows",
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_refused(
    columns: dict[str, object], choices: Choices, sentence: str, tmp_path: Path
) -> None:
    assert sentence in refusal(table(**columns), choices, tmp_path)


def test_a_refusal_leaves_an_earlier_run_as_it_was(fit: Fit, tmp_path: Path) -> None:
    run = fit(table(), Choices("label"), out=tmp_path)
    assert run.folder == tmp_path
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(Refused):
        list(fit_steps(table(label=["yes"] * ROWS), Choices("label"), None, tmp_path))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_fit_that_dies_at_its_last_step_leaves_an_earlier_run_as_it_was(
    fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(table(), Choices("label"), out=tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr("firstlight.report.run_page.run_page", _dies)
    with pytest.raises(KeyboardInterrupt):
        list(fit_steps(table(), Choices("label", seed=1, seconds=0.001), None, tmp_path))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def _dies(*_: object) -> str:
    raise KeyboardInterrupt


def test_of_an_earlier_run_nothing_stays_beside_a_new_one(fit: Fit, tmp_path: Path) -> None:
    fit(table(), Choices("label"), out=tmp_path)  # a frame: its rows are kept beside the model
    assert (tmp_path / "rows.parquet").exists()
    (tmp_path / "notes.txt").write_text("of a person")
    source = tmp_path / "source.parquet"
    table().write_parquet(source)
    fit(source, Choices("label"), out=tmp_path)
    assert not (tmp_path / "rows.parquet").exists()
    assert (tmp_path / "notes.txt").read_text() == "of a person"


def test_a_second_fit_into_a_folder_is_refused_while_the_first_lives(fit: Fit, tmp_path: Path) -> None:
    with claimed(tmp_path / "run") as draft:
        (draft / OWNER).write_text(str(os.getppid()))  # as if another process, which lives, had made it
        with pytest.raises(Refused, match=r"another fit \(process \d+\) is writing into .*run; wait for it"):
            list(fit_steps(table(), Choices("label", seconds=0.001), None, tmp_path / "run"))
        (draft / OWNER).write_text(str(2**22 + 1))  # more than any process is numbered: it was killed
        (draft / "model.safetensors").write_text("half of it")
        assert fit(table(), Choices("label"), out=tmp_path / "run").folder == tmp_path / "run"


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match=r"file/run cannot be written to: not a directory\.$"):
        list(fit_steps(table(), Choices("label", seconds=0.001), None, tmp_path / "file" / "run"))


def test_a_fit_that_fails_half_way_leaves_no_lock_behind(tmp_path: Path) -> None:
    events = fit_steps(table(), Choices("label", seconds=0.001), None, tmp_path / "run")
    next(events)
    events.close()
    assert not (tmp_path / "run").exists()


def test_a_column_of_gaps_is_left_out(whole: Callable[..., Run]) -> None:
    run = whole(table(empty=pl.Series([None] * ROWS, dtype=pl.String), nothing=[float("nan")] * ROWS))
    assert kind_of(run, "empty") == kind_of(run, "nothing") == LEFT_OUT


def test_columns_of_one_name_are_told_apart_and_it_is_said(whole: Callable[..., Run], tmp_path: Path) -> None:
    text = table().write_csv().replace("size,place,label", "size,size,label", 1)
    run = whole(csv(text, tmp_path))
    assert len(plan_of(run).columns) == 2
    assert any("'size' stands twice" in note for note in run.notes)


def test_stray_words_among_numbers_are_gaps_and_it_is_said(whole: Callable[..., Run]) -> None:
    sizes = [str(number) if number % 15 else "about two" for number in table()["size"].round(3).to_list()]
    sizes[::15] = ["about two"] * 4
    run = whole(table(size=sizes))
    assert kind_of(run, "size") == "number"
    assert any("size" in note and "about two" in note and "taken as a gap" in note for note in run.notes)


@pytest.mark.parametrize(
    "values",
    [
        [float("inf"), float("-inf"), 1.0, 2.0],
        [1e60, -1e60, 5.0],
        [1e39, -1e39, 5e38],
        [1e-320, 2e-320, 0.0],
        [2**63 - 1, -(2**63), 7],
        [1.7e308, -1.7e308, 0.0],
    ],
    ids=[
        "infinite",
        "beyond all measure",
        "beyond float32",
        "next to nothing",
        "whole and huge",
        "the largest there are",
    ],
)
def test_numbers_of_any_size_are_answered(values: list[float], whole: Callable[..., Run]) -> None:
    column = pl.Series(values).gather([number % len(values) for number in range(ROWS)])
    run = whole(table(huge=column, text=column.cast(pl.String)))
    assert len(run.predict(table(huge=column.reverse(), text=["0"] * ROWS))) == ROWS
    assert len(run.predict(pl.DataFrame({"size": [1e308, -1e308, float("inf"), None]}))) == 4


@pytest.mark.parametrize("scale", [1e-40, 1e30, 1e48])
def test_a_target_of_any_size_is_predicted_in_its_own_unit(scale: float, whole: Callable[..., Run]) -> None:
    rows = table()
    rows = rows.with_columns(rows["size"] * scale + scale * pl.Series(range(ROWS)).shuffle(0))
    run = whole(rows.rename({"size": "amount"}).with_columns(rows["size"].alias("hint")), "amount")
    answers = run.predict(rows.with_columns(rows["size"].alias("hint")))
    assert answers["amount"].is_finite().all()
    assert answers["amount"].abs().max() > scale / 100  # type: ignore[operator]


@pytest.fixture
def small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tables that are large: a network that is small, and one look at the rows."""
    network = Network(members=2, width=8, layers=1, bins=2, epochs=1, batch=4096, rate=0.001, decay=0.0, half=False)
    way = Fitting(folds=2, seed=0, threads=1)
    monkeypatch.setattr(deciding, "network_for", lambda *sizes: network)
    monkeypatch.setattr(deciding, "fitting_for", lambda *sizes: way)


@pytest.mark.usefixtures("small_network")
def test_a_category_of_fifty_thousand_values_is_read(fit: Fit) -> None:
    many = pl.DataFrame({"town": [f"town {number % 50_000}" for number in range(60_000)]})
    run = fit(many.with_columns(label=pl.Series(["yes", "no", "no"] * 20_000)), Choices("label"))
    assert kind_of(run, "town") == "category"
    assert len(run.predict(many[:10])) == 10


@pytest.mark.usefixtures("small_network")
def test_two_thousand_columns_are_read(fit: Fit) -> None:
    chance = torch.Generator().manual_seed(0)
    wide = pl.DataFrame(torch.randn(ROWS, 2000, generator=chance).numpy(), schema=[f"c{n}" for n in range(2000)])
    run = fit(wide.with_columns(table()["size"]), Choices("size"))
    assert len(plan_of(run).inputs) == 2000


def test_a_class_of_one_row_is_fitted_with_the_others(whole: Callable[..., Run]) -> None:
    run = whole(table(label=["yes"] * 30 + ["no"] * 29 + ["once"]))
    assert run.predictor.encoders.labels == ("no", "once", "yes")


def test_a_label_that_only_test_rows_have_is_not_scored_and_it_is_said(whole: Callable[..., Run]) -> None:
    rows = table(turn=list(range(ROWS)))
    later = pl.when(pl.col("turn") > 56).then(pl.lit("new")).otherwise("label").alias("label")
    run = whole(rows.with_columns(later), time="turn")
    assert run.evaluation is not None
    assert run.evaluation.rows == 12 - 3
    assert any("3 test rows have a label that no training row has" in note for note in run.notes)


def test_rows_without_a_target_are_left_aside_and_it_is_said(whole: Callable[..., Run]) -> None:
    rows = table()
    run = whole(rows.with_columns(pl.when(pl.int_range(ROWS) % 4 == 0).then(None).otherwise("label").alias("label")))
    assert any("label is missing in 15 of 60 rows: they are left aside." in note for note in run.notes)


def test_rows_whose_target_is_no_number_are_left_aside_and_it_is_said(whole: Callable[..., Run]) -> None:
    prices = [f"{number}.5" if number % 20 else "on request" for number in range(ROWS)]
    run = whole(table(price=prices), "price")
    assert any("price is no number in" in note and "left aside" in note for note in run.notes)


def test_of_a_workbook_with_three_sheets_one_is_read_and_it_is_said_which(
    whole: Callable[..., Run], tmp_path: Path
) -> None:
    book = openpyxl.Workbook()
    for name in ("2023", "2024", "2025"):
        sheet = book.create_sheet(name)
        for row in [table().columns, *table().rows()]:
            sheet.append(row)
    book.remove(book["Sheet"])
    book.save(tmp_path / "book.xlsx")
    run = whole(tmp_path / "book.xlsx")
    assert plan_of(run).source.options["sheet"] == "2023"
    again = whole(tmp_path / "book.xlsx", sheet="2025")
    assert plan_of(again).source.options["sheet"] == "2025"
    said = refusal(tmp_path / "book.xlsx", Choices("label", sheet="2052"), tmp_path)
    assert "'2025'" in said


def cut(content: bytes, path: Path) -> Path:
    path.write_bytes(content[: len(content) * 2 // 3])
    return path


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    table().write_parquet(buffer)
    for name, content in (("a.parquet", buffer.getvalue()), ("b.csv.gz", gzip.compress(table().write_csv().encode()))):
        refusal(cut(content, tmp_path / name), Choices("label"), tmp_path)


TYPES = {
    "length of time": [datetime.timedelta(days=number % 9) for number in range(ROWS)],
    "time of day": [datetime.time(number % 24) for number in range(ROWS)],
    "bytes": [b"\xff", b"a"] * 30,
    "decimal": [decimal.Decimal(number) / 10 for number in range(ROWS)],
    "unsigned": pl.Series([2**64 - 1 - number % 7 for number in range(ROWS)], dtype=pl.UInt64),
    "128 bits": pl.Series([2**100 + number**2 for number in range(ROWS)], dtype=pl.Int128),
    "enum": pl.Series(["a", "b"] * 30, dtype=pl.Enum(["a", "b"])),
    "categorical": pl.Series(["a", "b"] * 30, dtype=pl.Categorical),
    "time zone": pl.Series([datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)] * 59 + [None]),
    "null": [None] * ROWS,
    "list": [[1, 2], [3]] * 30,
    "record": [{"a": 1, "b": "x"}] * ROWS,
    "NaN": [float("nan"), 1.5, None] * 20,
    "mixed gaps": ["", " ", None, "x"] * 15,
}


@pytest.mark.parametrize("name", TYPES)
def test_a_column_of_any_type_is_used_or_left_out(name: str, whole: Callable[..., Run]) -> None:
    whole(table(column=TYPES[name]))


@pytest.mark.parametrize("name", TYPES)
def test_a_target_of_any_type_is_predicted_or_refused(name: str, whole: Callable[..., Run]) -> None:
    try:
        whole(table(column=TYPES[name]), "column")
    except Refused as sentence:
        assert "\n" not in str(sentence)


@pytest.mark.parametrize("name", ["count", "row", "0", "*", "like", "target", "half", "fold", "", "a\nb", "P(yes)"])
def test_a_column_of_any_name_is_used_and_predicted(name: str, whole: Callable[..., Run]) -> None:
    run = whole(table(**{name: ["u", "v", "w", None] * 15}))
    assert name in plan_of(run).inputs
    assert len(run.predict(table(**{name: ["u", "new"] * 30}))) == ROWS
    other = whole(table().rename({"label": name}), name)
    assert name in other.predict(table()).columns


@pytest.mark.parametrize(
    "edit",
    [
        {"split": {"way": "time", "column": "gone"}},
        {"split": {"alike": ("gone",)}},
        {"split": {"way": "file", "share": 0.0}},
        {"fitting": {"batch": 10**9}},
        {"fitting": {"folds": 16}},
        {"fitting": {"rate": 1e6}},
        {"network": {"width": 1, "layers": 1, "members": 8, "bins": 1}},
        {"target": {"task": "regression", "read": "numbers_in_text"}},
    ],
    ids=str,
)
def test_an_edited_plan_is_followed_or_refused(edit: dict[str, dict[str, object]], fit: Fit) -> None:
    run = fit(table(), Choices("label"))
    plan = run.predictor.plan
    parts = {name: getattr(plan, name).model_copy(update=values) for name, values in edit.items()}
    try:
        fit(table(), Choices(), plan=plan.model_copy(update=parts))
    except Refused as sentence:
        assert "\n" not in str(sentence)


def fitted_or_refused(path: Path, target: str, out: Path, fit: Fit, *, page: bool) -> None:
    try:
        fit(path, Choices(target), out=out, page=page)
    except Refused as sentence:
        assert "\n" not in str(sentence)
        assert str(sentence)[-1] in ".?"


@pytest.mark.parametrize("name", [name for name in TABLES if name not in LARGE])
def test_every_table_of_the_collection_of_bad_input_is_fitted_or_refused(name: str, fit: Fit, tmp_path: Path) -> None:
    """Its first and its last column are predicted, as the usual places of a target."""
    try:
        columns = read(BADINPUT / name).frame.columns
    except Refused:
        columns = ["label"]
    for target in sorted({columns[0], columns[-1]}):
        fitted_or_refused(BADINPUT / name, target, tmp_path / target, fit, page=True)


@pytest.mark.parametrize("name", [name for name in TABLES if name in LARGE])
@pytest.mark.usefixtures("small_network")
def test_the_large_tables_of_the_collection_are_fitted_or_refused(name: str, fit: Fit, tmp_path: Path) -> None:
    """One of 3,000 columns, and one of 12 million rows that are all the same."""
    fitted_or_refused(BADINPUT / name, LARGE[name], tmp_path / "run", fit, page=False)


def test_the_collection_of_bad_input_is_there(shared: Path) -> None:
    assert len(TABLES) > 40


@pytest.mark.parametrize(("target", "unusable"), [("species", "Emperor"), ("mass", "heavy")])
def test_test_rows_of_which_none_can_be_scored_are_refused(
    target: str, unusable: str, fit: Fit, tmp_path: Path
) -> None:
    rows = {"species": ["Adelie", "Gentoo"] * 20, "mass": [str(row * 7 % 31) for row in range(40)]}
    table = pl.DataFrame({**rows, "x": [row * 11 % 17 for row in range(40)]})
    test = tmp_path / "later.csv"
    table.head(5).with_columns(pl.lit(unusable).alias(target)).write_csv(test)
    table.write_csv(tmp_path / "now.csv")
    with pytest.raises(Refused, match=rf"^later\.csv has no row with a {target} that can be scored"):
        fit(tmp_path / "now.csv", Choices(target=target, test=test))
