"""The steps of a fit one by one, for a person who wants to stop between them: split, plan, build, save."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
from torch import nn

from firstlight.asking import (
    Source,
    pretrained_asked,
    refuse_two_ways,
    seconds_asked,
    seed_asked,
    test_of,
)
from firstlight.data.table import Table
from firstlight.model.building import build_line
from firstlight.model.fitting import Epoch, Lesson, born, finish, fit_line, fit_network
from firstlight.model.predictor import as_one
from firstlight.plan.plan import Plan, Split, Task
from firstlight.store.model_file import save_model
from firstlight.store.run import Rows, Run
from firstlight.workflow import (
    Choices,
    Opened,
    evaluate_on,
    groups_of,
    open_rows,
    prepare_rows,
    split_of,
    threads,
    verdict_of,
)


@dataclass(frozen=True, eq=False)
class Divided:
    """A table whose test rows are set aside.

    train, test: the rows to learn from, and the rows that nothing looks at before the end.
    """

    opened: Opened
    choices: Choices
    train: pl.DataFrame
    test: pl.DataFrame

    @property
    def way(self) -> Split:
        """How the rows were parted."""
        return split_of(self.opened, self.choices)


def split(
    table: Table,
    target: str = "",
    *,
    test: float | Source | None = None,
    by_time: str | None = None,
    group: str | None = None,
    seed: int = 0,
) -> Divided:
    """Step 1, prepare: sets the test rows aside, before anything looks at them. The arguments are those of `fit`."""
    choices = Choices(target=target, test=test_of(test), time=by_time, group=group, seed=seed_asked(seed))
    refuse_two_ways(choices)
    opened = open_rows(table, choices, None)
    prepared, _ = prepare_rows(opened, choices, None)
    return Divided(opened, choices, prepared.rows.train, prepared.rows.test)


def plan(
    divided: Divided,
    *,
    task: Task | None = None,
    time: str | float | None = None,
    pretrained: str | Path | None = None,
) -> Plan:
    """Step 1, prepare: every decision of a fit with its reason, made by looking at the training rows alone."""
    asked = pretrained_asked(pretrained)
    choices = replace(divided.choices, task=task, seconds=seconds_asked(time), pretrained=asked)
    return prepare_rows(divided.opened, choices, None)[0].plan


@dataclass(frozen=True, eq=False)
class Untrained:
    """Step 2, build: the network as it is born, random, and the encoded rows that it is to learn from."""

    lesson: Lesson
    rows: Rows
    network: nn.ModuleDict
    notes: tuple[str, ...]

    @property
    def model(self) -> nn.Module:
        """The network; `lesson.inputs` is what it takes, or each of its parts where there are several."""
        return as_one(self.network)

    def epochs(self) -> Iterator[Epoch]:
        """Step 3, fit: gradient descent; yields the losses of each epoch, and leaves the network at its best."""
        with threads(self.lesson.plan.fitting.threads):
            yield from fit_network(self.network, self.lesson)

    def finish(self) -> Run:
        """Step 4, evaluate: beside the straight line and the constant, on the test rows; the better one is kept."""
        line = build_line(self.lesson.plan, self.lesson.encoders, self.lesson.inputs)
        held_out = fit_line(line, self.lesson)
        predictor = finish(self.network, line, held_out, self.lesson)
        divided_by = self.lesson.plan.split
        evaluation = evaluate_on(predictor, self.rows.test, self.rows.truth, groups_of(self.rows.test, divided_by))
        return Run(
            predictor=predictor, evaluation=evaluation, verdict=verdict_of(evaluation, predictor.plan, looks=1),
            folder=None, history=(), notes=self.notes, looks=1, seconds=None,
        )  # fmt: skip


def build(plan: Plan, divided: Divided) -> Untrained:
    """Step 2, build: the nn.Module that the plan asks for; its parameters are random, from the plan's seed."""
    prepared, lesson = prepare_rows(divided.opened, divided.choices, plan)
    return Untrained(lesson, prepared.rows, born(lesson), prepared.notes)


def save(run: Run, path: str | Path, examples: pl.DataFrame) -> None:
    """Step 5, save: one .safetensors file.

    examples: training rows; the first of them go into the file with their answers, to be checked at load.
    """
    save_model(Path(path), run.predictor, run.evaluation, examples)
