"""Step 4, predict: what in each row moved its answer, for any model and kind of column.

Each part of a row is left out, or replaced, and the model is asked again; what the part did is the answer with it minus
the answer without it, all else in place. The effects do not add up to the answer: of two words that say the same, each
may seem to do little, as the other still stands there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from firstlight.kinds.kind import Occlusion
from firstlight.model.answers import ClassAnswers
from firstlight.model.predictor import Predictor
from firstlight.plain.why import Change, effects_of, log_odds
from firstlight.plan.plan import Plan

ROWS = 1024  # whose effects are held at a time
LETTERS = 4_000_000  # or bytes of changed cells that are answered at a time, so that memory stays bounded
CELLS = 4096
MOST_TOLD = 5
LEAST_LOG_ODDS = 0.005  # less than this is nothing: it reads as 0.00
LEAST_DEVIATION = 0.001  # the same for numbers, in deviations of the target
LONGEST_PART = 40  # letters of a word that are shown


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a row that can be left out. number: of the part in its cell, from 1; 0 for the cell as a whole."""

    column: str
    number: int
    part: str


@dataclass(frozen=True, eq=False)
class Effects:
    """What each part of one row did.

    values:    (parts, classes), on the log-odds of each class; or (parts, 1), on the number, in the target's unit.
    likeliest: the class that the row is answered with; 0 for a number.
    beyond:    the columns of which not all parts were left out.
    """

    row: int
    parts: tuple[Place, ...]
    values: Tensor
    likeliest: int
    beyond: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """A part of a row that moved its answer.

    part: the word or base, which stands at `number` among them; "" and 0 where the whole cell was left out.
    told: how the part is named for people. effect: on the log-odds of the answered class, or in the target's unit.
    """

    column: str
    part: str
    number: int
    told: str
    effect: float


@dataclass(frozen=True, slots=True)
class Why:
    """What moved the answer to one row: the strongest first, without what did next to nothing.

    beyond: the columns of which only the first parts were looked at.
    """

    moved: tuple[Moved, ...]
    beyond: tuple[str, ...]

    def __str__(self) -> str:
        """The strongest few: "refund" +1.2, "great" -0.8, price +0.3; with two digits of the strongest."""
        strongest = self.moved[:MOST_TOLD]
        texts = signed([each.effect for each in strongest])
        return ", ".join(f"{each.told} {text}" for each, text in zip(strongest, texts, strict=True) if text)


def signed(effects: Sequence[float]) -> list[str]:
    """Effects with their sign, to two digits of the largest; "" for what comes to nothing beside it.

    >>> signed([1.234, -0.81, 0.3, 0.02]), signed([12345.6, -300.0])
    (['+1.2', '-0.8', '+0.3', ''], ['+12 346', '-300'])
    """
    largest = max(map(abs, effects), default=0.0)
    decimals = max(0, 1 - math.floor(math.log10(largest))) if largest else 0
    texts = [f"{effect:+,.{decimals}f}".replace(",", " ") for effect in effects]
    return [text if text.strip("+-0. ") else "" for text in texts]


def whys(predictor: Predictor, rows: pl.DataFrame) -> Iterator[Why]:
    """What moved the kept model's answer to each row; rows: any table with the plan's columns."""
    plan = predictor.plan
    least = LEAST_LOG_ODDS if plan.target.task == "classification" else LEAST_DEVIATION * predictor.unit.deviation
    occlusions = occlusions_of(plan)
    for effects in effects_in(predictor, rows):
        values = effects.values[:, effects.likeliest].tolist()
        moved = [
            Moved(place.column, place.part, place.number, _told(place, occlusions), value)
            for place, value in zip(effects.parts, values, strict=True)
            if abs(value) >= least
        ]
        yield Why(tuple(sorted(moved, key=lambda each: -abs(each.effect))), effects.beyond)


def occlusions_of(plan: Plan) -> dict[str, Occlusion]:
    """The columns whose cells are taken apart, and how."""
    return {name: kind.occlusion for kind in plan.kinds if kind.occlusion for name in plan.of_kind(kind)}


def notes_on(predictor: Predictor, reasons: Iterable[Why]) -> tuple[str, ...]:
    """A note on each column with cells of which only the first parts were looked at."""
    beyond = [name for why in reasons for name in why.beyond]
    return tuple(
        f"{name}: {beyond.count(name)} {'row has' if beyond.count(name) == 1 else 'rows have'} {occlusion.beyond}"
        for name, occlusion in occlusions_of(predictor.plan).items()
        if name in beyond
    )


