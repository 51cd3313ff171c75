"""Ten tables that nothing was tuned to, of the Rdatasets collection; FIRSTLIGHT_RDATASETS names its folder of csv."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import torch
from processes import Files

from firstlight.plain.split import split_at_random
from firstlight.plan.plan import Task

SHARE = 0.2  # of the rows are the test


@dataclass(frozen=True)
class Other:
    """A table by package and name, what is predicted, and the columns that would tell it."""

    name: str
    target: str
    task: Task
    telling: tuple[str, ...] = ()


OTHERS = (
    Other("Ecdat/Computers", "price", "regression"),
    Other("Ecdat/BudgetFood", "wfood", "regression"),
    Other("Ecdat/VietNamI", "lnhhexp", "regression"),
    Other("Ecdat/DoctorContacts", "mdu", "regression"),
    Other("plyr/baseball", "hr", "regression"),
    Other("ggplot2/movies", "rating", "regression", ("title", *(f"r{number}" for number in range(1, 11)))),
    Other("Ecdat/Hdma", "deny", "classification"),
    Other("survival/flchain", "death", "classification", ("futime", "chapter")),
    Other("car/Chile", "vote", "classification"),
    Other("lme4/VerbAgg", "r2", "classification", ("resp",)),
)


def folder_named() -> Path | None:
    """The folder of the collection, where one is named."""
    named = os.environ.get("FIRSTLIGHT_RDATASETS")
    return None if named is None else Path(named)


@contextmanager
def parted() -> Iterator[list[tuple[str, Files, Task]]]:
    """Each table in two files, by chance and for as long as they are needed; none without the collection."""
    collection = folder_named()
    with tempfile.TemporaryDirectory() as folder:
        yield [] if collection is None else [_parted(collection, other, Path(folder)) for other in OTHERS]


def _parted(collection: Path, other: Other, folder: Path) -> tuple[str, Files, Task]:
    rows = pl.read_csv(collection / f"{other.name}.csv", null_values="NA", infer_schema_length=None)
    rows = rows.drop("", *other.telling).filter(pl.col(other.target).is_not_null())
    every = torch.arange(len(rows))
    parts = split_at_random(torch.zeros_like(every), every, SHARE, seed=0)
    name = other.name.partition("/")[2]
    files = Files(folder / f"{name}.train.parquet", folder / f"{name}.test.parquet", other.target)
    for part, path in zip(parts, (files.train, files.test), strict=True):
        rows[part.numpy()].write_parquet(path)
    return name, files, other.task
