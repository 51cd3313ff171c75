"""A look at a table before a fit: what would be read, what each column is taken for, and what looks odd."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import torch

from firstlight.data.frames import FrameLike
from firstlight.data.pixel_cells import pixel_shape
from firstlight.data.sources import read
from firstlight.data.table import NAMING, Table
from firstlight.evaluate.wording import listed, named, percent, significant
from firstlight.kinds.all_kinds import kind_named
from firstlight.kinds.date import DateSettings
from firstlight.kinds.dna import DnaSettings, bases_of_cells
from firstlight.kinds.kind import Settings
from firstlight.kinds.number import NumberSettings, column_values
from firstlight.kinds.text import TextSettings, cut_told, words_of_cells
from firstlight.plain.categories import codes, words
from firstlight.plain.dates import moments
from firstlight.plain.targets import labels_of
from firstlight.plan.deciding import NAMES_THE_RECORD, decide_column, decide_target
from firstlight.plan.leaks import numbers_of, suspicions
from firstlight.plan.plan import LEFT_OUT, Column, Split, Target, Task
from firstlight.plan.splitting import columns_compared, compared_by_likeness, kin_of, notes_on_kin
from firstlight.refusal import Refused, column_named
from firstlight.wording import counted, whole

MOST_WORDS_SHOWN = 3
FEWEST_FOR_DRIFT = 100
MOST_CLASSES_COMPARED = 50
SURE_OF_DRIFT = 4.0  # standard errors between the earlier and the later half: no accident even among many columns


@dataclass(frozen=True)
class ColumnSeen:
    """One column: what it is taken for, and what stands in it, or why it is left out.

    gaps: how many of its cells are missing; None where it is left out.
    """

    name: str
    kind: str
    text: str
    gaps: int | None


@dataclass(frozen=True)
class Remark:
    """Something to look at; about: a column, or "" for the whole table."""

    about: str
    text: str


@dataclass(frozen=True, eq=False)
class Check:
    """What a look at a table found, before any fit.

    target: what it would be taken for, in words; "" where none was named.
    """

    table: Table
    columns: tuple[ColumnSeen, ...]
    target: str
    remarks: tuple[Remark, ...]


def check(
    source: str | Path | FrameLike | Table,
    target: str | None = None,
    *,
    task: Task | None = None,
    sheet: str | None = None,
    label: str | None = None,
    labels: str | Path | None = None,
) -> Check:
    """What would be read, what each column is taken for, and what is odd: gaps, strays, leaks, copies, drift.

    target: the column to predict; None: the labels that the files carry, or none.
    It fits nothing and writes nothing. Unlike a fit it looks at all rows: nothing is learned from them.
    Raises Refused where there is no table, or no such target.
    """
    table = read(source, sheet=sheet, label=label, labels=labels)
    target = target or table.own_target
    rows, remarks = table.frame, [Remark("", note) for note in table.notes]
    aim, told = None, ""
    if target is not None:
        column_named(target, rows.columns, Path(table.reading.location).name)
        known = rows.filter(pl.col(target).is_not_null())
        if missing := len(rows) - len(known):
            remarks.append(Remark(target, f"is missing in {counted(missing, 'row')}, which a fit leaves aside"))
        if len(known):
            rows = known
            try:
                aim, why = decide_target(rows[target], target, task)
                told = target_told(rows[target], aim, why)
            except Refused as refused:
                remarks.append(Remark(target, f"cannot be predicted: {refused}"))
    # Without a target no column is a copy of it: one that is always the same serves as well.
    beside = rows[target] if aim and target else pl.repeat("", len(rows), eager=True)
    goal = aim or Target(column="", task="classification")
    naming = NAMING.get(table.reading.reader)
    columns, seen = [], []
    for name in rows.columns:
        if name == naming and name != target:
            seen.append(ColumnSeen(name, LEFT_OUT, NAMES_THE_RECORD, None))
        elif name != target:
            decision = decide_column(rows[name], beside, goal)
            columns.append(decision.column)
            seen.append(column_seen(rows[name], decision.column, decision.reason))
            remarks += strays_of(rows[name], decision.column)
    if aim and target:
        remarks += [Remark(found.column, found.why) for found in suspicions(rows, target, aim.task, columns)]
    split = Split(way="none", share=0).model_copy(update=compared_by_likeness(rows, target or ""))
    remarks += _alike(rows, aim, target, split)
    remarks += _copies(rows, target, split)
    if aim and target:
        remarks += [remark for column in columns for remark in _drift(rows, column, aim)]
    return Check(table, tuple(seen), told, tuple(remarks))


def column_seen(cells: pl.Series, column: Column, reason: str) -> ColumnSeen:
    """A column in few words: its range or its words; or why it is left out."""
    if column.settings is None:
        return ColumnSeen(column.name, column.kind, reason, None)
    told = _pixels(cells, reason) if pixel_shape(cells.dtype) else contents(cells, column.settings)
    return ColumnSeen(column.name, column.kind, told, cells.null_count())


def contents(cells: pl.Series, settings: Settings) -> str:
    """What stands in a column, in few words."""
    if isinstance(settings, NumberSettings):
        values = numbers_as(cells, settings)
        return "" if len(values) == 0 else f"{number(float(values.min()))} to {number(float(values.max()))}"  # type: ignore[arg-type]
    if isinstance(settings, DateSettings):
        return _dates(cells, settings)
    if isinstance(settings, TextSettings):
        return _texts(cells)
    if isinstance(settings, DnaSettings):
        return _sequences(cells, settings)
    known = words(cells.drop_nulls()).alias("word")
    counts = known.value_counts(name="count").sort(["count", "word"], descending=[True, False])
    shown = counts["word"].head(MOST_WORDS_SHOWN).to_list()
    more = len(counts) - len(shown)
    return ", ".join([*map(named, shown), *([f"{whole(more)} more"] if more > 0 else [])])


def _texts(cells: pl.Series) -> str:
    """How long texts are, and how many cells hold blanks alone: "median 14 words, longest 212, 3 cells blank"."""
    sizes, unit = words_of_cells(cells)
    blank = len(cells) - cells.null_count() - len(sizes)
    told = []
    if len(sizes):
        median, longest = round(float(sizes.median())), int(sizes.max())  # type: ignore[arg-type]
        told = [f"median {counted(median, unit)}", f"longest {whole(longest)}"]
    told += [f"{counted(blank, 'cell')} blank" if blank else "", cut_told(cells.cast(pl.String))]
    return ", ".join(filter(None, told))


def _sequences(cells: pl.Series, settings: DnaSettings) -> str:
    """How long sequences are and what they are made of: "60 bases each; A 24 %, C 26 %, G 25 %, T 25 %"."""
    sizes, shares = bases_of_cells(cells)
    if len(sizes) == 0:
        return ""
    shortest, longest = int(sizes.min()), int(sizes.max())  # type: ignore[arg-type]
    size = f"{whole(longest)} bases each" if shortest == longest else f"{whole(shortest)} to {whole(longest)} bases"
    read = f", of which the first {whole(settings.length)} are read" if longest > settings.length else ""
    return f"{size}{read}; {', '.join(f'{base} {percent(part)}' for base, part in shares.items())}"


def _pixels(cells: pl.Series, reason: str) -> str:
    """How large pictures and videos are as they are read, and how many are of one colour."""
    flat = sum(int(pixels.max()) == int(pixels.min()) for pixels in cells.drop_nulls().to_numpy())
    return reason + (f"; {whole(flat)} of a single colour" if flat else "")


def numbers_as(cells: pl.Series, settings: NumberSettings) -> pl.Series:
    """The finite numbers among the cells."""
    values = column_values(cells, settings)
    return pl.Series(values[values.isfinite()].numpy())


def number(value: float) -> str:
    """A number as it may stand in the table: whole ones with their thousands apart, but for years and their like."""
    if value == round(value) and abs(value) < 1e15:
        return str(int(value)) if abs(value) < 10_000 else whole(int(value))
    return f"{value:.6g}"


def _dates(cells: pl.Series, settings: DateSettings) -> str:
    when = _moments(cells, settings).drop_nulls()
    if len(when) == 0:
        return ""
    first, last = (str(bound).removesuffix(" 00:00:00").split(".")[0] for bound in (when.min(), when.max()))
    order = {"%d": "day first", "%m": "month first"}.get((settings.forms or ("",))[0][:2], "")
    return f"{first} to {last}" + (f", {order}" if order else "")


def _moments(cells: pl.Series, settings: DateSettings) -> pl.Series:
    return moments(cells, settings.forms or ("%Y-%m-%d",))


def target_told(cells: pl.Series, aim: Target, reason: str) -> str:
    """What is to be predicted, in words: "3 classes (Adelie 152, Gentoo 124, Chinstrap 68)"."""
    doubt = f"; {reason}" if "--task" in reason else ""
    if aim.task == "regression":
        values = numbers_as(cells, aim.reading)
        low, high = number(float(values.min())), number(float(values.max()))  # type: ignore[arg-type]
        return f"a number, {low} to {high}{doubt}"
    counts = Counter(words(cells).to_list()).most_common()
    shown = [f"{named(label)} {whole(count)}" for label, count in counts[:6]]
    more = [f"{len(counts) - 6} more"] if len(counts) > 6 else []
    return f"{len(counts)} classes ({', '.join(shown + more)}){doubt}"


def strays_of(cells: pl.Series, column: Column) -> list[Remark]:
    """Cells that hold something, but nothing that the column's kind can read."""
    if column.settings is None:
        return []
    kind = kind_named(column.kind)
    strays = cells.filter(kind.strays(cells, column.settings))
    if len(strays) == 0:
        return []
    examples = listed([repr(word) for word in kind.strays_shown(strays).unique(maintain_order=True)], "and")
    told = f"{kind.strays_told(len(strays))} ({examples}): {kind.strays_become}"
    return [Remark(column.name, told)]


