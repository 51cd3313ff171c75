"""Step 1, prepare: which rows are set aside as the test before anything looks at the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl
import torch
from torch import Tensor

from firstlight.kinds.date import DATE, FORMS
from firstlight.kinds.kind import has_words
from firstlight.kinds.number import NUMBER
from firstlight.plain.categories import codes
from firstlight.plain.dates import days_since_1970, moments
from firstlight.plain.numbers import typed_numbers
from firstlight.plain.split import kin_by_equality, split_at_random, split_by_time
from firstlight.plain.targets import labels_of
from firstlight.plan.plan import Split
from firstlight.refusal import Refused

FEWEST_ROWS = 10


@dataclass(frozen=True, eq=False)
class Parts:
    """Row numbers of the two parts, each row in exactly one, in the order of the table: int64 (rows,) each."""

    train: Tensor
    test: Tensor

    def __post_init__(self) -> None:
        rows = torch.cat([self.train, self.test]).sort().values
        if not torch.equal(rows, torch.arange(len(rows))):
            raise ValueError("the parts do not hold each row once")


def choose_split(
    rows: pl.DataFrame, target: str, *, share: float, time: str | None, group: str | None, seed: int
) -> Split:
    """How to set the test rows aside; it compares rows with one another, and learns nothing from them."""
    if time is not None:
        return Split(way="time", share=share, column=time, forms=_forms(rows[time], time), seed=seed)
    if group is not None:
        return Split(way="group", share=share, column=group, seed=seed)
    even = has_words(rows[target]) and rows[target].n_unique() * 5 <= len(rows)  # repeated five times: it has classes
    way: Literal["chance", "none"] = "chance" if share else "none"
    return Split(way=way, share=share, even=even, alike=_compared(rows, target), seed=seed)


def _forms(cells: pl.Series, name: str) -> tuple[str, ...]:
    if claim := DATE.claim(cells):
        return claim.settings.forms
    if NUMBER.claim(cells):
        return ()
    raise Refused(f"column {name!r} cannot order rows by time: its cells are neither dates nor numbers.")


def _compared(rows: pl.DataFrame, target: str) -> tuple[str, ...]:
    """The columns in which rows are compared, so that equal ones stay together; none where equality says nothing.

    A column that numbers the rows would make all of them different, and is not compared. Where the columns are so few
    or so coarse that most rows have a twin, being equal is no sign of being the same thing.
    """
    plain = [name for name in rows.columns if not (rows[name].dtype.is_nested() or rows[name].dtype == pl.Object)]
    numbering = {
        name
        for name in plain
        if name != target and not rows[name].dtype.is_float() and rows[name].n_unique() == len(rows)
    }
    compared = [name for name in plain if name not in numbering]
    if len(compared) < 2:
        compared = plain
    return tuple(compared) if rows[compared].n_unique() >= len(rows) / 2 else ()


def apply_split(rows: pl.DataFrame, target: str, split: Split, test_rows: int) -> Parts:
    """The two parts of the rows; with a test file, its rows are the last `test_rows` of the table."""
    every = torch.arange(len(rows))
    if split.way == "none":
        return Parts(every, every[:0])
    if split.way == "file":
        return Parts(every[: len(rows) - test_rows], every[len(rows) - test_rows :])
    if split.way == "time":
        parts = Parts(*split_by_time(days(rows[split.column], split.forms), split.share))
    else:
        strata = codes(rows[target], labels_of(rows[target])) - 1 if split.even else torch.zeros_like(every)
        parts = Parts(*split_at_random(strata, kin_of(rows, split), split.share, split.seed))
    if len(parts.test) == 0 or len(parts.train) == 0:
        what = f"column {split.column!r}" if split.column else f"a share of {split.share:g}"
        raise Refused(f"no test rows can be set aside by {what}: all {len(rows)} rows fall on one side.")
    return parts


def kin_of(rows: pl.DataFrame, split: Split) -> Tensor:
    """The same number for rows that must stay together: (rows,) int64."""
    together = [split.column] if split.way == "group" else list(split.alike)
    return kin_by_equality(rows, together) if together else torch.arange(len(rows))


def days(cells: pl.Series, forms: tuple[str, ...]) -> Tensor:
    """When each row was, to order them by: (rows,) float64; NaN where it is not known."""
    dated = cells.dtype.is_temporal() or bool(forms)
    values = days_since_1970(moments(cells, forms or FORMS)) if dated else typed_numbers(cells)
    return torch.from_numpy(values.to_numpy(writable=True))
