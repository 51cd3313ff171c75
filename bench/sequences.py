"""DNA: how good a fit is and how long it takes, beside published figures and a network timed in the same run.

Every fit is started anew, with default settings, on two threads. Of a set only the sequences and the label are given:
splice's name says the answer, and what azimuth measured beside it is not there for a new guide.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import torch
from processes import SHARED, Files, Fit, files_of, fit_alone, missed, run_alone, shown, yes
from torch import Tensor

from firstlight.evaluate.evaluation import LINE, Score, ScoreName
from firstlight.model.answers import ClassAnswers
from firstlight.model.encoding import encode_target
from firstlight.plain import scores
from firstlight.plan.splitting import seen_rows

FOLDER = SHARED / "dna"
INPUT, TARGET = "sequence", "label"
SECONDS = 120.0  # that a fit may take
BEST_OF_PUBLISHED, FEWEST_BEST = "the best published", 3
DNABERT = "DNABERT-2"
LONGEST_PEER = 900.0
RAREST_CLASS_LEFT = 2


@dataclass(frozen=True)
class SequenceSet:
    """A set of sequences, the score that counts, and the one to reach; None where none is set."""

    name: str
    score: str
    aim: float | None


# Of GUE, with figures of pretrained models in PUBLISHED.md.
GUE_SETS = (
    SequenceSet("prom_core_tata", "auc", 0.96),
    SequenceSet("prom_300_tata", "auc", 0.945),
    SequenceSet("tf_0", "auc", 0.92),
    SequenceSet("tf_1", "auc", 0.91),
    SequenceSet("mouse_0", "auc", 0.88),
)
OTHER_SETS = (
    SequenceSet("splice", "accuracy", 0.96),
    SequenceSet("ecoli_promoters", "accuracy", None),
    SequenceSet("azimuth", "spearman", 0.5),
)
RACED = ("prom_core_tata", "mouse_0")  # where the CNN is timed


@dataclass(frozen=True)
class Scores:
    """Scores of one model on some test rows; None stands for one that the task does not have."""

    rows: int
    auc: float | None = None
    mcc: float | None = None
    accuracy: float | None = None
    spearman: float | None = None

    def named(self, name: str) -> float:
        """The score of that name. Raises ValueError where there is none."""
        value = {"auc": self.auc, "accuracy": self.accuracy, "spearman": self.spearman}[name]
        if value is None:
            raise ValueError(f"there is no {name}")
        return value


@dataclass(frozen=True)
class Measured:
    """What was found on a set.

    all_rows, unseen: of all test rows, and of those that are not, and are not nearly, among the training rows.
    interval: of the score that counts, where the evaluation has one; line: the straight line's.
    """

    about: SequenceSet
    all_rows: Scores
    unseen: Scores
    interval: Score | None
    line: Score | None
    to_scores: float
    whole: float

    @property
    def reached(self) -> bool:
        """Whether the score is what it should be, if that is set."""
        return self.about.aim is None or self.all_rows.named(self.about.score) >= self.about.aim


def matthews(truth: Tensor, guesses: Tensor) -> float:
    """Matthews' correlation coefficient, for any number of classes: 1 is perfect, 0 is chance.

    truth, guesses: (rows,) int64 classes. Source: Gorodkin 2004, "Comparing two K-category assignments".
    """
    classes = int(torch.maximum(truth, guesses).max()) + 1
    confusion = torch.bincount(truth * classes + guesses, minlength=classes**2).view(classes, classes).double()
    rows, right = confusion.sum(), confusion.trace()
    true, told = confusion.sum(dim=1), confusion.sum(dim=0)
    spread = ((rows**2 - (told**2).sum()) * (rows**2 - (true**2).sum())).sqrt()
    return ((right * rows - true @ told) / spread).item() if spread else 0.0


def spearman(truth: Tensor, predictions: Tensor) -> float:
    """The correlation of the ranks of two columns of numbers; equal numbers share their mean rank."""
    ranks = [pl.Series(numbers.numpy()).rank("average") for numbers in (truth, predictions)]
    found = pl.DataFrame({"truth": ranks[0], "told": ranks[1]}).select(pl.corr("truth", "told")).item()
    return float(found)


def scores_of_classes(truth: Tensor, probabilities: Tensor) -> Scores:
    """The scores of probabilities (rows, classes); truth: (rows,) int64."""
    return Scores(
        rows=len(truth),
        auc=scores.auc(probabilities, truth) if probabilities.shape[1] == 2 else None,
        mcc=matthews(truth, probabilities.argmax(dim=1)),
        accuracy=scores.accuracy(probabilities, truth),
    )


def scores_of_fit(fit: Fit, files: Files) -> tuple[Scores, Scores]:
    """The kept model's scores on all test rows, and on those that the training rows do not hold."""
    train, test = files.frames()
    predictor = fit.run.predictor
    truth = encode_target(test[files.target], predictor.plan, predictor.encoders)
    new = ~seen_rows(train, test, predictor.plan)
    answers = predictor.answer(test)
    if isinstance(answers, ClassAnswers):
        told = answers.probabilities
        return scores_of_classes(truth, told), scores_of_classes(truth[new], told[new])
    told = answers.predictions.double()
    return tuple(  # type: ignore[return-value]
        Scores(rows=len(truth[rows]), spearman=spearman(truth[rows].double(), told[rows]))
        for rows in (torch.ones_like(new), new)
    )


def files_with_sequences(name: str, folder: Path) -> Files | None:
    """The files of a set with its two columns alone, written anew where it has more; None where it is not there."""
    files = files_of(FOLDER, name, TARGET)
    if files is None or pl.read_parquet_schema(files.train).keys() == {INPUT, TARGET}:
        return files
    alone = Files(folder / files.train.name, folder / files.test.name, TARGET)
    for rows, path in zip(files.frames(), (alone.train, alone.test), strict=True):
        rows.select(INPUT, TARGET).write_parquet(path)
    return alone


def lacking() -> list[str]:
    """The sets that do not lie in the folder."""
    return [about.name for about in (*GUE_SETS, *OTHER_SETS) if files_of(FOLDER, about.name, TARGET) is None]


def measured(sets: Sequence[SequenceSet]) -> list[Measured]:
    """Measures every set that is there, and prints a line for each."""
    found = []
    for about in sets:
        with tempfile.TemporaryDirectory() as folder:
            if files := files_with_sequences(about.name, Path(folder)):
                found.append(measure(about, files, Path(folder)))
                print(found[-1], flush=True)
    return found


def measure(about: SequenceSet, files: Files, folder: Path) -> Measured:
    """One fit of a set."""
    fit = fit_alone(files, folder)
    all_rows, unseen = scores_of_fit(fit, files)
    evaluation = fit.run.evaluation
    if evaluation is None:
        raise ValueError(f"{about.name} was not tested")
    names: dict[str, ScoreName] = {"auc": "auc", "accuracy": "accuracy"}
    name, line = names.get(about.score), evaluation.contender(LINE)
    return Measured(
        about=about,
        all_rows=all_rows,
        unseen=unseen,
        interval=evaluation.kept.score(name) if name else None,
        line=line.score(name) if name and line else None,
        to_scores=fit.to_scores,
        whole=fit.whole,
    )
