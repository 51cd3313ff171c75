"""Step 4, evaluate: every score of every contender on the test rows, each with its interval.

In: the truth of the test rows and what each contender answered. Out: an `Evaluation`, plain numbers that
can be written to a file, from which the verdict, the terminal's table and the report are made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from firstlight.evaluate import sums
from firstlight.evaluate.intervals import Interval, Resamples, draw, wilson
from firstlight.model.answers import Answers, ClassAnswers, NumberAnswers
from firstlight.plain import scores

NETWORK, LINE, CONSTANT = "network", "straight line", "constant"
RELIABILITY_BINS = 10
MOST_MISTAKES = 12
MOST_CLASSES_CONFUSED = 100  # beyond this the confusion matrix is neither drawn nor kept

Task = Literal["classes", "numbers"]
ScoreName = Literal[
    "accuracy",
    "log_loss",
    "macro_f1",
    "auc",
    "mean_absolute_error",
    "root_mean_squared_error",
    "r_squared",
    "range_coverage",
]
Measure = Literal["log_loss", "accuracy", "squared_error", "absolute_error"]


CLASS_SCORES: tuple[ScoreName, ...] = ("accuracy", "log_loss", "macro_f1")
TWO_CLASS_SCORES: tuple[ScoreName, ...] = (*CLASS_SCORES, "auc")
NUMBER_SCORES: tuple[ScoreName, ...] = (
    "mean_absolute_error",
    "root_mean_squared_error",
    "r_squared",
    "range_coverage",
)


@dataclass(frozen=True)
class Score:
    """One score of one contender; None stands for what the rows do not determine."""

    name: ScoreName
    value: float | None
    low: float | None  # of the 95 % interval
    high: float | None


@dataclass(frozen=True)
class Contender:
    """One who answered: the network, the straight line, the constant guess."""

    name: str
    kept: bool  # the one that is saved, chosen by training rows
    scores: tuple[Score, ...]

    def score(self, name: ScoreName) -> Score:
        """The score of that name. Raises KeyError where this task has none."""
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(name)


@dataclass(frozen=True)
class Difference:
    """By how much the kept one is better than another, a mean over the same rows: above 0 is better."""

    against: str
    measure: Measure  # log_loss and squared_error decide; accuracy and absolute_error are easier to picture
    value: float | None
    low: float | None  # of the 95 % interval
    high: float | None

    @property
    def better(self) -> bool:
        """Whether the kept one is shown to be better: the whole interval lies above 0."""
        return self.low is not None and self.low > 0

    @property
    def worse(self) -> bool:
        """Whether the kept one is shown to be worse: the whole interval lies below 0."""
        return self.high is not None and self.high < 0


@dataclass(frozen=True)
class ReliabilityBin:
    """The rows whose likeliest class got about the same probability, and how often it was the true one."""

    confidence: float  # mean probability of the likeliest class
    right: float  # share of rows
    low: float  # Wilson's 95 % interval of that share
    high: float
    rows: int


@dataclass(frozen=True)
class Mistake:
    """One of the worst rows: the surest of the wrong classes, or the largest errors."""

    row: int  # 0 is the first test row
    truth: float  # the number, or the class (0 .. classes - 1)
    answer: float
    probability: float | None  # of the answered class; None for numbers


@dataclass(frozen=True)
class Evaluation:
    """All that was found out on the test rows; equal to itself after a round through JSON."""

    task: Task
    rows: int
    groups: int | None  # number of groups among the rows, None where rows stand alone
    labels: tuple[str, ...]  # the classes' names; empty for numbers
    rows_of_class: tuple[int, ...]  # true rows of each class; empty for numbers
    always: str | float | None  # what the constant guess says, None where it did not answer
    contenders: tuple[Contender, ...]
    differences: tuple[Difference, ...]  # of the kept one to each of the others
    confusion: tuple[tuple[int, ...], ...] | None  # of the kept one: [truth][answer]; None where unfit
    reliability: tuple[ReliabilityBin, ...]  # of the kept one, from unsure to sure; empty for numbers
    calibration_error: float | None  # of the kept one; None for numbers
    worst: tuple[Mistake, ...]  # of the kept one, worst first

    def __post_init__(self) -> None:
        names = [contender.name for contender in self.contenders]
        if len(set(names)) < len(names) or sum(contender.kept for contender in self.contenders) != 1:
            raise ValueError(f"need different names, one of them kept; got {names}")
        if self.rows < 1 or len(self.rows_of_class) != len(self.labels):
            raise ValueError(f"need rows, and a count a class; got {self.rows} and {self.rows_of_class}")
        wanted = _scores_of(self.task, len(self.labels))
        for contender in self.contenders:
            if tuple(score.name for score in contender.scores) != wanted:
                raise ValueError(f"{contender.name} needs the scores {', '.join(wanted)}")
        if self.task == "classes":
            self._check_classes(len(self.labels))

    def _check_classes(self, classes: int) -> None:
        if self.confusion is not None and {len(self.confusion), *map(len, self.confusion)} != {classes}:
            raise ValueError(f"the confusion matrix needs {classes} rows and columns")
        for mistake in self.worst:
            if not {mistake.truth, mistake.answer} <= set(range(classes)):
                raise ValueError(f"row {mistake.row} needs classes in 0 .. {classes - 1}; got {mistake}")

    @property
    def kept(self) -> Contender:
        """The contender that is saved."""
        return next(contender for contender in self.contenders if contender.kept)

    def contender(self, name: str) -> Contender | None:
        """The contender of that name, None where it did not answer."""
        return next((contender for contender in self.contenders if contender.name == name), None)

    def difference(self, against: str, measure: Measure) -> Difference | None:
        """The difference of the kept one to another, None where there is none of that name and measure."""
        found = (d for d in self.differences if (d.against, d.measure) == (against, measure))
        return next(found, None)


def _scores_of(task: Task, classes: int) -> tuple[ScoreName, ...]:
    if task == "numbers":
        return NUMBER_SCORES
    return TWO_CLASS_SCORES if classes == 2 else CLASS_SCORES


def evaluate(
    truth: Tensor,
    answers: Mapping[str, Answers],
    kept: str,
    *,
    labels: Sequence[str] | None,
    groups: Tensor | None,
    seed: int,
) -> Evaluation:
    """Score every contender on the test rows, with intervals, and the kept one against the others.

    truth:   (rows,) int64 classes (0 .. classes - 1), or floating numbers.
    answers: of each contender, in the order in which they are to be shown.
    kept:    the name of the one that is saved; it must have been chosen without these rows.
    labels:  the classes' names, None for numbers.
    groups:  (rows,) int64, the group of each row, where rows of a group resemble one another; else None.
    seed:    of the bootstrap's draws.

    Raises ValueError where rows, classes and names do not fit together.
    """
    if kept not in answers:
        raise ValueError(f"the kept one, {kept!r}, is not among those who answered: {list(answers)}")
    for name, given in answers.items():
        if len(given) != len(truth) or len(truth) == 0:
            raise ValueError(f"need rows, and an answer for each; {name}: {len(given)} for {len(truth)}")
    resamples = draw(len(truth), groups, seed)
    count = None if groups is None else len(torch.unique(groups))
    classifiers = {name: given for name, given in answers.items() if isinstance(given, ClassAnswers)}
    predictors = {name: given for name, given in answers.items() if isinstance(given, NumberAnswers)}
    if labels is not None and len(classifiers) == len(answers):
        return _of_classes(truth, classifiers, kept, tuple(labels), count, resamples)
    if labels is None and len(predictors) == len(answers):
        return _of_numbers(truth, predictors, kept, count, resamples)
    raise ValueError("need labels and class answers from all, or no labels and number answers from all")


def _of_classes(
    truth: Tensor,
    answers: Mapping[str, ClassAnswers],
    kept: str,
    labels: tuple[str, ...],
    groups: int | None,
    resamples: Resamples,
) -> Evaluation:
    classes = len(labels)
    for name, given in answers.items():
        if given.probabilities.shape[1] != classes:
            raise ValueError(f"need {classes} probabilities a row; {name}: {given.probabilities.shape[1]}")
    if truth.dtype != torch.int64 or truth.min() < 0 or truth.max() >= classes:
        raise ValueError(f"true classes must be int64 in 0 .. {classes - 1}")
    losses = {name: scores.log_losses(given.probabilities, truth) for name, given in answers.items()}
    guesses = {name: given.probabilities.argmax(dim=1) for name, given in answers.items()}
    rights = {name: guess == truth for name, guess in guesses.items()}
    differences = []
    for other in answers:
        if other != kept:
            easier = rights[kept].double() - rights[other].double()
            differences.append(_difference(other, "log_loss", losses[other] - losses[kept], resamples))
            differences.append(_difference(other, "accuracy", easier, resamples))
    probabilities, grouped = answers[kept].probabilities, groups is not None
    constant = guesses.get(CONSTANT)
    return Evaluation(
        task="classes",
        rows=len(truth),
        groups=groups,
        labels=labels,
        rows_of_class=tuple(torch.bincount(truth, minlength=classes).tolist()),
        always=None if constant is None else labels[int(constant[0].item())],
        contenders=tuple(
            Contender(name, name == kept, _class_scores(given.probabilities, truth, resamples, grouped))
            for name, given in answers.items()
        ),
        differences=tuple(differences),
        confusion=_confusion(guesses[kept], truth, classes) if classes <= MOST_CLASSES_CONFUSED else None,
        reliability=_reliability(probabilities, truth),
        calibration_error=scores.calibration_error(probabilities, truth, RELIABILITY_BINS),
        worst=_surest_wrong(probabilities, truth),
    )


def _of_numbers(
    truth: Tensor, answers: Mapping[str, NumberAnswers], kept: str, groups: int | None, resamples: Resamples
) -> Evaluation:
    truth = truth.double()
    if not torch.isfinite(truth).all():
        raise ValueError("the truth must be finite numbers")
    errors = {name: given.predictions.double() - truth for name, given in answers.items()}
    differences = []
    for other in answers:
        if other != kept:
            squares = errors[other].square() - errors[kept].square()
            absolute = errors[other].abs() - errors[kept].abs()
            differences.append(_difference(other, "squared_error", squares, resamples))
            differences.append(_difference(other, "absolute_error", absolute, resamples))
    constant, grouped = answers.get(CONSTANT), groups is not None
    return Evaluation(
        task="numbers",
        rows=len(truth),
        groups=groups,
        labels=(),
        rows_of_class=(),
        always=None if constant is None else float(constant.predictions[0].item()),
        contenders=tuple(
            Contender(name, name == kept, _number_scores(given, truth, resamples, grouped))
            for name, given in answers.items()
        ),
        differences=tuple(differences),
        confusion=None,
        reliability=(),
        calibration_error=None,
        worst=_largest_errors(answers[kept].predictions, truth),
    )


def _class_scores(probabilities: Tensor, truth: Tensor, resamples: Resamples, grouped: bool) -> tuple[Score, ...]:
    right = probabilities.argmax(dim=1) == truth
    losses = scores.log_losses(probabilities, truth)
    answered = probabilities, truth, resamples
    found = [
        _score("accuracy", scores.accuracy(probabilities, truth), sums.of_share(right, resamples, grouped)),
        _score("log_loss", losses.mean().item(), sums.of_mean(losses, resamples)),
        _score("macro_f1", scores.macro_f1(probabilities, truth), sums.of_macro_f1(*answered)),
    ]
    if probabilities.shape[1] == 2:
        found.append(_score("auc", scores.auc(probabilities, truth), sums.of_auc(*answered)))
    return tuple(found)


def _number_scores(given: NumberAnswers, truth: Tensor, resamples: Resamples, grouped: bool) -> tuple[Score, ...]:
    answer = given.predictions.double()
    errors = answer - truth
    held = (given.low <= truth) & (truth <= given.high)
    absolute = sums.of_mean(errors.abs(), resamples)
    root = sums.of_root_mean(errors.square(), resamples)
    explained = sums.of_r_squared(answer, truth, resamples)
    return (
        _score("mean_absolute_error", scores.mean_absolute_error(answer, truth), absolute),
        _score("root_mean_squared_error", scores.root_mean_squared_error(answer, truth), root),
        _score("r_squared", scores.r_squared(answer, truth), explained),
        _score("range_coverage", held.double().mean().item(), sums.of_share(held, resamples, grouped)),
    )


def _score(name: ScoreName, value: float, interval: Interval) -> Score:
    return Score(name, _known(value), _known(interval.low), _known(interval.high))


def _difference(against: str, measure: Measure, gains: Tensor, resamples: Resamples) -> Difference:
    """gains: (rows,) float64, by how much the kept one did better in each row."""
    interval = sums.of_mean(gains, resamples)
    value, low, high = (_known(part) for part in (gains.mean().item(), interval.low, interval.high))
    return Difference(against, measure, value, low, high)


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _confusion(guesses: Tensor, truth: Tensor, classes: int) -> tuple[tuple[int, ...], ...]:
    counts = torch.bincount(truth * classes + guesses, minlength=classes * classes).view(classes, classes)
    return tuple(tuple(row) for row in counts.tolist())


def _reliability(probabilities: Tensor, truth: Tensor) -> tuple[ReliabilityBin, ...]:
    """Equally wide bins of confidence, as in `calibration_error`; empty ones are left out."""
    confidence, guess = probabilities.double().max(dim=1)
    bin_of = (confidence * RELIABILITY_BINS).long().clamp(max=RELIABILITY_BINS - 1)
    bins = []
    for number in torch.unique(bin_of).tolist():
        inside = bin_of == number
        rows, right = int(inside.sum().item()), int((guess == truth)[inside].sum().item())
        interval = wilson(right, rows)
        mean = confidence[inside].mean().item()
        bins.append(ReliabilityBin(mean, right / rows, interval.low, interval.high, rows))
    return tuple(bins)


def _surest_wrong(probabilities: Tensor, truth: Tensor) -> tuple[Mistake, ...]:
    confidence, guess = probabilities.double().max(dim=1)
    wrong = (guess != truth).nonzero().squeeze(1)
    order = wrong[confidence[wrong].argsort(descending=True, stable=True)][:MOST_MISTAKES]
    return tuple(
        Mistake(row, float(truth[row].item()), float(guess[row].item()), confidence[row].item())
        for row in order.tolist()
    )


def _largest_errors(predictions: Tensor, truth: Tensor) -> tuple[Mistake, ...]:
    errors = (predictions.double() - truth).abs()
    order = errors.argsort(descending=True, stable=True)[:MOST_MISTAKES]
    return tuple(
        Mistake(row, truth[row].item(), predictions[row].item(), None)
        for row in order.tolist()
        if errors[row] > 0
    )  # fmt: skip