def _copies(rows: pl.DataFrame, target: str | None, split: Split) -> list[Remark]:
    """How many rows have the inputs of an earlier one; nothing where that is no sign of being the same."""
    compared = columns_compared(rows, target or "", split)
    copies = len(rows) - rows.select(compared).n_unique() if compared else 0
    if copies == 0:
        return []
    return [
        Remark("", f"{counted(copies, 'row')} {'is' if copies == 1 else 'are'} equal to another; equal rows never part")
    ]


def _alike(rows: pl.DataFrame, aim: Target | None, target: str | None, split: Split) -> list[Remark]:
    """How many rows are nearly equal to others in a text, a sequence, a picture or a video."""
    if not split.near:
        return []
    classes = None
    if aim and target and aim.task == "classification":
        classes = codes(rows[target], labels_of(rows[target]))
    about, _, told = "".join(notes_on_kin(kin_of(rows, split), split, classes)).partition(": ")
    return [Remark(about, told.removesuffix("."))] if told else []


def _drift(rows: pl.DataFrame, column: Column, aim: Target) -> list[Remark]:
    """Whether later rows have another target than earlier ones; then the future may not be like the past."""
    if not isinstance(column.settings, DateSettings):
        return []
    when = _moments(rows[column.name], column.settings).alias("when")
    targets = (
        rows.select(aim.column).with_columns(when).drop_nulls("when").sort("when", maintain_order=True)[aim.column]
    )
    half = len(targets) // 2
    if half < FEWEST_FOR_DRIFT // 2:
        return []
    said = (_numbers_moved if aim.task == "regression" else _classes_moved)(targets.head(half), targets.tail(half))
    if not said:
        return []
    return [Remark(column.name, f"{aim.column} is {said}: if you will predict the future, try --by-time {column.name}")]


