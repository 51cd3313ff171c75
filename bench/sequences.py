"""DNA: how good a fit is and how long it takes, beside published figures and a network timed in the same run.

Every fit is started anew, with default settings, on two threads. Of a set only the sequences and the label are given:
splice's name says the answer, and what azimuth measured beside it is not there for a new guide.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
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
DNABERT = "DNABERT-2"
FEWEST_ABOVE_ALL = 3  # sets of GUE on which MCC is to be above every model of PUBLISHED.md
LONGEST_PEER = 900.0
RACED = ("prom_core_tata", "mouse_0")  # where the CNN is timed
SHARE_OF_TIME = 1 / 3  # of the CNN's, for a fit that is to be better


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


def scores_of_numbers(truth: Tensor, predictions: Tensor) -> Scores:
    """The scores of predicted numbers; both (rows,)."""
    return Scores(rows=len(truth), spearman=spearman(truth, predictions))


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
    numbers = answers.predictions
    return scores_of_numbers(truth, numbers), scores_of_numbers(truth[new], numbers[new])


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


def published() -> dict[str, dict[str, float]]:
    """MCC of each model on each set of GUE, as the first table of PUBLISHED.md gives them, there times 100."""
    lines = (FOLDER / "PUBLISHED.md").read_text(encoding="utf-8").splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("| model |"))
    head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in takewhile(lambda line: line.startswith("|"), lines[first:])
    ]
    return {name: {row[0]: float(row[column]) / 100 for row in rows} for column, name in enumerate(head) if column}


GUE_HEAD = (
    "set", "AUC", "95 % interval", "to reach", "reached", "accuracy", "MCC", "best published MCC", "above it",
    f"{DNABERT}'s", f"above {DNABERT}", "straight line's AUC",
)  # fmt: skip
OTHER_HEAD = (
    "set", "test rows", "score", "firstlight", "95 % interval", "to reach", "reached", "AUC", "MCC", "straight line",
)  # fmt: skip
SEEN_HEAD = (
    "set", "test rows", "of them also in training", "score", "with them", "without", "MCC with them", "without",
)  # fmt: skip
SECONDS_HEAD = ("set", "to the scores, s", "with report and files, s", "promised, s", "within")


def gue_row(found: Measured, figures: dict[str, float]) -> tuple[str, ...]:
    """A row for a set of GUE beside the published figures."""
    mine = found.all_rows
    best = max(figures, key=lambda model: figures[model])
    return (
        found.about.name, shown(mine.auc), _interval(found), shown(found.about.aim), yes(found.reached),
        shown(mine.accuracy), shown(mine.mcc), f"{shown(figures[best])} ({best})", yes(_above(mine, figures[best])),
        shown(figures[DNABERT]), yes(_above(mine, figures[DNABERT])), shown(found.line.value if found.line else None),
    )  # fmt: skip


def other_row(found: Measured) -> tuple[str, ...]:
    """A row for a set without such figures."""
    mine = found.all_rows
    return (
        found.about.name, str(mine.rows), found.about.score, shown(mine.named(found.about.score)), _interval(found),
        shown(found.about.aim), "–" if found.about.aim is None else yes(found.reached), shown(mine.auc),
        shown(mine.mcc), shown(found.line.value if found.line else None),
    )  # fmt: skip


def seen_row(found: Measured) -> tuple[str, ...]:
    """A row that says what test rows do to the score that stand among the training rows too, or nearly do."""
    mine, unseen, score = found.all_rows, found.unseen, found.about.score
    return (
        found.about.name, str(mine.rows), str(mine.rows - unseen.rows), score, shown(mine.named(score)),
        shown(unseen.named(score)), shown(mine.mcc), shown(unseen.mcc),
    )  # fmt: skip


def second_row(found: Measured) -> tuple[str, ...]:
    """A row of the table of seconds."""
    within = yes(found.whole <= SECONDS)
    return found.about.name, f"{found.to_scores:.1f}", f"{found.whole:.1f}", f"{SECONDS:g}", within


def _interval(found: Measured) -> str:
    return f"{shown(found.interval.low)} to {shown(found.interval.high)}" if found.interval else "–"


def _above(mine: Scores, figure: float) -> bool:
    return mine.mcc is not None and mine.mcc > figure


def what_was_missed(found: Sequence[Measured], figures: dict[str, dict[str, float]]) -> str:
    """The sentence below the tables."""
    of_gue = [each for each in found if each.about.name in figures]
    above_all = [each for each in of_gue if _above(each.all_rows, max(figures[each.about.name].values()))]
    low = [
        f"{each.about.name} {each.about.score} {shown(each.all_rows.named(each.about.score))} of "
        f"{shown(each.about.aim)}"
        for each in found
        if not each.reached
    ]
    below = [
        f"{each.about.name} MCC {shown(each.all_rows.mcc)}, {DNABERT} {shown(figures[each.about.name][DNABERT])}"
        for each in of_gue
        if not _above(each.all_rows, figures[each.about.name][DNABERT])
    ]
    few = [f"MCC above all that was published on {len(above_all)} of {len(of_gue)} sets, {FEWEST_ABOVE_ALL} wanted"]
    slow = [f"{each.about.name} {each.whole:.0f} of {SECONDS:g} s" for each in found if each.whole > SECONDS]
    short = bool(of_gue) and len(above_all) < FEWEST_ABOVE_ALL
    return missed([*low, *below, *(few if short else []), *slow], "All was reached.")


RACE_HEAD = ("set", "who", "AUC", "MCC", "accuracy", "seconds", "better than both", "in a third of the time")


def race(names: Sequence[str] = RACED) -> Iterator[tuple[str, ...]]:
    """The CNN of the Genomic Benchmarks, twice, and a fit that was given a third of the quicker one's time.

    Seconds are those of a process until the test rows are predicted; for firstlight until they are scored.
    """
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            if files := files_with_sequences(name, Path(folder)):
                yield from race_on(name, files, Path(folder))


def race_on(name: str, files: Files, folder: Path) -> Iterator[tuple[str, ...]]:
    """The three rows of a set."""
    truth = torch.tensor(files.frames()[1][TARGET].to_list())
    peers = []
    for loss in ("published", "repaired"):
        said = run_alone("genomic_cnn.py", files.train, TARGET, files.test, loss, limit=LONGEST_PEER)
        chances = torch.tensor(json.loads(said.last))
        found, seconds = scores_of_classes(truth, torch.stack([1 - chances, chances], dim=1)), said.after("predicted")
        peers.append((found, seconds))
        yield name, f"CNN, {loss}", *_race_scores(found), f"{seconds:.1f}", "", ""
    third = SHARE_OF_TIME * min(seconds for _, seconds in peers)
    fit = fit_alone(files, folder, time=third)
    mine = scores_of_fit(fit, files)[0]
    better = all(mine.named("auc") > peer.named("auc") and _above(mine, peer.mcc or 0.0) for peer, _ in peers)
    yield (
        name, f"firstlight, --time {third:.1f}s", *_race_scores(mine), f"{fit.to_scores:.1f}", yes(better),
        yes(fit.to_scores <= third),
    )  # fmt: skip


def _race_scores(found: Scores) -> tuple[str, ...]:
    return shown(found.auc), shown(found.mcc), shown(found.accuracy)
