"""Step 4, evaluate: what the scores mean, in sentences that anyone can read aloud.

First how good it is, then beside what, then what to beware of; one idea a line. "Better" is said only where
the 95 % interval of the paired difference lies above zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from firstlight.evaluate.evaluation import CONSTANT, LINE, NETWORK, Difference, Evaluation, Measure
from firstlight.evaluate.wording import (
    at_least,
    at_most,
    listed,
    named,
    out_of,
    percent,
    significant,
    thousandths,
    times,
)
from firstlight.wording import counted, whole

FEW_ROWS = 40  # below this shares are told as counts, and the verdict calls itself a hint
FEW_GROUPS = 10
NARROW = 0.93  # ranges that hold less are worth a word; with many rows even 94.5 % is shown to be below 95 %

# How the test rows were chosen; folds is the cross-validation of a small table.
TestedOn = Literal["rows", "file", "groups", "time", "folds"]
State = Literal["better", "unshown", "worse"]
States = tuple[State, State]  # of the loss that decides, and of the score that is easier to picture

NOTHING = "It has learned nothing that is shown on these rows."

CLASSES_BESIDE_CONSTANT: dict[States, str] = {
    ("better", "better"): "",
    ("better", "unshown"): "It is not shown to be right more often than that, "
    "but its probabilities are better than a fixed guess.",
    ("better", "worse"): "It is right less often than that, but its probabilities are better than a fixed guess.",
    ("unshown", "better"): "It is right more often than that, "
    "but its probabilities are not shown to be better than a fixed guess.",
    ("unshown", "unshown"): NOTHING,
    ("unshown", "worse"): "It is right less often than that.",
    ("worse", "better"): "It is right more often than that, "
    "but its probabilities are worse than a fixed guess: do not rely on them.",
    ("worse", "unshown"): "Its probabilities are worse than a fixed guess: do not rely on them.",
    ("worse", "worse"): "It is worse than that.",
}
CLASSES_BESIDE_OTHER: dict[States, str] = {
    ("better", "better"): "It is better than the {other}, which is right {score}.",
    ("better", "unshown"): "Its probabilities are better than those of the {other}; "
    "that it is right more often is not shown.",
    ("better", "worse"): "Its probabilities are better than those of the {other}, but it is right less often.",
    ("unshown", "better"): "It is right more often than the {other}; that its probabilities are better is not shown.",
    ("unshown", "unshown"): "On these rows it is not shown to be better than the {other}.",
    ("unshown", "worse"): "On these rows it is right less often than the {other}.",
    ("worse", "better"): "It is right more often than the {other}, but its probabilities are worse.",
    ("worse", "unshown"): "On these rows its probabilities are worse than those of the {other}.",
    ("worse", "worse"): "On these rows the {other} is better.",
}
NUMBERS_BESIDE_CONSTANT: dict[States, str] = {
    ("better", "better"): "",
    ("better", "unshown"): "Its large errors are smaller than that guess's; that it is closer on average is not shown.",
    ("better", "worse"): "Its large errors are smaller than that guess's, but it is further off on average.",
    ("unshown", "better"): "It is closer on average than that; that its large errors are smaller is not shown.",
    ("unshown", "unshown"): NOTHING,
    ("unshown", "worse"): "It is further off on average than that.",
    ("worse", "better"): "It is closer on average than that, but its large errors are larger.",
    ("worse", "unshown"): "Its large errors are larger than that guess's.",
    ("worse", "worse"): "It is worse than that.",
}
NUMBERS_BESIDE_OTHER: dict[States, str] = {
    ("better", "better"): "It is better than the {other}, which is off by {score}.",
    ("better", "unshown"): "Its large errors are smaller than those of the {other}; "
    "that it is closer on average is not shown.",
    ("better", "worse"): "Its large errors are smaller than those of the {other}, but it is further off on average.",
    ("unshown", "better"): "It is closer on average than the {other}; that its large errors are smaller is not shown.",
    ("unshown", "unshown"): "On these rows it is not shown to be better than the {other}.",
    ("unshown", "worse"): "On these rows it is further off on average than the {other}.",
    ("worse", "better"): "It is closer on average than the {other}, but its large errors are larger.",
    ("worse", "unshown"): "On these rows its large errors are larger than those of the {other}.",
    ("worse", "worse"): "On these rows the {other} is better.",
}


@dataclass(frozen=True)
class Circumstances:
    """How the test rows came to be, and what else a reader must know to believe the score."""

    split: TestedOn
    column: str | None  # of the groups, or of the time; else None
    looks: int  # how often these test rows were evaluated, this time included
    leaks: tuple[str, ...]  # columns that seem to give the answer away

    def __post_init__(self) -> None:
        if self.looks < 1 or (self.column is None) == (self.split in ("groups", "time")):
            raise ValueError(f"need a look or more, and a column just for groups and time; got {self}")


def verdict(evaluation: Evaluation, *, target: str, circumstances: Circumstances) -> str:
    """The scores in plain sentences, one idea a line.

    target: the name of the column that is predicted.
    """
    target = named(target)
    if evaluation.task == "classes":
        lines = [_right(evaluation, target, circumstances), _classes_beside(evaluation)]
    else:
        lines = [_off(evaluation, target, circumstances), _numbers_beside(evaluation, target)]
    lines += _cautions(evaluation, target, circumstances)
    return "\n".join(line for line in lines if line)


def untested(*, target: str, leaks: Sequence[str]) -> str:
    """The verdict where no test rows were set aside."""
    unknown = f"how well it predicts {named(target)} for new rows is not known."
    return "\n".join([f"Not tested: no rows were set aside, so {unknown}", *_leaks(leaks)])


def _opening(circumstances: Circumstances) -> str:
    column = named(circumstances.column or "")
    match circumstances.split:
        case "groups":
            return f"For rows whose {column} it has never seen"
        case "time":
            return f"For rows later (by {column}) than all it learned from"
        case "file":
            return "For the rows of the test file"
        case _:
            return "For rows it has never seen"


def _subject(evaluation: Evaluation) -> str:
    """Who is meant by "it" from here on."""
    if evaluation.kept.name == NETWORK:
        return "it"
    if evaluation.kept.name == CONSTANT:
        return f"a constant guess (always {_always(evaluation)})"
    return f"the {evaluation.kept.name}"


def _always(evaluation: Evaluation) -> str:
    always = evaluation.always
    return significant(always) if isinstance(always, float) else named(always or "")


def _right(evaluation: Evaluation, target: str, circumstances: Circumstances) -> str:
    score = evaluation.kept.score("accuracy")
    share, rows = score.value or 0.0, evaluation.rows
    start = f"{_opening(circumstances)}, {_subject(evaluation)}"
    scale = out_of(share)
    if _told_as_counts(evaluation):
        bound = _bound(score.low, score.high, 100, "times in 100, ")
        return f"{start} got {target} {_count_right(round(share * rows), rows)} ({bound})."
    bound = _bound(score.low, score.high, scale, "")
    return f"{start} gets {target} right about {times(round(share * scale))} in {whole(scale)} ({bound})."


def _told_as_counts(evaluation: Evaluation) -> bool:
    """Whether "11 of 12" says more than "about 92 times in 100"."""
    return evaluation.rows < FEW_ROWS or evaluation.kept.score("accuracy").value in (0.0, 1.0)


def _count_right(right: int, rows: int) -> str:
    if rows == 1:
        return "right in the only test row" if right else "wrong in the only test row"
    if right in (0, rows):
        return f"{'right' if right else 'wrong'} in all {whole(rows)} test rows"
    return f"right in {whole(right)} of the {whole(rows)} test rows"


def _of_them(right: int, rows: int) -> str:
    if rows == 1:
        return "in that row" if right else "in no row"
    return f"in {whole(right) if right else 'none'} of them"


def _bound(low: float | None, high: float | None, scale: int, unit: str) -> str:
    """The side of the interval that matters: at least, or at most where "at least 0" would say nothing."""
    if low is None or high is None:
        return "too few groups to say how sure that is"
    floor = at_least(low, scale)
    edge = f"at least {whole(floor)}" if floor > 0 else f"at most {whole(at_most(high, scale))}"
    return f"{edge} {unit}with 95 % confidence" if unit else f"{edge}, with 95 % confidence"


def _classes_beside(evaluation: Evaluation) -> str:
    counts = _told_as_counts(evaluation)
    scale = evaluation.rows if counts else out_of(evaluation.kept.score("accuracy").value or 0.0)

    def often(name: str) -> str:
        contender = evaluation.contender(name)
        count = 0 if contender is None else round((contender.score("accuracy").value or 0.0) * scale)
        return _of_them(count, scale) if counts else times(count)

    sentences = [_why_kept(evaluation)]
    constant = _states(evaluation, CONSTANT, ("log_loss", "accuracy"))
    if constant is not None:
        how_often = often(CONSTANT)
        right = "never be right" if how_often == times(0) else f"be right {how_often}"
        sentences.append(f"Always saying {_always(evaluation)} would {right}.")
        sentences.append(_too_few(evaluation) or CLASSES_BESIDE_CONSTANT[constant])
    for other in (NETWORK, LINE):
        states = _states(evaluation, other, ("log_loss", "accuracy"))
        if states is not None and _worth_saying(evaluation, states, constant):
            sentences.append(CLASSES_BESIDE_OTHER[states].format(other=other, score=often(other)))
    return " ".join(sentence for sentence in sentences if sentence)


def _off(evaluation: Evaluation, target: str, circumstances: Circumstances) -> str:
    kept = evaluation.kept
    error, root = kept.score("mean_absolute_error"), kept.score("root_mean_squared_error")
    if error.low is None or error.high is None:
        sure = "too few test rows to say how sure that is"
    else:
        sure = f"{significant(error.low)} to {significant(error.high)}, with 95 % confidence"
    subject = _subject(evaluation)
    whose = "its" if subject == "it" else f"{subject}'s"
    start = f"{_opening(circumstances)}, {whose} guess of {target}"
    off = f"{start} is off by {significant(error.value or 0.0)} on average ({sure})."
    return f"{off} With large errors counted more, by {significant(root.value or 0.0)} (RMSE)."


def _numbers_beside(evaluation: Evaluation, target: str) -> str:
    def off(name: str) -> str:
        contender = evaluation.contender(name)
        return "" if contender is None else significant(contender.score("mean_absolute_error").value or 0.0)

    sentences = [_why_kept(evaluation)]
    constant = _states(evaluation, CONSTANT, ("squared_error", "absolute_error"))
    if constant is not None:
        sentences.append(f"Always guessing {_always(evaluation)} would be off by {off(CONSTANT)}.")
        sentences.append(_too_few(evaluation) or NUMBERS_BESIDE_CONSTANT[constant])
    sentences.append(_explained(evaluation, target))
    for other in (NETWORK, LINE):
        states = _states(evaluation, other, ("squared_error", "absolute_error"))
        if states is not None and _worth_saying(evaluation, states, constant):
            sentences.append(NUMBERS_BESIDE_OTHER[states].format(other=other, score=off(other)))
    return " ".join(sentence for sentence in sentences if sentence)


def _explained(evaluation: Evaluation, target: str) -> str:
    share = evaluation.kept.score("r_squared").value
    if share is None or evaluation.kept.name == CONSTANT:
        return ""
    if share < 0.005:
        return f"It explains nothing of how {target} varies (R² {thousandths(share)})."
    part = percent(share) if share >= 0.995 else f"{100 * share:.0f} %"
    return f"It explains {part} of how {target} varies (R² {thousandths(share)})."


def _why_kept(evaluation: Evaluation) -> str:
    if evaluation.kept.name == LINE and evaluation.contender(NETWORK) is not None:
        return "It was kept because the network did no better on the training rows."
    if evaluation.kept.name == CONSTANT and len(evaluation.contenders) > 1:
        return "It was kept because nothing did better on the training rows."
    return ""


def _states(evaluation: Evaluation, other: str, measures: tuple[Measure, Measure]) -> States | None:
    """How the kept one stands to another, None where there is no such other."""
    first, second = (evaluation.difference(other, measure) for measure in measures)
    return None if first is None or second is None else (_state(first), _state(second))


def _too_few(evaluation: Evaluation) -> str:
    """Said in place of a comparison where so few rows or groups cannot show anything, whatever the scores."""
    if any(difference.low is not None for difference in evaluation.differences):
        return ""
    return f"So few {'rows' if evaluation.groups is None else 'groups'} cannot show whether it has learned anything."


def _state(difference: Difference) -> State:
    return "better" if difference.better else "worse" if difference.worse else "unshown"


def _worth_saying(evaluation: Evaluation, states: States, beside_constant: States | None) -> bool:
    """Not where it would only say again that nothing is shown."""
    nothing = ("unshown", "unshown")
    return states != nothing or (evaluation.kept.name == NETWORK and beside_constant != nothing)


def _cautions(evaluation: Evaluation, target: str, circumstances: Circumstances) -> list[str]:
    lines = _leaks(circumstances.leaks)
    if circumstances.looks > 1:
        lines.append(
            f"This is look {whole(circumstances.looks)} at the same test rows: "
            "they are no longer an untouched test, so expect a little worse on new rows."
        )
    if circumstances.split == "folds":
        lines.append(
            f"The table is small: each of its {whole(evaluation.rows)} rows was answered by a model "
            "that had not seen it (cross-validation), and the saved one learned from all of them."
        )
    elif evaluation.rows < FEW_ROWS:
        lines.append(f"Only {counted(evaluation.rows, 'test row')}: read this as a hint.")
    if evaluation.groups is not None and evaluation.groups < FEW_GROUPS:
        lines.append(f"Only {counted(evaluation.groups, 'group')} in the test: read this as a hint.")
    return lines + _untold(evaluation, target) + _narrow_ranges(evaluation)


def _leaks(leaks: Sequence[str]) -> list[str]:
    if not leaks:
        return []
    they = "they are" if len(leaks) > 1 else "it is"
    return [
        f"Beware: {listed(leaks, 'and')} may give the answer away. "
        f"If {they} not known when you predict, the score is too good to be true."
    ]


def _untold(evaluation: Evaluation, target: str) -> list[str]:
    """What the test rows cannot show because they are too much alike."""
    if evaluation.task == "numbers":
        if evaluation.rows > 1 and evaluation.kept.score("r_squared").value is None:
            return [f"Every test row has the same {target}: whether it can tell rows apart is not tested."]
        return []
    counted = list(zip(evaluation.labels, evaluation.rows_of_class, strict=True))
    present = [label for label, rows in counted if rows]
    absent = [label for label, rows in counted if not rows]
    if len(present) == 1 and evaluation.rows > 1:
        only = named(present[0])
        return [f"Every test row is {only}: whether it can tell the classes apart is not tested."]
    if absent and evaluation.rows > 1:
        return [f"No test row is {listed(absent, 'or')}: that part is not tested."]
    return []


def _narrow_ranges(evaluation: Evaluation) -> list[str]:
    """Said only where it matters and is shown: the whole interval lies below the 95 % that were promised."""
    if evaluation.task == "classes":
        return []
    held = evaluation.kept.score("range_coverage")
    if held.value is None or held.high is None or held.value >= NARROW or held.high >= 0.95:
        return []
    part = percent(held.value)
    return [f"Its ranges, low to high, are too narrow: they hold {part} of the test rows, not 95 %."]
