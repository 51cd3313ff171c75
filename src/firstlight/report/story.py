"""What every chapter of a run's report draws upon: the run, its rows, and the names as they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from firstlight.plan.plan import Column, Plan, Source
from firstlight.report.telling import told_by_columns
from firstlight.report.wording import told_apart
from firstlight.store.run import Rows, Run

MOST_LISTED = 100  # rows of a folded table


@dataclass(frozen=True, eq=False)
class Story:
    """A run and its rows, to be told chapter by chapter."""

    run: Run
    rows: Rows
    script: str  # train.py, whole
    sizes: Mapping[str, int]  # of the files in the run folder, in bytes

    @property
    def plan(self) -> Plan:
        """The decisions that the run followed."""
        return self.run.predictor.plan

    @property
    def classes(self) -> bool:
        """Whether classes are predicted, not numbers."""
        return self.plan.target.task == "classification"

    @cached_property
    def told(self) -> Mapping[str, float]:
        """How much each column tells of the target alone, the most telling first."""
        return told_by_columns(self.rows.train, self.run.predictor)

    @cached_property
    def gaps(self) -> Mapping[str, int]:
        """How many training cells of each column in use are missing, or are taken as missing."""
        return {
            name: self.rows.train[name].null_count() + int(kind.strays(self.rows.train[name], settings).sum())
            for kind in self.plan.kinds
            for name, settings in self.plan.of_kind(kind).items()
        }

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Each column's name as it is shown."""
        columns = [self.plan.target.column, *(column.name for column in self.plan.columns)]
        return dict(zip(columns, told_apart(columns), strict=True))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The classes' names as they are shown."""
        return told_apart(self.run.predictor.encoders.labels)

    @property
    def target(self) -> str:
        """The target's name as it is shown."""
        return self.names[self.plan.target.column]

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """What was decided about each column but the target, by name."""
        return {column.name: column for column in self.plan.columns}


def source_name(source: Source) -> str:
    """The source as people call it: a file without the folders on the way."""
    if source.location == "-":
        return "standard input"
    return Path(source.location).name if source.paths else source.location
