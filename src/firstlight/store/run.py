"""One fit and all that is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from torch import Tensor, nn

from firstlight.data.frames import FrameLike
from firstlight.data.sources import read
from firstlight.data.table import NAMING
from firstlight.evaluate.evaluation import Evaluation
from firstlight.model.fitting import Epoch
from firstlight.model.predictions import predictions
from firstlight.model.predictor import Predictor


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a fit, as they were parted: training rows and test rows, with the test rows' true targets.

    truth: (test rows,) classes int64 or numbers float64; empty where nothing was set aside.
    """

    train: pl.DataFrame
    test: pl.DataFrame
    truth: Tensor


@dataclass(frozen=True, eq=False)
class Run:
    """A fitted model with its test, its verdict and its history.

    folder:  where its files lie; None for a model that was loaded from a single file, or not saved.
    verdict: the score in plain sentences.
    history: an Epoch for each pass over the training rows; empty for a loaded model.
    notes:   what was odd about the rows, a sentence each.
    seconds: from the first look at the source to the verdict; None for a loaded model.
    """

    predictor: Predictor
    evaluation: Evaluation | None
    verdict: str
    folder: Path | None
    history: Sequence[Epoch]
    notes: tuple[str, ...]
    looks: int
    seconds: float | None

    @property
    def model(self) -> nn.Module:
        """The kept nn.Module: encoded columns (a tensor a kind) to outputs."""
        return self.predictor.model

    def predict(self, rows: str | Path | FrameLike, *, why: bool = False) -> pl.DataFrame:
        """Answers in row order: a column named as the target, then P(label) each for classes, low and high for numbers.

        The names of a FASTA's or FASTQ's records, or the paths of files of text, stand before them.
        rows: a frame, or any source that `read` takes; without the target, in any order of columns.
        why:  whether a last column says what in each row moved its answer.
        """
        table = read(rows, forms=self.predictor.plan.source.forms)
        naming = NAMING.get(table.reading.reader)
        return predictions(self.predictor, table.frame, table.reading.name, naming=naming, why=why).frame

    @property
    def target(self) -> str:
        """The name of the column that is predicted."""
        return self.predictor.plan.target.column
