"""The script that a person owns: it fits the same model where firstlight is not installed, and proves it."""

from __future__ import annotations

import ast
import datetime
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
import torch

from firstlight.model.fitting import Epoch, finish
from firstlight.model.predictor import LINE, NETWORK
from firstlight.plan import budget
from firstlight.store.run import Run
from firstlight.workflow import Choices, Finished, Interrupted, fit_steps

if TYPE_CHECKING:
    from tests.conftest import Bare, Fit

SAID = "the same model, to the last bit\n"
WAY = {"1 Prepare", "2 Build", "3 Fit", "4 Evaluate", "5 Save and load", "6 Prove"}


def table(rows: int = 90) -> pl.DataFrame:
    """Typed columns of every kind with gaps, a class and a number to predict."""
    chance = torch.Generator().manual_seed(3)
    size, weight = torch.randn(2, rows, generator=chance, dtype=torch.float64)
    place = torch.randint(3, (rows,), generator=chance).tolist()
    start = datetime.datetime(2024, 1, 1, 6)
    return pl.DataFrame(
        {
            "size": [None if number > 1.5 else round(number, 4) for number in size.tolist()],
            "weight": [round(1000 * number, 2) for number in weight.tolist()],
            "place": [["here", "there", 'say "away"'][number] for number in place],
            "open": [None if number % 9 == 4 else number % 2 == 0 for number in range(rows)],
            "day": [start + datetime.timedelta(hours=31 * number) for number in range(rows)],
            "farm": [f"farm {number % 7}" for number in range(rows)],
            "label": [["no", "yes"][int(number > 0)] for number in (size + torch.tensor(place) / 2).tolist()],
            "price": [round(number, 3) for number in (3 * size + weight + torch.tensor(place)).tolist()],
        }
    )


def written_for_germans(rows: pl.DataFrame, path: Path) -> Path:
    """Semicolons, decimal commas, days first, and a target that is missing here and there."""
    text = rows.with_columns(
        pl.col("size", "weight").cast(pl.String).str.replace(".", ",", literal=True),
        pl.col("day").dt.strftime("%d.%m.%Y"),
        pl.when(pl.int_range(len(rows)) % 13 == 5).then(None).otherwise("label").alias("label"),
    )
    text.write_csv(path, separator=";", null_value="NA")
    return path


def as_parquet(rows: pl.DataFrame, path: Path) -> Path:
    rows.write_parquet(path)
    return path


def as_csv(rows: pl.DataFrame, path: Path) -> Path:
    rows.write_csv(path)
    return path


def with_strays(rows: pl.DataFrame, path: Path) -> Path:
    """Cells of the target, and of a number column, that are no numbers."""
    text = rows.cast({"price": pl.String, "weight": pl.String}).with_columns(
        pl.when(pl.int_range(len(rows)) % 17 == 3).then(pl.lit("unknown")).otherwise("price").alias("price"),
        pl.when(pl.int_range(len(rows)) % 19 == 3).then(pl.lit("inf")).otherwise("weight").alias("weight"),
    )
    return as_csv(text, path)


@dataclass(frozen=True)
class Case:
    """A way to come to a script: how the table is written, what is asked for, and which model is kept."""

    write: Callable[[pl.DataFrame, Path], Path]
    choices: Choices
    keep: str
    without: tuple[str, ...] = ("price",)
    test: Callable[[pl.DataFrame, Path], Path] | None = None
    rows: int = 90
    half: bool = False


CASES = {
    "classes, network, csv": Case(as_csv, Choices("label"), NETWORK),
    "classes, line, csv": Case(as_csv, Choices("label"), LINE),
    "numbers, network, parquet": Case(as_parquet, Choices("price"), NETWORK, ("label",)),
    "numbers, line, parquet": Case(as_parquet, Choices("price"), LINE, ("label",)),
    "decimal commas": Case(written_for_germans, Choices("label"), NETWORK),
    "stray words": Case(with_strays, Choices("price"), NETWORK, ("label",)),
    "by time, typed": Case(as_parquet, Choices("label", time="day"), NETWORK),
    "by time, text": Case(written_for_germans, Choices("label", time="day"), LINE),
    "by time, numbers": Case(as_csv, Choices("label", time="weight"), LINE),
    "by group": Case(as_csv, Choices("label", group="farm"), NETWORK),
    "by group, numbers": Case(as_csv, Choices("price", group="farm"), LINE, ("label",)),
    "no test": Case(as_csv, Choices("label", test=0.0), NETWORK),
    "no test, numbers": Case(as_parquet, Choices("price", test=0.0), LINE, ("label",)),
    "half is the test": Case(as_csv, Choices("label", test=0.5, seed=7), LINE),
    "classes, with trees": Case(as_csv, Choices("label"), NETWORK, rows=700),
    "numbers, with trees": Case(as_parquet, Choices("price"), NETWORK, ("label",), rows=700),
    "in half precision": Case(as_csv, Choices("label"), NETWORK, rows=700, half=True),
    "a test file": Case(as_csv, Choices("label"), NETWORK, test=as_csv),
    "a test file of another format": Case(as_parquet, Choices("price"), NETWORK, ("label",), test=as_parquet),
}


