"""Step 4, predict: a model's answers to new rows, as a table, with what was odd about the rows."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from firstlight.model.answers import ClassAnswers
from firstlight.model.encoding import complete, oddities
from firstlight.model.predictor import Predictor
from firstlight.model.why import Why, notes_on, whys
from firstlight.refusal import Refused, nearest

WHY = "why"  # the column that says what moved an answer


@dataclass(frozen=True, eq=False)
class Predictions:
    """The answers, in the order of the rows.

    frame: a column named as the target; then P(label) for each class, or low and high, which hold 95 rows in 100.
           Last, where it was asked for, a column why: what moved the answer, as text. First, where the source names
           its records, the column of these names.
    notes: what was met on the way, a sentence each: columns that are missing, words never seen.
    whys:  the same as that column, as values; empty where it was not asked for.
    """

    frame: pl.DataFrame
    notes: tuple[str, ...]
    whys: tuple[Why, ...] = ()


def predictions(
    predictor: Predictor, rows: pl.DataFrame, source: str, *, naming: str | None = None, why: bool = False
) -> Predictions:
    """The kept model's answer to each row. Columns may stand in any order, be missing, or be more than are needed.

    naming: the column that names each record, if there is one; it comes first.
    why:    whether to find out what in each row moved its answer, by leaving it out and asking again.

    Raises Refused where the rows have none of the columns that the model reads, or pixels of a form that it cannot see.
    """
    wanted = predictor.plan.inputs
    if not any(name in rows.columns for name in wanted):
        near = [found for name in wanted if (found := nearest(name, rows.columns))]
        hint = f"; is {near[0]!r} one of them, under another name?" if near else "."
        first = ", ".join(map(repr, wanted[:5])) + (f" and {len(wanted) - 5} more" if len(wanted) > 5 else "")
        raise Refused(f"{source} has none of the columns that the model reads ({first}){hint}")
    completed, missing = complete(rows, predictor.plan)
    answers = predictor.answer(completed)
    target = predictor.plan.target.column
    if isinstance(answers, ClassAnswers):
        labels = predictor.encoders.labels
        likeliest = [labels[number] for number in answers.probabilities.argmax(dim=1).tolist()]
        named = {f"P({label})": answers.probabilities[:, number].numpy() for number, label in enumerate(labels)}
        columns = [pl.Series(target, likeliest, dtype=pl.String)]
    else:
        columns = [pl.Series(target, answers.predictions.numpy())]
        named = {"low": answers.low.numpy(), "high": answers.high.numpy()}
    for name, values in named.items():
        columns.append(pl.Series(_free(name, [column.name for column in columns]), values))
    reasons = tuple(whys(predictor, completed)) if why else ()
    if why:
        texts = [str(each) for each in reasons]
        columns.append(pl.Series(_free(WHY, [column.name for column in columns]), texts, dtype=pl.String))
    if naming is not None:
        columns.insert(0, rows[naming].alias(_free(naming, [column.name for column in columns])))
    frame = pl.DataFrame({column.name: column for column in columns})
    notes = (*missing, *oddities(completed, predictor.plan, predictor.encoders), *notes_on(predictor, reasons))
    return Predictions(frame, notes, reasons)


def _free(name: str, taken: list[str]) -> str:
    """The name, with an apostrophe after it where another column is called just that."""
    while name in taken:
        name += "'"
    return name
