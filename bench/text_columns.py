"""What texts add to a table of other columns: a fit with them, and one without; test rows opened once each."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from processes import SHARED, Files, files_of, fit_alone

from firstlight.evaluate.evaluation import ScoreName
from firstlight.kinds.text import TEXT


@dataclass(frozen=True)
class MixedSet:
    """A table with texts beside other columns, and the scores that count."""

    name: str
    target: str
    scores: tuple[ScoreName, ...]


SETS = (
    MixedSet("airbnb_hong_kong", "price", ("mean_absolute_error", "root_mean_squared_error")),
    MixedSet("wildlife_strikes", "effect", ("macro_f1", "log_loss")),
)
HEAD = ("table", "texts", "score", "with them", "95 % interval", "without", "95 % interval")


def rows() -> Iterator[tuple[str, ...]]:
    """A row for each table that is there and each of its scores."""
    for about in SETS:
        files = files_of(SHARED / "table", about.name, about.target)
        if files is None:
            continue
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            run = fit_alone(files, folder).run
            texts = list(run.predictor.plan.of_kind(TEXT))
            plain = fit_alone(_without(files, texts, folder), folder).run
        if run.evaluation is None or plain.evaluation is None:
            raise ValueError(f"{about.name} was not tested")
        for score in about.scores:
            found = [each.kept.score(score) for each in (run.evaluation, plain.evaluation)]
            told = [
                text for each in found for text in (_shown(each.value), f"{_shown(each.low)} to {_shown(each.high)}")
            ]
            yield about.name, ", ".join(texts), score.replace("_", " "), *told


def _without(files: Files, columns: list[str], folder: Path) -> Files:
    left = Files(folder / "train.parquet", folder / "test.parquet", files.target)
    for source, place in ((files.train, left.train), (files.test, left.test)):
        pl.read_parquet(source).drop(columns).write_parquet(place)
    return left


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
