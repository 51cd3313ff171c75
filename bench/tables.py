"""Tables: how good a fit is, in the same minute as the peers that one would use instead.

The peers run where they are installed: FIRSTLIGHT_PEERS names a Python that has lightgbm, xgboost, catboost,
autogluon.tabular and scikit-learn. Every fit is started anew, in turns; the test rows are opened once.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from processes import SHARED, THREADS, Files, TookTooLong, files_of, fit_alone, run_alone, shown

from firstlight.evaluate.evaluation import ScoreName
from firstlight.plan.plan import Task

FOLDER = SHARED / "table"
PEERS = ("LightGBM", "XGBoost", "CatBoost", "HistGradientBoosting", "AutoGluon")
SECONDS = 60.0  # for firstlight and AutoGluon; the others take what their defaults take
SHORT = 10.0
LIMIT = 400.0  # seconds after which a peer is ended
REALMLP, TABM = "RealMLP-TD-S", "TabM-D"
TABLES_OF_TABM = ("telco_churn", "wine_quality")
NETWORK_LIMIT = 1200.0
TABLES: dict[str, tuple[str, Task]] = {
    "california_housing": ("MedHouseVal", "regression"),
    "adult": ("income", "classification"),
    "diamonds": ("price", "regression"),
    "bike_sharing_hourly": ("cnt", "regression"),
    "telco_churn": ("Churn", "classification"),
    "wine_quality": ("quality", "regression"),
    "letter": ("lettr", "classification"),
    "optdigits": ("Class", "classification"),
}
US, US_SHORT = f"firstlight, {SECONDS:g} s", f"firstlight, {SHORT:g} s"
US_AS_CATBOOST = "firstlight, CatBoost's time"
OURS = {US: SECONDS, US_SHORT: SHORT}


@dataclass(frozen=True)
class Result:
    """The score, log loss or root mean squared error, and the seconds of the whole process; None where it failed."""

    score: float | None
    seconds: float


def peers_python() -> str | None:
    """The Python of the peers, where one is named."""
    return os.environ.get("FIRSTLIGHT_PEERS")


def shared_tables() -> Iterator[tuple[str, Files, Task]]:
    """The tables that are there: name, files and task."""
    for name, (target, task) in TABLES.items():
        if files := files_of(FOLDER, name, target):
            yield name, files, task


def measured(tables: Iterable[tuple[str, Files, Task]]) -> Iterator[tuple[str, dict[str, Result]]]:
    """For each table what everyone came to."""
    for name, files, task in tables:
        found = {who: _ours(files, task, seconds) for who, seconds in OURS.items()}
        if python := peers_python():
            found |= {peer: _theirs(python, peer, files, task) for peer in PEERS}
            found[US_AS_CATBOOST] = _ours(files, task, found["CatBoost"].seconds)
        print(name, {who: result.score and round(result.score, 4) for who, result in found.items()}, flush=True)
        yield name, found


def _ours(files: Files, task: str, seconds: float) -> Result:
    score: ScoreName = "root_mean_squared_error" if task == "regression" else "log_loss"
    with tempfile.TemporaryDirectory() as folder:
        fit = fit_alone(files, Path(folder), seconds)
        evaluation = fit.run.evaluation
        return Result(evaluation.kept.score(score).value if evaluation else None, fit.whole)


def _theirs(python: str, peer: str, files: Files, task: str, limit: float = LIMIT) -> Result:
    words = (peer, files.train, files.test, files.target, task, str(SECONDS), str(THREADS))
    try:
        said = run_alone("table_peer.py", *words, limit=limit, python=python)
    except TookTooLong:
        return Result(None, limit)
    return Result(float(said.last), said.seconds)


def score_rows(found: Sequence[tuple[str, dict[str, Result]]]) -> Iterator[tuple[str, ...]]:
    """A row a table: everyone's score, the lowest in bold; and the mean rank of each, our quicker fits left out."""
    everyone = list(found[0][1])
    ranks: dict[str, list[int]] = {who: [] for who in everyone}
    for name, results in found:
        scores = {who: result.score for who, result in results.items()}
        for who in everyone:
            rivals = [US, *PEERS] if who in PEERS else [who, *PEERS]
            ranks[who].append(sorted(rivals, key=lambda each: _lost(scores.get(each))).index(who) + 1)
        lowest = min(score for score in scores.values() if score is not None)
        yield (name, *(_bold(scores[who], lowest) for who in everyone))
    yield ("mean rank", *(f"{mean(ranks[who]):.2f}" for who in everyone))


def _lost(score: float | None) -> float:
    """For an order by scores: who has none comes last."""
    return float("inf") if score is None else score


def _bold(score: float | None, lowest: float) -> str:
    digits = 1 if lowest > 10 else 4
    return f"**{shown(score, digits)}**" if score == lowest else shown(score, digits)


def second_rows(found: Sequence[tuple[str, dict[str, Result]]]) -> Iterator[tuple[str, ...]]:
    """A row a table: the seconds of everyone's whole process."""
    return ((name, *(shown(result.seconds, 0) for result in results.values())) for name, results in found)


def beaten(found: Sequence[tuple[str, dict[str, Result]]]) -> str:
    """On how many tables the fit of a minute is ahead of each peer."""
    told = []
    for peer in PEERS:
        pairs = [(results[US].score, results[peer].score) for _, results in found if peer in results]
        ahead = sum(ours is not None and (theirs is None or ours < theirs) for ours, theirs in pairs)
        if pairs:
            told.append(f"{peer} {ahead} of {len(pairs)}")
    return f"{US} is ahead of " + ", ".join(told) + "." if told else ""


def head_beside(network: str) -> tuple[str, ...]:
    """What stands in each column of the rows below."""
    return ("table", US, "seconds", network, "seconds")


def rows_beside(network: str, names: Collection[str]) -> Iterator[tuple[str, ...]]:
    """A row for each of the named tables: scores and seconds of our minute, and of a network in the time it takes."""
    python = peers_python()
    for name, files, task in shared_tables():
        if python and name in names:
            results = (_ours(files, task, SECONDS), _theirs(python, network, files, task, NETWORK_LIMIT))
            lowest = min(_lost(result.score) for result in results)
            yield (name, *(cell for each in results for cell in (_bold(each.score, lowest), shown(each.seconds, 0))))