def _told(place: Place, occlusions: dict[str, Occlusion]) -> str:
    if not place.number:
        return place.column
    part = place.part if len(place.part) <= LONGEST_PART else f"{place.part[: LONGEST_PART - 1]}…"
    told = occlusions[place.column].told.format(part=part, number=place.number)
    return told if len(occlusions) == 1 else f"{told} in {place.column}"


def effects_in(
    predictor: Predictor, rows: pl.DataFrame, only: Mapping[str, Occlusion] | None = None
) -> Iterator[Effects]:
    """The effect of each part of each row on the kept model's answer.

    only: the columns whose cells are taken apart, and no other; else all, and cells that are read as a whole are left
    out, too.
    """
    for start in range(0, len(rows), ROWS):
        for effects in _effects_in_block(predictor, rows[start : start + ROWS], only):
            yield Effects(start + effects.row, effects.parts, effects.values, effects.likeliest, effects.beyond)


def _effects_in_block(
    predictor: Predictor, rows: pl.DataFrame, only: Mapping[str, Occlusion] | None
) -> Iterator[Effects]:
    occlusions = occlusions_of(predictor.plan) if only is None else only
    values = _values(predictor, rows)
    cells = [name for name in predictor.plan.inputs if name not in occlusions] if only is None else []
    without = [
        values - _values(predictor, rows.with_columns(pl.lit(None, rows[name].dtype).alias(name))) for name in cells
    ]
    apart = [_taken_apart(predictor, rows, name, occlusion, values) for name, occlusion in occlusions.items()]
    for row in range(len(rows)):
        parts = [Place(name, 0, "") for name in cells] + [part for each in apart for part in each.parts[row]]
        effects = torch.cat([*(each[row : row + 1] for each in without), *(each.effects[row] for each in apart)])
        likeliest = int(values[row].argmax()) if values.shape[1] > 1 else 0
        yield Effects(row, tuple(parts), effects, likeliest, tuple(each.column for each in apart if each.beyond[row]))


def _values(predictor: Predictor, rows: pl.DataFrame) -> Tensor:
    """On what effects are measured: log-odds (rows, classes), or numbers (rows, 1); float64."""
    answers = predictor.answer(rows)
    if isinstance(answers, ClassAnswers):
        return log_odds(answers.probabilities.double())
    return answers.predictions.double().unsqueeze(1)


@dataclass(frozen=True, eq=False)
class _Apart:
    """A column taken apart: of each row its parts, what they did, (parts, outputs), and whether there are more."""

    column: str
    parts: list[list[Place]]
    effects: list[Tensor]
    beyond: list[bool]


def _taken_apart(predictor: Predictor, rows: pl.DataFrame, column: str, occlusion: Occlusion, values: Tensor) -> _Apart:
    apart = _Apart(column, [[] for _ in values], [values[:0] for _ in values], [False] * len(values))
    asked: list[tuple[int, Change]] = []  # without the cells, which are many and long
    answers = [values[:0]]
    for block in _blocks(_changes(rows[column], occlusion)):
        kept = [(row, change) for row, change in block if change.number <= occlusion.most]
        for row, change in block:
            apart.beyond[row] |= change.number > occlusion.most
        asked += [(row, Change(change.number, change.part, "")) for row, change in kept]
        if kept:
            cells = _column(column, [change.cell for _, change in kept])
            answers.append(_values(predictor, rows[[row for row, _ in kept]].with_columns(cells)))
    changed, done = torch.cat(answers), 0
    for row, found in groupby(asked, key=itemgetter(0)):
        changes = [change for _, change in found]
        of_row = torch.cat([values[row : row + 1], changed[done : done + len(changes)]])
        apart.parts[row] += dict.fromkeys(Place(column, change.number, change.part) for change in changes)
        apart.effects[row] = effects_of(changes, of_row)
        done += len(changes)
    return apart


def _changes(cells: pl.Series, occlusion: Occlusion) -> Iterator[tuple[int, Change]]:
    """The changes of every row's cell, of one part more than are asked about where there is one."""
    for row, cell in enumerate(occlusion.cells_of(cells)):
        yield from ((row, change) for change in occlusion.changes(cell, occlusion.most + 1))


def _column(name: str, cells: list[Any]) -> pl.Series:
    """Changed cells as a column."""
    return pl.Series(name, cells, dtype=pl.String) if isinstance(cells[0], str) else pl.Series(name, np.stack(cells))


def _blocks(changes: Iterator[tuple[int, Change]]) -> Iterator[list[tuple[int, Change]]]:
    """The changes in blocks of bounded size."""
    block: list[tuple[int, Change]] = []
    letters = 0
    for each in changes:
        block.append(each)
        letters += len(each[1].cell) if isinstance(each[1].cell, str) else each[1].cell.nbytes
        if letters >= LETTERS or len(block) >= CELLS:
            yield block
            block, letters = [], 0
    if block:
        yield block
