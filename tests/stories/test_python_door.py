"""`import firstlight as fl`: what can be done in a terminal can be done in Python, and each step on its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal
from torch import nn

import firstlight as fl
from firstlight.cli.main import main


def test_a_fit_gives_a_run_with_its_verdict_its_model_and_its_answers(penguins: Path, tmp_path: Path) -> None:
    run = fl.fit(penguins, "species", time="0.01s", out=tmp_path / "run")
    assert run.verdict.startswith("For rows it has never seen, ")
    assert isinstance(run.model, nn.Module)
    assert run.target == "species"
    assert run.folder == tmp_path / "run"
    assert run.predict(penguins).columns == ["species", "P(Adelie)", "P(Chinstrap)", "P(Gentoo)"]


def test_a_loaded_run_gives_the_same_answers_and_the_same_verdict(penguins: Path, tmp_path: Path) -> None:
    run = fl.fit(penguins, "species", time=0.01, out=tmp_path / "run")
    for place in (tmp_path / "run", tmp_path / "run" / "model.safetensors"):
        again = fl.load(place)
        assert again.verdict == run.verdict
        assert_frame_equal(again.predict(penguins), run.predict(penguins))


def test_the_two_doors_fit_the_same_bytes(penguins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fl.fit(str(penguins), "species", time="0.01s", seed=3, test=0.3, out="by_python")
    line = f"fit {penguins} --target species --time 0.01s --seed 3 --test 0.3 --out by_command"
    assert main(line.split()) == 0
    for name in ("model.safetensors", "plan.toml"):
        assert Path("by_python", name).read_bytes() == Path("by_command", name).read_bytes()


def test_frames_of_polars_and_pandas_are_fitted(penguins: Path, tmp_path: Path) -> None:
    for number, frame in enumerate([pl.read_csv(penguins, null_values=["NA"]), pd.read_csv(penguins)]):
        run = fl.fit(frame, "species", time=0.01, out=tmp_path / str(number))
        assert run.evaluation is not None
        assert run.evaluation.rows == 69
        assert len(run.predict(frame)) == 344


def test_every_step_can_be_taken_alone(penguins: Path, tmp_path: Path) -> None:
    table = fl.read(penguins)
    parts = fl.split(table, "species", test=0.25, seed=1)
    assert len(parts.train) + len(parts.test) == 344
    plan = fl.plan(parts, time="0.01s")
    assert plan.target.task == "classification"
    assert plan.split.share == 0.25
    untrained = fl.build(plan, parts)
    born = [parameter.detach().clone() for parameter in untrained.model.parameters()]
    epochs = list(untrained.epochs())
    assert [epoch.number for epoch in epochs] == list(range(1, plan.epochs["columns"] + 1))
    assert not all(map(torch.equal, born, untrained.model.parameters()))
    run = untrained.finish()
    assert run.evaluation is not None
    assert run.evaluation.rows == len(parts.test)
    fl.save(run, tmp_path / "model.safetensors", parts.train)
    assert_frame_equal(fl.load(tmp_path / "model.safetensors").predict(penguins), run.predict(penguins))


def test_the_steps_taken_alone_come_to_the_same_as_all_together(penguins: Path, tmp_path: Path) -> None:
    parts = fl.split(fl.read(penguins), "species")
    untrained = fl.build(fl.plan(parts, time=0.01), parts)
    for _ in untrained.epochs():
        pass
    together = fl.fit(penguins, "species", time=0.01, out=tmp_path / "run")
    assert untrained.finish().verdict == together.verdict
    assert_frame_equal(untrained.finish().predict(penguins), together.predict(penguins))


def test_a_plan_can_be_given_back(penguins: Path, tmp_path: Path) -> None:
    plan = fl.plan(fl.split(fl.read(penguins), "species"), time=0.01)
    assert plan.network is not None
    shorter = plan.model_copy(update={"network": plan.network.model_copy(update={"epochs": 1})})
    run = fl.fit(None, plan=shorter, out=tmp_path / "run")
    assert len(run.history) == 1
    again = fl.fit(None, plan=tmp_path / "run" / "plan.toml", out=tmp_path / "again")
    assert_frame_equal(again.predict(penguins), run.predict(penguins))


def test_a_plan_serves_another_table_with_the_same_columns(penguins: Path, tmp_path: Path) -> None:
    plan = fl.plan(fl.split(fl.read(penguins), "species"), time=0.01)
    fl.read(penguins).frame.reverse().write_csv(tmp_path / "other.csv", null_value="NA")
    run = fl.fit(tmp_path / "other.csv", plan=plan, out=tmp_path / "run")
    assert run.predictor.plan.source.location == str(tmp_path / "other.csv")


def test_predict_says_what_it_met(penguins: Path, tmp_path: Path) -> None:
    fl.fit(penguins, "species", time=0.01, out=tmp_path / "run")
    answered = fl.predict(tmp_path / "run", fl.read(penguins).frame.drop("sex"))
    assert answered.notes == ("sex: the column is missing: taken as a gap in every row",)
    assert len(answered.frame) == 344


def test_a_fit_does_not_wait_for_the_compiler_of_torch(penguins: Path, tmp_path: Path) -> None:
    """It takes seconds to load, and torch loads it for the first optimiser."""
    code = (
        f"import sys, firstlight as fl; fl.fit({str(penguins)!r}, 'species', time=0.01, out='run'); "
        "print('torch.optim' in sys.modules, 'torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "True False"


def test_an_evaluation_counts_its_looks(penguins: Path, tmp_path: Path) -> None:
    run = fl.fit(penguins, "species", time=0.01, out=tmp_path / "run")
    assert [fl.evaluate(run).looks for _ in range(2)] == [2, 3]
    assert fl.load(tmp_path / "run").looks == 3


@pytest.mark.parametrize("source", ["-", "pipe"])
def test_an_evaluation_does_not_wait_for_what_a_plan_says_to_read(
    source: str, penguins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan that no fit has written: the rows of standard input and of pipes are kept beside the model."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    run = fl.fit(penguins, "species", time=0.01, out="run")
    plan = run.predictor.plan
    plan = plan.model_copy(update={"source": plan.source.model_copy(update={"location": source})})
    with pytest.raises(fl.Refused, match=f"the rows came from {source}, and no copy of them lies here"):
        fl.evaluate(replace(run, predictor=replace(run.predictor, plan=plan)))


def test_a_check_and_an_inspection_are_values(penguins: Path, tmp_path: Path) -> None:
    found = fl.check(penguins, "species")
    assert [column.kind for column in found.columns] == ["category", "number", "number", "number", "number", "category"]
    run = fl.fit(penguins, "species", time=0.01, out=tmp_path / "run")
    looked = fl.inspect(run)
    assert looked.network[0].parameters == sum(value.numel() for value in run.predictor.network.parameters())
    assert all(grown.born for grown in looked.parameters if grown.name.startswith("network."))


def test_what_an_inspection_shows_as_born_is_what_was_born(penguins: Path, tmp_path: Path) -> None:
    parts = fl.split(fl.read(penguins), "species")
    untrained = fl.build(fl.plan(parts, time=0.01), parts)
    born = {f"network.{name}": value.mean().item() for name, value in untrained.model.named_parameters()}
    looked = fl.inspect(fl.fit(penguins, "species", time=0.01, out=tmp_path / "run"))
    shown = {grown.name: grown.born.mean for grown in looked.parameters if grown.born}
    assert shown == pytest.approx(born, abs=1e-7)


def test_an_inspection_leaves_the_model_as_it_was(penguins: Path, tmp_path: Path) -> None:
    run = fl.fit(penguins, "species", time=0.01, out=tmp_path / "run")
    before = run.predict(penguins)
    fl.inspect(run, penguins)
    assert all(parameter.grad is None for parameter in run.predictor.network.parameters())
    assert_frame_equal(run.predict(penguins), before)


def test_an_ejected_script_is_written_and_returned(penguins: Path, tmp_path: Path) -> None:
    run = fl.fit(penguins, "species", time=0.01, out=tmp_path / "run")
    script = fl.eject(run, tmp_path / "run" / "train.py")
    assert (tmp_path / "run" / "train.py").read_text(encoding="utf-8") == script


def test_a_mistake_is_an_exception_of_one_sentence(penguins: Path) -> None:
    with pytest.raises(fl.Refused, match=r"^penguins\.csv has no column 'Speces'; did you mean 'species'\?$"):
        fl.fit(penguins, "Speces")
    with pytest.raises(fl.Refused, match=r"^name a table and its column to predict, or a plan that names both\.$"):
        fl.fit(None)
    with pytest.raises(
        fl.Refused, match=r"^name the column to predict; penguins\.csv has species, island, bill_length"
    ):
        fl.fit(penguins)
    with pytest.raises(fl.Refused, match=r"^--seed -1 is no seed; choose a whole number from 0 up\.$"):
        fl.fit(penguins, "species", seed=-1)


@pytest.mark.parametrize("first", ["plan", "evaluate", "eject"])
def test_a_function_keeps_its_name_though_a_room_bears_it_too(first: str) -> None:
    script = (
        "import sys, firstlight as fl\n"
        f"import firstlight.{first}\n"
        "import firstlight.workflow\n"
        "print(*(callable(getattr(fl, name)) for name in fl.__all__ if name != 'datasets'))\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"True"}


def test_the_names_of_the_door_are_listed_before_they_are_used() -> None:
    assert {*fl.__all__, "__version__"} <= set(dir(fl))
