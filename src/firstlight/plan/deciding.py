"""From training rows to a plan: the kind of each column, what is left out and why, the task, the sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
from torch import Tensor

from firstlight.data.pixel_cells import pixel_shape
from firstlight.data.table import NAMING, Reading
from firstlight.kinds.all_kinds import CELL_PARTS, KINDS, PARTS_OF_NETWORK, kind_named
from firstlight.kinds.boolean import BOOLEAN
from firstlight.kinds.category import CategorySettings
from firstlight.kinds.cells import CellPart, Cells
from firstlight.kinds.date import DATE
from firstlight.kinds.dna import DNA, are_proteins
from firstlight.kinds.kind import Aim, Claim, PartSettings, has_words
from firstlight.kinds.number import NUMBER, NumberSettings, column_values
from firstlight.kinds.pretrained import kind_read_by
from firstlight.kinds.text import TEXT
from firstlight.plain.categories import codes, words
from firstlight.plain.dates import PARTS_OF_A_DATE
from firstlight.plain.split import MANY_ROWS
from firstlight.plain.targets import labels_of
from firstlight.plan.budget import MOST_FOLDS, fitting_for, network_for, rows_taught, seconds_to_learn, shared_out
from firstlight.plan.leaks import copy_of_target, suspicions
from firstlight.plan.plan import LEFT_OUT, Column, Fitting, Plan, Source, Split, Target, Task
from firstlight.refusal import Refused
from firstlight.wording import whole

LOOKED_AT = 100_000  # training rows from which kinds are told; all of them where there are fewer
MOST_CLASSES = 1000
FEW_CLASSES = 10  # whole numbers from 0 or 1 up to so many are classes, more are amounts
NAMES_THE_RECORD = "it names the record"
IDENTIFIER_ROWS = 20  # with fewer, that all cells differ says little
WRITTEN = (pl.String, pl.Categorical, pl.Enum)


@dataclass(frozen=True)
class Decision:
    """What a column is taken for, and why."""

    column: Column
    reason: str


def decide(
    rows: pl.DataFrame,
    target: str,
    *,
    task: Task | None,
    source: Source,
    test_source: Source | None,
    split: Split,
    seconds: float | None,
    seed: int,
    pretrained: str | None = None,
) -> Plan:
    """The plan for these training rows. It looks at no other row.

    rows: training rows, in which the target is nowhere missing. seconds: the time asked for, or None.
    pretrained: the folder of a pretrained encoder for texts or pictures, or None.
    """
    aim, why = decide_target(rows[target], target, task)
    looked_at = rows.sample(LOOKED_AT, seed=seed) if len(rows) > LOOKED_AT else rows
    not_inputs = {split.column: "it groups the rows"} if split.way == "group" else {}
    if source.reader in NAMING:
        not_inputs[NAMING[source.reader]] = NAMES_THE_RECORD
    decisions = [
        decide_column(looked_at[name], looked_at[target], aim)
        if name not in not_inputs
        else Decision(Column(name=name, kind=LEFT_OUT, settings=None), not_inputs[name])
        for name in rows.columns
        if name != target
    ]
    columns = tuple(decision.column for decision in decisions)
    if all(column.kind == LEFT_OUT for column in columns):
        raise Refused(f"{source.name}: no column is left to predict {target!r} from ({_why_none(decisions)}).")
    if pretrained and all(column.kind != kind_read_by(Path(pretrained)) for column in columns):
        what = "text" if kind_read_by(Path(pretrained)) == TEXT.name else "pictures"
        raise Refused(f"{source.name} has no column of {what} that --pretrained could read; leave it away.")
    cells = _cells(rows, columns, aim)
    taught = rows_taught(cells, seconds)
    cells = replace(cells, rows=taught)
    to_learn = None if seconds is None else seconds_to_learn(seconds, len(rows), cells)
    cell_parts, left = _cell_parts(cells, to_learn)
    network = network_for(cells, left) if cells.columns else None
    alone = all(column.kind == LEFT_OUT or _is_read_by_cell(column) for column in columns)
    fitting = fitting_for(len(rows), taught, network.batch if network and alone else None, _folds(columns), seed)
    reasons = {
        "target.task": why,
        **{f"columns.{decision.column.name}": decision.reason for decision in decisions},
        **split_reasons(split),
        "network.bins": f"{whole(taught)} training rows: 64 or more for a bin, at most 128 bins",
        "network.half": "whichever is quicker on this machine, and never for few rows",
        "network.members": "each learns from other folds, so that every training row is also predicted unseen",
        "network.batch": f"what searches over many tables found for {whole(taught)} rows",
        "network.epochs": "as many as fit into the time, on this machine"
        if seconds
        else "enough for most tables of this size",
        **{f"{part.name}.{name}": reason for part in PARTS_OF_NETWORK for name, reason in part.reasons.items()},
        "fitting.rows": "chosen by chance: more would not fit into memory, nor into the time",
        "fitting.threads": "as many as pay; with another number the last bits differ",
    }
    return Plan(
        source=source, test_source=test_source, target=aim, split=split, columns=columns, network=network,
        parts=cell_parts | _kind_parts(rows, columns, aim, fitting, seconds, pretrained),
        fitting=fitting, reasons=reasons,
        beware=suspicions(looked_at, target, aim.task, [each for each in columns if each.name not in not_inputs]),
    )  # fmt: skip


def _cells(rows: pl.DataFrame, columns: Sequence[Column], target: Target) -> Cells:
    """How much there is to learn from in columns that are read cell by cell."""
    read = [column for column in columns if _is_read_by_cell(column)]
    some = rows.gather_every(math.ceil(len(rows) / MANY_ROWS))
    numbers = [some[column.name].n_unique() for column in read if column.kind == NUMBER.name]
    dates = sum(column.kind == DATE.name for column in read)
    words = [column.settings.most for column in read if isinstance(column.settings, CategorySettings)]
    booleans = sum(column.kind == BOOLEAN.name for column in read)
    return Cells(
        rows=len(rows),
        different=(*numbers, *([len(some)] * dates * len(PARTS_OF_A_DATE)), *([2] * booleans)),
        vocabularies=tuple(words),
        outputs=len(labels_of(rows[target.column])) if target.task == "classification" else 1,
    )


def _is_read_by_cell(column: Column) -> bool:
    return column.kind != LEFT_OUT and not kind_named(column.kind).parts


def _folds(columns: Sequence[Column]) -> int:
    """Into how many parts the training rows are dealt, at most: what is fewest for any part of the network."""
    kinds = [kind_named(column.kind) for column in columns if column.kind != LEFT_OUT]
    return min([MOST_FOLDS, *(part.folds for kind in kinds for part in kind.parts)])


def _kind_parts(
    rows: pl.DataFrame,
    columns: Sequence[Column],
    target: Target,
    fitting: Fitting,
    seconds: float | None,
    pretrained: str | None,
) -> dict[str, PartSettings]:
    """The parts of the network that kinds bring along, where there are such columns and it is worth the time."""
    read = [(kind, {column.name: column.settings for column in columns if column.kind == kind.name}) for kind in KINDS]
    deciding = [(kind.part_settings, of_kind) for kind, of_kind in read if of_kind and kind.part_settings]
    if not deciding:
        return {}
    values, outputs = target_values(rows[target.column], target)
    known = values.isfinite()
    aim = Aim(values[known], outputs, fitting.folds, seconds, fitting.seed, pretrained)
    taught = rows.filter(pl.Series(known.numpy()))
    decided = [settings_for(taught, of_kind, aim) for settings_for, of_kind in deciding]
    return {name: part for parts in decided for name, part in parts.items()}


def _cell_parts(
    cells: Cells, seconds: float | None, parts: Sequence[CellPart[Any]] = CELL_PARTS
) -> tuple[dict[str, PartSettings], float | None]:
    """Those over columns that are read cell by cell, and the seconds that they leave for the small networks."""
    if not cells.enough:
        return {}, seconds
    times, left = ({}, None) if seconds is None else shared_out(seconds, parts)
    sizes = {part.name: part.sizes(cells, times.get(part.name)) for part in parts}
    worth = {name: settings for name, settings in sizes.items() if settings}
    if len(worth) < len(parts):  # the others have its time
        return _cell_parts(cells, seconds, [part for part in parts if part.name in worth])
    return worth, left


def target_values(cells: pl.Series, target: Target) -> tuple[Tensor, int]:
    """The target of training rows as a part of the network learns it, and the number of outputs that it takes."""
    if target.task == "classification":
        labels = labels_of(cells)
        return codes(cells, labels) - 1, len(labels)
    return column_values(cells, target.reading), 1


def source_of(reading: Reading) -> Source:
    """The source as the plan keeps it."""
    return Source(
        location=reading.location, name=reading.name, reader=reading.reader, paths=reading.paths,
        options=dict(reading.options), copied=not reading.exact, forms=reading.forms or None,
    )  # fmt: skip


def split_reasons(split: Split) -> Mapping[str, str]:
    """Why the rows are parted as they are."""
    ways = {
        "chance": "chosen by chance, before anything looked at them",
        "time": "the latest rows are the test, as the future will be",
        "group": "rows of one group never part",
        "file": "the test rows have a file of their own",
        "none": "asked for: nothing is tested",
    }
    alike = (
        "rows that are equal in these columns never part"
        if split.alike
        else "most rows have a twin: equality says nothing"
    )
    reasons = {"split.way": ways[split.way]}
    if split.way == "chance":
        reasons["split.alike"] = alike
    fate = "never part" if split.way in ("chance", "none") else "are counted where the test parts them"
    near = {
        "near_texts": f"rows whose texts are nearly equal {fate}",
        "near_pictures": f"rows whose pictures are equal, or look nearly the same, {fate}",
        "near_videos": f"rows whose videos are equal, or look nearly the same, {fate}",
        "near_names": f"clips of one source, as the names of their files say, {fate}",
        "near_sequences": f"rows whose sequences, or reverse complements, are nearly equal {fate}",
    }
    reasons |= {f"split.{name}": reason for name, reason in near.items() if getattr(split, name)}
    return reasons


def decide_target(cells: pl.Series, name: str, task: Task | None) -> tuple[Target, str]:
    """What is predicted: classes or a number, and why; refuses a target that cannot be predicted."""
    if not has_words(cells):
        raise Refused(f"column {name!r} cannot be predicted: its cells ({cells.dtype}) are neither words nor numbers.")
    different = words(cells).n_unique()
    if different < 2:
        raise Refused(f"column {name!r} is the same in every row ({words(cells)[0]!r}); there is nothing to predict.")
    number = NUMBER.claim(cells)
    if task is None:
        task, reason = _task_of(cells, different, number)
    else:
        reason = "asked for"
    if task == "regression":
        if number is None:
            raise Refused(
                f"column {name!r} holds words such as {cells[0]!r}, not numbers; predict it with --task classification."
            )
        return Target(column=name, task=task, read=number.settings.read), reason
    if different > MOST_CLASSES or different > len(cells) / 2:
        raise Refused(
            f"column {name!r} has {whole(different)} different values in {whole(len(cells))} rows: "
            "too many to be classes" + ("; predict it as a number with --task regression." if number else ".")
        )
    return Target(column=name, task=task), reason


def _task_of(cells: pl.Series, different: int, number: Claim[NumberSettings] | None) -> tuple[Task, str]:
    if number is None:
        return "classification", f"{whole(different)} different words"
    if different == 2:
        return "classification", "two different values"
    values = column_values(cells, number.settings)
    known = values[~values.isnan()]
    integers = bool((known == known.round()).all())
    if integers and different <= FEW_CLASSES and known.min() in (0, 1) and known.max() - known.min() == different - 1:
        low, high = int(known.min()), int(known.max())
        return (
            "classification",
            f"whole numbers from {low} to {high}: taken as classes (--task regression to predict an amount)",
        )
    return "regression", f"numbers, {whole(different)} different ones"


def decide_column(cells: pl.Series, target: pl.Series, aim: Target) -> Decision:
    """The surest claim among the kinds, or why the column is left out."""
    claims = _claims(cells)
    if reason := _reason_to_leave_out(cells, target, aim, claims):
        return Decision(Column(name=cells.name, kind=LEFT_OUT, settings=None), reason)
    kind = max(claims, key=lambda name: claims[name].sureness)
    return Decision(Column(name=cells.name, kind=kind, settings=claims[kind].settings), claims[kind].reason)


def _claims(cells: pl.Series) -> dict[str, Claim[Any]]:
    """The claims of all kinds that make one, by their names."""
    claims = {kind.name: kind.claim(cells) for kind in KINDS} if _is_read(cells) else {}
    return {name: claim for name, claim in claims.items() if claim is not None}


def _is_read(cells: pl.Series) -> bool:
    """Whether there may be a kind for the cells: they can be written as words, or are pixels."""
    return has_words(cells) or pixel_shape(cells.dtype) is not None


def _reason_to_leave_out(cells: pl.Series, target: pl.Series, aim: Target, claims: Mapping[str, Claim[Any]]) -> str:
    """Why a column cannot help, or would help only by cheating; "" where it may be used."""
    known = cells.drop_nulls()
    if len(known) == 0:
        return "empty: every training cell is a gap"
    if not _is_read(cells):
        return f"its cells ({cells.dtype}) are of no kind that is read"
    if not has_words(cells):
        return ""  # no number and no word is hidden in pixels
    if known.n_unique() == 1 and len(known) == len(cells):
        return f"constant: always {str(known[0])[:40]!r}"
    if reason := copy_of_target(cells, target, aim):
        return reason
    if are_proteins(known):
        return "protein sequences, which are not read"
    if reason := _identifier(known, len(cells), claims):
        return reason
    if claims:
        return ""
    if isinstance(cells.dtype, WRITTEN):
        return "its cells differ and hold figures and signs, hardly any words"
    return f"its cells ({cells.dtype}) are of no kind that is read"


def _identifier(known: pl.Series, rows: int, claims: Mapping[str, Claim[Any]]) -> str:
    """Whole numbers or short words that are all different only name the row."""
    if rows < IDENTIFIER_ROWS or len(known) < rows or known.n_unique() < rows:
        return ""
    if isinstance(known.dtype, WRITTEN):
        if NUMBER.name not in claims:
            told = any(kind.name in claims for kind in (DATE, TEXT, DNA))
            return "" if told else f"an identifier: {whole(rows)} different values in {whole(rows)} training rows"
        values = column_values(known, claims[NUMBER.name].settings)
        known = pl.Series(values.numpy()).drop_nans()
    if not known.dtype.is_numeric() or not (known == known.round()).all():
        return ""
    spread = float(known.max()) - float(known.min())  # type: ignore[arg-type]
    if spread < 2 * rows:
        return f"an identifier: {whole(rows)} different whole numbers in {whole(rows)} training rows, close together"
    return ""


def _why_none(decisions: list[Decision]) -> str:
    return "; ".join(f"{decision.column.name}: {decision.reason}" for decision in decisions[:3]) or "there is no other"
