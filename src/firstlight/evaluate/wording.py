"""Numbers, names and score tables as people read them: the one place where a score becomes text.

Thousands are parted by a space ("7 043"), shares are percentages ("98.6 %"), and what the rows do not
determine is a dash.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from firstlight.evaluate.evaluation import Contender, Evaluation, Score, ScoreName
from firstlight.wording import whole

DASH = "–"
INTERVAL = "95 % interval"
LONGEST_NAME = 40

TITLES: dict[ScoreName, str] = {
    "accuracy": "right",
    "log_loss": "log loss",
    "macro_f1": "macro F1",
    "auc": "AUC",
    "mean_absolute_error": "off by",
    "root_mean_squared_error": "RMSE",
    "r_squared": "R²",
    "range_coverage": "in range",
}
SHARES: tuple[ScoreName, ...] = ("accuracy", "range_coverage")
IN_TARGETS_UNIT: tuple[ScoreName, ...] = ("mean_absolute_error", "root_mean_squared_error")


@dataclass(frozen=True)
class ScoreRow:
    """One contender's line of a table of scores: one cell a column, as text."""

    name: str
    cells: tuple[str, ...]
    kept: bool


@dataclass(frozen=True)
class ScoreTable:
    """Headings of the cells, and a row for each contender. Cells are to be aligned to the right."""

    columns: tuple[str, ...]
    rows: tuple[ScoreRow, ...]


def headline(evaluation: Evaluation) -> ScoreTable:
    """The few scores that matter most, the first of them with its interval."""
    if evaluation.task == "classes":
        return _table(evaluation, ("accuracy", "log_loss"), with_interval=("accuracy",))
    names: tuple[ScoreName, ...] = ("mean_absolute_error", "root_mean_squared_error", "r_squared")
    return _table(evaluation, names, with_interval=("mean_absolute_error",))


def _table(evaluation: Evaluation, names: Sequence[ScoreName], with_interval: Sequence[ScoreName]) -> ScoreTable:
    columns = []
    for name in names:
        columns += [TITLES[name], INTERVAL] if name in with_interval else [TITLES[name]]
    rows = tuple(_row(contender, names, with_interval) for contender in evaluation.contenders)
    return ScoreTable(tuple(columns), rows)


def _row(contender: Contender, names: Sequence[ScoreName], with_interval: Sequence[ScoreName]) -> ScoreRow:
    cells = []
    for name in names:
        score = contender.score(name)
        cells.append(scored(name, score.value))
        if name in with_interval:
            cells.append(interval(score))
    return ScoreRow(contender.name, tuple(cells), contender.kept)


def scored(name: ScoreName, value: float | None) -> str:
    """The value of a score as its kind is written: "98.6 %", "0.041", "47 300"; a dash for None."""
    if value is None:
        return DASH
    if name in SHARES:
        return percent(value)
    return significant(value) if name in IN_TARGETS_UNIT else thousandths(value)


def interval(score: Score) -> str:
    """The 95 % interval of a score: "92.2 – 99.7"; a dash where the rows do not allow one."""
    if score.low is None or score.high is None:
        return DASH
    low, high = (scored(score.name, bound).removesuffix(" %") for bound in (score.low, score.high))
    return f"{low} {DASH} {high}"


def percent(share: float) -> str:
    """A share as a percentage, with as many digits as it takes to tell it from 0 % and from 100 %.

    >>> percent(0.986), percent(1.0), percent(0.99996)
    ('98.6 %', '100.0 %', '99.996 %')
    """
    for digits in range(1, 7):
        text = f"{100 * share:.{digits}f}"
        if share in (0.0, 1.0) or float(text) not in (0.0, 100.0):
            return f"{text} %"
    return f"{100 * share:.1f} %"


def thousandths(value: float) -> str:
    """A number without a unit, to three decimals.

    >>> thousandths(0.0411), thousandths(0.00004)
    ('0.041', '< 0.001')
    """
    return "< 0.001" if 0 < value < 0.0005 else f"{value:.3f}".replace("-0.000", "0.000")


def significant(value: float, digits: int = 3) -> str:
    """A number rounded to its first few digits, so that it does not look better known than it is.

    >>> significant(47312.4), significant(0.041234), significant(12), significant(2e-7)
    ('47 300', '0.0412', '12.0', '2.00e-07')
    """
    if value == 0:
        return "0"
    rounded = f"{abs(value):.{digits - 1}e}"  # 9.996 becomes 1.00e+01
    exponent = int(rounded.partition("e")[2])
    if not -4 <= exponent < 15:
        return f"{value:.{digits - 1}e}"
    decimals = digits - 1 - exponent
    return f"{round(value, decimals):,.{max(decimals, 0)}f}".replace(",", " ")


def named(text: str) -> str:
    """A name that a stranger may have written: without control characters, and not too long.

    >>> named("species"), named("a" * 50 + "!")
    ('species', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…')
    """
    short = text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in short)


def listed(names: Sequence[str], word: str, most: int = 3) -> str:
    """Names as in a sentence, joined by "and" or "or"; beyond the first few their number.

    >>> listed(["a", "b", "c"], "and"), listed(["a", "b", "c", "d", "e"], "or")
    ('a, b and c', 'a, b, c or 2 more')
    """
    shown = [named(name) for name in names[:most]]
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {word} {shown[-1]}"


def times(number: int) -> str:
    """How often: "never", "once", "43 times"."""
    return {0: "never", 1: "once"}.get(number, f"{whole(number)} times")


def out_of(share: float) -> int:
    """The round number of rows, 100 or ten times that and so on, in which a share is neither none nor all.

    >>> out_of(0.986), out_of(0.9991)
    (100, 1000)
    """
    if not 0 < share < 1:
        return 100
    rows = 100
    while round(share * rows) in (0, rows):
        rows *= 10
    return rows


def at_least(low: float, rows: int) -> int:
    """A lower bound as a count of `rows`, never rounded up."""
    return math.floor(low * rows + 1e-9)


def at_most(high: float, rows: int) -> int:
    """An upper bound as a count of `rows`, never rounded down."""
    return math.ceil(high * rows - 1e-9)