def _numbers_moved(earlier: pl.Series, later: pl.Series) -> str:
    first, second = (pl.Series(numbers_of(part)).drop_nans() for part in (earlier, later))
    if _apart(first, second) < SURE_OF_DRIFT:
        return ""
    before, after = (significant(float(_mean(part))) for part in (first, second))
    return f"{before} on average in the earlier half of the rows, {after} in the later"


def _classes_moved(earlier: pl.Series, later: pl.Series) -> str:
    """The class whose share moved most surely, with its two shares."""
    found = []
    for label in words(pl.concat([earlier, later])).unique().sort().to_list()[:MOST_CLASSES_COMPARED]:
        first, second = ((words(part) == label).cast(pl.Float64) for part in (earlier, later))
        found.append((_apart(first, second), label, _mean(first), _mean(second)))
    surest, label, before, after = max(found)
    if surest < SURE_OF_DRIFT:
        return ""
    return f"{named(label)} in {percent(before)} of the earlier half of the rows, {percent(after)} of the later"


def _mean(numbers: pl.Series) -> float:
    return float(numbers.to_numpy().mean()) if len(numbers) else 0.0


def _apart(first: pl.Series, second: pl.Series) -> float:
    """How many standard errors lie between two means."""
    means = torch.tensor([_mean(part) for part in (first, second)], dtype=torch.float64)
    errors = torch.tensor([(part.var() or 0.0) / max(len(part), 1) for part in (first, second)], dtype=torch.float64)
    return float((means[0] - means[1]).abs() / errors.sum().sqrt().clamp_min(1e-12))
