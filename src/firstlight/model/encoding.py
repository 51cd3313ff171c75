"""Step 1, prepare: turning the cells of a table into the tensors that a plan asks for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import torch
from torch import Tensor

from firstlight.kinds.kind import Learned
from firstlight.kinds.number import column_values
from firstlight.plain.categories import codes, words
from firstlight.plain.targets import labels_of
from firstlight.plan.plan import Plan
from firstlight.refusal import Refused
from firstlight.wording import counted

SHOWN = 3  # examples of each oddity


@dataclass(frozen=True)
class Encoders:
    """What the training rows taught about words: the vocabularies of each kind's columns, and the target's labels."""

    learned: Mapping[str, Learned]  # by block
    labels: tuple[str, ...]  # of the classes, in the order of their numbers; none for regression


def learn(rows: pl.DataFrame, plan: Plan) -> Encoders:
    """The encoders for a plan, from training rows alone."""
    learned = {kind.block: kind.learn(rows, plan.of_kind(kind)) for kind in plan.kinds}
    labels = labels_of(rows[plan.target.column]) if plan.target.task == "classification" else []
    return Encoders(learned, tuple(labels))


def encode(rows: pl.DataFrame, plan: Plan, encoders: Encoders, blocks: Collection[str] | None = None) -> dict[str, Any]:
    """A tensor for each kind of column, (rows, ...) each, under the names of the kinds' blocks.

    What the parts of the network that kinds bring along need stands beside them, under the names of their blocks.
    blocks: of which names; None: all.
    """
    return {
        **{
            kind.block: kind.encode(rows, plan.of_kind(kind), encoders.learned[kind.block])
            for kind in plan.kinds
            if blocks is None or kind.block in blocks
        },
        **{
            block: part.encode(rows, plan.of_kind(kind), plan.parts[part.name])
            for block, (kind, part) in plan.part_blocks.items()
            if blocks is None or block in blocks
        },
    }


def encode_target(cells: pl.Series, plan: Plan, encoders: Encoders) -> Tensor:
    """Classes (rows,) int64, or numbers (rows,) float64 in the target's own unit."""
    if plan.target.task == "classification":
        return codes(cells, encoders.labels) - 1  # -1: a label that is none of them
    return target_numbers(cells, plan)


def target_numbers(cells: pl.Series, plan: Plan) -> Tensor:
    """The target as numbers (rows,) float64; NaN where a cell holds none."""
    return column_values(cells, plan.target.reading)


def known_targets(cells: pl.Series, plan: Plan, encoders: Encoders) -> pl.Series:
    """Whether each cell holds a target that the model can be tested on: (rows,) boolean."""
    if plan.target.task == "classification":
        return words(cells).is_in(list(encoders.labels))
    return pl.Series(torch.isfinite(target_numbers(cells, plan)).numpy())


def complete(rows: pl.DataFrame, plan: Plan) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The rows with every column that the plan asks for, and a note on each that is missing: it counts as all gaps.

    Raises Refused where pixels have a form that the model cannot see.
    """
    gaps, notes = [], []
    for kind in plan.kinds:
        for name, settings in plan.of_kind(kind).items():
            if name not in rows.columns:
                notes.append(f"{name}: the column is missing: taken as a gap in every row")
            elif kind.cell_type and not isinstance(rows[name].dtype, pl.Array):
                notes.append(f"{name}: no {kind.name} is there: taken as a gap in every row")
            else:
                continue
            gaps.append(pl.lit(None, kind.cell_type(settings) if kind.cell_type else pl.String()).alias(name))
    completed = rows.with_columns(gaps)
    for kind in plan.kinds:
        if kind.cell_type:
            learned = {name: kind.cell_type(settings) for name, settings in plan.of_kind(kind).items()}
            _refuse_other_forms(completed.select(*learned).schema, learned)
    return completed, tuple(notes)


def _refuse_other_forms(given: Mapping[str, pl.DataType], learned: Mapping[str, pl.DataType]) -> None:
    """Pictures may have another size, and be grey beside ones in colour; videos have the form of those learned from."""
    forms, forms_learned = ({name: cells.shape for name, cells in each.items()} for each in (given, learned))  # type: ignore[attr-defined]
    most, most_learned = (max(form[-1] for form in each.values()) for each in (forms, forms_learned))
    for name, form in forms.items():
        wanted = forms_learned[name]
        other = most != most_learned and form[-1] != wanted[-1]
        if len(form) != len(wanted) or other or (len(wanted) == 4 and form != wanted):
            here, there = (" x ".join(map(str, each)) for each in (form, wanted))
            raise Refused(f"{name} holds pixels of the form {here}; the model learned from {there}.")


def strays_in(rows: pl.DataFrame, plan: Plan) -> tuple[str, ...]:
    """A note on each column with cells that cannot be read as what the column is."""
    notes = []
    for kind in plan.kinds:
        for name, settings in plan.of_kind(kind).items():
            strays = rows[name].filter(kind.strays(rows[name], settings))
            if len(strays):
                what = f"{kind.strays_told(len(strays))} ({_examples(kind.strays_shown(strays))})"
                notes.append(f"{name}: {what}: {kind.strays_become}")
    return tuple(notes)


def oddities(rows: pl.DataFrame, plan: Plan, encoders: Encoders) -> tuple[str, ...]:
    """What rows hold that a model cannot use: cells that cannot be read, and words that it does not know."""
    words_known = {name: known for kind in plan.cell_kinds for name, known in encoders.learned[kind.block].items()}
    unseen = [note for name, known in words_known.items() for note in _unseen(rows[name], known, name)]
    return (*strays_in(rows, plan), *unseen)


def _unseen(cells: pl.Series, known: Sequence[str], name: str) -> list[str]:
    unseen = words(cells).filter(~words(cells).is_in(list(known)))
    gaps = int((unseen == "").sum())
    others = unseen.filter(unseen != "")
    notes = []
    if len(others):
        notes.append(
            f"{name}: {counted(len(others), 'row')} with a word that the training rows do not teach"
            f" ({_examples(others)}): answered from the other columns"
        )
    if gaps:
        notes.append(f"{name}: {counted(gaps, 'gap')}, and none in the training rows: answered from the other columns")
    return notes


def _examples(cells: pl.Series) -> str:
    """The most frequent cells with their counts: Lyon 20, Nice 9, 3 more."""
    counts = words(cells).alias("word").value_counts(name="count").sort(["count", "word"], descending=[True, False])
    shown = [f"{row[0][:40]} {row[1]}" for row in counts.head(SHOWN).iter_rows()]
    more = [f"{len(counts) - SHOWN} more"] if len(counts) > SHOWN else []
    return ", ".join(shown + more)
