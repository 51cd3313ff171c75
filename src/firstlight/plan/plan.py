"""The plan: what is read, predicted, set aside, encoded, built and fitted. Same plan, same rows: same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field, SerializeAsAny

from firstlight.kinds.all_kinds import KINDS, kind_named
from firstlight.kinds.kind import Kind, Settings
from firstlight.kinds.number import Reader as NumberReader

Task = Literal["classification", "regression"]
Reader = Literal["csv", "excel", "parquet", "arrow", "json_lines", "sqlite", "memory"]
LEFT_OUT = "left out"


class Part(BaseModel, frozen=True, extra="forbid"):
    """A part of a plan; a key that it does not know is refused."""


class Source(Part, frozen=True):
    """Where the rows come from. `copied`: they cannot be read in the same way again, so the run folder keeps them."""

    location: str
    name: str
    reader: Reader
    paths: tuple[str, ...]
    options: Mapping[str, str | int | bool | list[str]]
    copied: bool


class Target(Part, frozen=True):
    """What is to be predicted. `read`: the function of `plain.numbers` that reads it, for regression."""

    column: str
    task: Task
    read: NumberReader | Literal[""] = ""


class Split(Part, frozen=True):
    """How the test rows are set aside: by chance, by time, by group, from a file of their own, or not at all."""

    way: Literal["chance", "time", "group", "file", "none"]
    share: float = Field(ge=0, lt=1)
    column: str = ""  # of the time or the group
    forms: tuple[str, ...] = ()  # in which the time is written
    even: bool = False  # a like share of each value of the target
    alike: tuple[str, ...] = ()  # rows that are equal in these columns stay together
    seed: int = 0


class Column(Part, frozen=True):
    """What a column is taken for; `left out` where it is not used."""

    name: str
    kind: str
    settings: SerializeAsAny[Settings] | None


class Network(Part, frozen=True):
    """The size of the network: how many members, how wide and deep each is, and in how many bins numbers fall."""

    members: int = Field(ge=2, le=256)
    width: int = Field(ge=1, le=8192)
    layers: int = Field(ge=1, le=16)
    bins: int = Field(ge=1, le=1024)


class Fitting(Part, frozen=True):
    """How the network is fitted: epochs over the training rows, rows a step, AdamW's rate and decay, seed, threads."""

    folds: int = Field(ge=2, le=256)
    epochs: int = Field(ge=1)
    batch: int = Field(ge=1)
    rate: float = Field(gt=0)
    decay: float = Field(ge=0)
    seed: int = Field(ge=0)
    threads: int = Field(ge=1)
    interrupted_after: int | None = Field(default=None, ge=0)  # epochs, where it was ended early


class Suspicion(Part, frozen=True):
    """A column that may know too much, and what makes one think so: a sentence without its subject."""

    column: str
    why: str

    @property
    def sentence(self) -> str:
        """The whole sentence."""
        return f"{self.column} {self.why}"


class Plan(Part, frozen=True):
    """All decisions of a fit. `reasons` says why, under keys such as "target.task" or "columns.island"."""

    source: Source
    test_source: Source | None
    target: Target
    split: Split
    columns: tuple[Column, ...]
    network: Network
    fitting: Fitting
    reasons: Mapping[str, str]
    beware: tuple[Suspicion, ...]  # what a person should look at before believing the score

    def of_kind(self, kind: Kind[Any]) -> dict[str, Any]:
        """The columns of a kind, with their settings, in the order of the table."""
        return {column.name: column.settings for column in self.columns if column.kind == kind.name}

    @property
    def kinds(self) -> tuple[Kind[Any], ...]:
        """The kinds that some column is of."""
        return tuple(kind for kind in KINDS if self.of_kind(kind))

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the columns that are used to predict."""
        return tuple(column.name for column in self.columns if column.kind != LEFT_OUT)


def settings_of(kind: str, values: Mapping[str, Any]) -> Settings | None:
    """The settings of a column, from plain values; KeyError for an unknown kind, pydantic's error for a value."""
    if kind == LEFT_OUT:
        Part.model_validate(values)
        return None
    settings: Settings = kind_named(kind).settings.model_validate(values)
    return settings
