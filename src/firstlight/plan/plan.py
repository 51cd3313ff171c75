"""The plan: what is read, predicted, set aside, encoded, built and fitted. Same plan, same rows: same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, SerializeAsAny

from firstlight.data.table import Form, Reader
from firstlight.kinds.all_kinds import CELL_PARTS, KINDS, kind_named
from firstlight.kinds.cells import CellPart
from firstlight.kinds.kind import Kind, KindPart, PartSettings, Settings
from firstlight.kinds.number import NumberSettings
from firstlight.kinds.number import Reader as NumberReader

Task = Literal["classification", "regression"]
LEFT_OUT = "left out"
COLUMNS = "columns"  # the part of the network that is small networks over the cells
Keyword = Annotated[str, Field(pattern="^[a-z_]+$")]  # it stands unquoted in the script


class Part(BaseModel, frozen=True, extra="forbid"):
    """A part of a plan; a key that it does not know is refused."""


class Source(Part, frozen=True):
    """Where the rows come from, and the form in which pictures and videos are read, by column.

    copied: they cannot be read in the same way again, so the run folder keeps them.
    """

    location: str
    name: str
    reader: Reader
    paths: tuple[str, ...]
    options: Mapping[Keyword, str | int | bool | list[str]]
    copied: bool
    forms: Mapping[str, Form] | None = None


class Target(Part, frozen=True):
    """What is to be predicted. `read`: the function of `plain.numbers` that reads it, for regression."""

    column: str
    task: Task
    read: NumberReader | Literal[""] = ""

    @property
    def reading(self) -> NumberSettings:
        """How the cells of a number are read."""
        return NumberSettings.model_validate({"read": self.read})


class Split(Part, frozen=True):
    """How the test rows are set aside: by chance, by time, by group, from a file of their own, or not at all."""

    way: Literal["chance", "time", "group", "file", "none"]
    share: float = Field(ge=0, lt=1)
    column: str = ""  # of the time or the group
    forms: tuple[str, ...] = ()  # in which the time is written
    even: bool = False  # a like share of each value of the target
    alike: tuple[str, ...] = ()  # rows that are equal in these columns stay together
    near_texts: tuple[str, ...] = ()  # rows that are nearly equal in one of these, too
    near_sequences: tuple[str, ...] = ()  # and in one of these, be it as reverse complement
    near_pictures: tuple[str, ...] = ()  # or that look nearly the same in one of these
    near_videos: tuple[str, ...] = ()
    near_names: tuple[str, ...] = ()  # or whose files were cut from one source, as their names say
    seed: int = 0

    @property
    def near(self) -> tuple[str, ...]:
        """All columns in which rows that are nearly equal stay together."""
        return (*self.near_texts, *self.near_sequences, *self.near_pictures, *self.near_videos, *self.near_names)


class Column(Part, frozen=True):
    """What a column is taken for; `left out` where it is not used."""

    name: str
    kind: str
    settings: SerializeAsAny[Settings] | None


class Network(Part, frozen=True):
    """Small networks over the columns that are read cell by cell: their sizes, and how they are fitted.

    members, width, layers: how many members, how wide and deep each is. bins: in how many of them numbers fall.
    epochs over the training rows, rows a step, AdamW's rate and decay. half: hidden layers are in bfloat16.
    """

    members: int = Field(ge=2, le=256)
    width: int = Field(ge=1, le=8192)
    layers: int = Field(ge=1, le=16)
    bins: int = Field(ge=1, le=1024)
    epochs: int = Field(ge=1)
    batch: int = Field(ge=1)
    rate: float = Field(gt=0)
    decay: float = Field(ge=0)
    half: bool = False


class Fitting(Part, frozen=True):
    """What all parts of the network share when they are fitted: the folds of the training rows, the seed, threads.

    rows: of so many training rows, chosen by chance, the models learn; None: of all.
    """

    rows: int | None = Field(default=None, ge=2)
    folds: int = Field(ge=2, le=256)
    seed: int = Field(ge=0)
    threads: int = Field(ge=1)
    interrupted_after: int | None = Field(default=None, ge=0)  # epochs in all, where it was ended early


class Suspicion(Part, frozen=True):
    """A column that may know too much, and what makes one think so: a sentence without its subject."""

    column: str
    why: str

    @property
    def sentence(self) -> str:
        """The whole sentence."""
        return f"{self.column} {self.why}"


class Plan(Part, frozen=True):
    """All decisions of a fit. `reasons` says why, under keys such as "target.task" or "columns.island".

    network: over the columns that are read cell by cell; None without any. parts: all others, by name.
    """

    source: Source
    test_source: Source | None
    target: Target
    split: Split
    columns: tuple[Column, ...]
    network: Network | None
    parts: Mapping[str, SerializeAsAny[PartSettings]]
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
    def cell_kinds(self) -> tuple[Kind[Any], ...]:
        """The kinds of columns that are read cell by cell."""
        return tuple(kind for kind in self.kinds if not kind.parts)

    @property
    def cell_blocks(self) -> tuple[str, ...]:
        """Under which names the inputs hold these columns, a tensor a kind."""
        return tuple(kind.block for kind in self.cell_kinds)

    @property
    def cell_parts(self) -> tuple[CellPart[Any], ...]:
        """The other parts of the network that read the columns cell by cell."""
        return tuple(part for part in CELL_PARTS if part.name in self.parts)

    @property
    def kind_parts(self) -> tuple[tuple[Kind[Any], KindPart[Any, Any]], ...]:
        """The parts of the network that kinds bring along, each with the kind of its columns."""
        return tuple((kind, part) for kind in self.kinds for part in kind.parts if part.name in self.parts)

    @property
    def part_blocks(self) -> dict[str, tuple[Kind[Any], KindPart[Any, Any]]]:
        """What has to be encoded for these parts, by block: some read the same."""
        blocks: dict[str, tuple[Kind[Any], KindPart[Any, Any]]] = {}
        for kind, part in self.kind_parts:
            blocks.setdefault(part.block, (kind, part))
        return blocks

    @property
    def other_parts(self) -> tuple[CellPart[Any] | KindPart[Any, Any], ...]:
        """All parts but the small networks over the cells, in the order in which they are fitted."""
        return (*self.cell_parts, *(part for _, part in self.kind_parts))

    @property
    def epochs(self) -> dict[str, int]:
        """The epochs of each part of the network, in the order in which they are fitted."""
        cells = {COLUMNS: self.network.epochs} if self.network else {}
        return cells | {part.name: self.parts[part.name].epochs for part in self.other_parts}

    @property
    def last_epochs(self) -> dict[str, int]:
        """How many epochs of each part there were: all, or as many as were done when the fit was interrupted."""
        left = self.fitting.interrupted_after
        if left is None:
            return self.epochs
        before = accumulate(self.epochs.values(), initial=0)
        return {
            name: max(0, min(planned, left - done))
            for (name, planned), done in zip(self.epochs.items(), before, strict=False)
        }

    @property
    def in_half(self) -> bool:
        """Whether anything is reckoned in bfloat16, so coarsely that other machines come to other third digits."""
        return any(getattr(settings, "half", False) for settings in (self.network, *self.parts.values()))

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