@pytest.fixture(scope="module", params=CASES)
def fitted(request: pytest.FixtureRequest, fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Run:
    case = CASES[request.param]
    folder = tmp_path_factory.mktemp("eject")
    rows = table(case.rows).drop(case.without)
    choices = case.choices
    if case.test:
        test = case.test(rows[60:].select(reversed(rows.columns)), folder / "test.data")
        rows = rows[:60]
        choices = Choices(choices.target, test=test)
    source = case.write(rows, folder / "rows.data")
    with pytest.MonkeyPatch.context() as patch:  # whatever is quicker on this machine
        patch.setattr(budget, "quicker_in_half", lambda: case.half)
        patch.setattr(budget, "machine_speed", lambda half=False: 2e11 if half else 1e11)
        return fit(source, choices, keep=case.keep, out=folder / "runs" / "one")


def script_of(run: Run) -> Path:
    assert run.folder is not None
    return run.folder / "train.py"


def test_where_firstlight_is_not_installed_the_script_fits_the_same_model(fitted: Run, bare: Bare) -> None:
    said, fault = bare(script_of(fitted))
    assert fault == ""
    assert said.endswith(SAID)
    if fitted.evaluation is None:
        assert "test rows" not in said
    else:
        assert f"{fitted.evaluation.rows} test rows" in said


def test_a_table_with_one_other_cell_fails_the_proof(fitted: Run, bare: Bare, tmp_path: Path) -> None:
    """The script and its data are put elsewhere together; there one training cell is changed."""
    assert fitted.folder is not None
    shutil.copytree(fitted.folder.parents[1], tmp_path / "copy")
    data = tmp_path / "copy" / "rows.data"
    if data.read_bytes().startswith(b"PAR1"):
        rows = pl.read_parquet(data)
        rows.with_columns(
            pl.when(pl.int_range(len(rows)) < len(rows) // 4).then(1.0).otherwise("weight").alias("weight")
        ).write_parquet(data)
    else:
        lines = data.read_text().splitlines()
        changed = slice(1, len(lines) // 8)
        lines[changed] = [line.replace("here", "elsewhere") for line in lines[changed]]
        data.write_text("\n".join(lines))
    _, fault = bare(tmp_path / "copy" / "runs" / "one" / "train.py")
    assert fault.startswith("AssertionError: it came out with other weights: is it another machine")


def test_with_its_data_beside_it_the_script_may_lie_anywhere(fitted: Run, bare: Bare, tmp_path: Path) -> None:
    assert fitted.folder is not None
    shutil.copytree(fitted.folder.parents[1], tmp_path / "ä b")
    said, fault = bare(tmp_path / "ä b" / "runs" / "one" / "train.py")
    assert fault == ""
    assert said.endswith(SAID)


def test_it_imports_torch_numpy_polars_and_the_standard_library_only(fitted: Run) -> None:
    imported = set()
    for node in ast.walk(ast.parse(script_of(fitted).read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert imported - sys.stdlib_module_names <= {"torch", "numpy", "polars"}


def test_every_import_and_every_definition_in_it_is_used(fitted: Run) -> None:
    tree = ast.parse(script_of(fitted).read_text())
    defined: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.Assign):
            defined |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            defined |= {alias.asname or alias.name for alias in node.names}
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    assert defined - used == set()
    (main,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main"]
    names = [node for node in ast.walk(main) if isinstance(node, ast.Name)]
    set_in_main = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    read_in_main = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    assert set_in_main - read_in_main == set()


def test_it_tells_the_six_steps_in_order_and_speaks_of_firstlight_only_at_its_head(fitted: Run) -> None:
    source = script_of(fitted).read_text()
    steps = [line.strip()[2:] for line in source.splitlines() if line.startswith("    # ") and line[6].isdigit()]
    told = {step for step in WAY if fitted.evaluation or step != "4 Evaluate"}
    assert [step for step in steps if any(step.startswith(name) for name in told)] == sorted(steps)
    assert len(steps) == len(told)
    head = ast.get_docstring(ast.parse(source))
    assert head is not None
    assert source.lower().count("firstlight") == head.lower().count("firstlight") == 1


def test_it_is_laid_out_as_code_is_and_fits_into_120_columns(fitted: Run) -> None:
    source = script_of(fitted).read_text()
    assert max(map(len, source.splitlines())) <= 120
    assert not any(line != line.rstrip() for line in source.splitlines())
    assert source.endswith("\n")
    checking = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--select",
        "E,F,I,B,W",
        "--line-length",
        "120",
        "-",
    ]
    checked = subprocess.run(checking, input=source, capture_output=True, text=True)
    assert checked.stdout == "All checks passed!\n"


@pytest.fixture(scope="module")
def penguins_run(fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The packaged table, fitted for a moment, by the network."""
    from firstlight.datasets import penguins

    return fit(penguins(), Choices("species"), keep=NETWORK)


def test_the_penguins_script_is_short_enough_to_be_read(penguins_run: Run) -> None:
    assert len(script_of(penguins_run).read_text().splitlines()) <= 360


def test_started_by_hand_in_a_bare_interpreter_the_script_ends_well(penguins_run: Run, tmp_path: Path) -> None:
    """By its own command, in another working folder; what stands in firstlight's place is never reached."""
    trap = tmp_path / "firstlight.py"
    trap.write_text("raise SystemExit('the script has imported firstlight')")
    command = [sys.executable, "-W", "error", str(script_of(penguins_run))]
    ended = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)
    assert ended.stderr == ""
    assert ended.stdout.endswith(SAID)
    assert ended.returncode == 0


def test_a_fit_that_was_interrupted_has_a_script_that_ends_there_too(
    bare: Bare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firstlight.workflow.finish", lambda *parts: replace(finish(*parts), kept=NETWORK))
    events = fit_steps(table().drop("price"), Choices("label", seconds=2.0), None, tmp_path)
    while not (isinstance(event := next(events), Epoch) and event.number == 3):
        pass
    assert isinstance(events.throw(KeyboardInterrupt()), Interrupted)
    *_, last = events
    assert isinstance(last, Finished)
    plan = last.run.predictor.plan
    assert len(last.run.history) == plan.fitting.interrupted_after == 3 < plan.epochs["columns"]
    said, fault = bare(script_of(last.run))
    assert fault == ""
    assert said.endswith(SAID)
    assert said.count("epoch ") == 3


def test_where_only_some_rows_teach_the_script_learns_from_the_same_ones(
    fit: Fit, bare: Bare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "MOST_TAUGHT", 50)
    for kept in (NETWORK, LINE):
        run = fit(table().drop("price"), Choices("label"), keep=kept, page=True)
        assert "50 rows teach, chosen by chance from 72 training rows." in run.notes
        assert run.folder is not None
        said = " ".join((run.folder / "report.html").read_text("utf-8").split())
        assert "from 50 of the others, chosen by chance: from these it learns" in said
        said, fault = bare(script_of(run))
        assert fault == ""
        assert said.endswith(SAID)


NASTY = [
    "a.b",
    'say "x"',
    "it's",
    "back\\slash",
    "new\nline",
    '"""',
    "{x}",
    "#",
    "%s",
    "count",
    "row",
    "*",
    "ä猫",
    "TARGET",
]


def test_names_and_words_of_strangers_stay_data(fit: Fit, bare: Bare) -> None:
    rows = table().drop("price").rename({"size": NASTY[0], "weight": NASTY[1], "place": NASTY[2], "open": NASTY[3]})
    words = pl.Series(NASTY * 7)[: len(rows)]
    rows = rows.with_columns(words.alias(name) for name in NASTY[4:])
    rows = rows.with_columns(words.shuffle(seed=place).alias(name) for place, name in enumerate(NASTY[4:]))
    target = 'x"""\n__import__("os").abort()  # \\'
    run = fit(rows.rename({"label": target}), Choices(target))
    said, fault = bare(script_of(run))
    assert fault == ""
    assert said.endswith(SAID)


def test_a_file_whose_name_is_code_stays_a_name(fit: Fit, bare: Bare, tmp_path: Path) -> None:
    source = as_csv(table().drop("price"), tmp_path / "x'; raise SystemExit #\".csv")
    said, fault = bare(script_of(fit(source, Choices("label"), out=tmp_path / "run")))
    assert fault == ""
    assert said.endswith(SAID)
