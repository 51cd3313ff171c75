"""A fit as a whole, and what is done with a model once it is there: load, predict, evaluate, eject."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
from torch import Tensor

from firstlight.asking import Source, place_of, placed, requested, reread
from firstlight.data.pixel_cells import hashed
from firstlight.data.sources import read
from firstlight.data.table import NAMING, Table
from firstlight.eject.script import script_of
from firstlight.evaluate.evaluation import Evaluation
from firstlight.evaluate.stored import as_json
from firstlight.evaluate.verdict import Circumstances, verdict
from firstlight.files import write_whole
from firstlight.model.encoding import complete, encode_target, known_targets
from firstlight.model.predictions import Predictions, predictions
from firstlight.plan.plan import Plan, Task
from firstlight.refusal import Refused, column_named
from firstlight.store.folder import METRICS, ROWS, model_path, read_metrics
from firstlight.store.model_file import CLOSE, CLOSE_IN_HALF, load_model
from firstlight.store.run import Run
from firstlight.workflow import (
    Choices,
    Finished,
    evaluate_on,
    fit_steps,
    groups_of,
    open_rows,
    prepare_rows,
    shown,
    verdict_of,
)

CHANCE_TWINS = 0.1  # up to this share of new rows may well be equal to old ones by chance


def fit(
    source: Source | None,
    target: str | None = None,
    *,
    task: Task | None = None,
    test: float | Source | None = None,
    by_time: str | None = None,
    group: str | None = None,
    time: str | float | None = None,
    seed: int = 0,
    out: str | Path | None = None,
    plan: Plan | str | Path | None = None,
    sheet: str | None = None,
    label: str | None = None,
    pretrained: str | Path | None = None,
) -> Run:
    r"""The six steps, from a table to a tested model and its run folder.

    source:  a path, a pattern of paths, "-", "sqlite:///file.db?table=name", or a frame; None with a plan: the plan's.
    target:  the column to predict; None with a plan: the plan's; None for files that carry labels: "label".
    task:    "classification" or "regression"; else it is decided by the target's cells.
    test:    the share of rows set aside as the test, 0 or "none" for no test, or a source whose rows are the test;
             None: a fifth of the rows, at most 100 000.
    by_time: a column; the latest rows are the test. group: a column; rows of one group never part.
    time:    "30s", "5m", "1h" or seconds: how long the fit may take.
    out:     the run folder; else a new one under runs/.
    plan:    a plan, or the path of a plan.toml: it is followed, and no other choice may stand beside it.
    sheet:   of a workbook. label: a pattern for the labels in the headers of sequences, such as r"class=(\w+)".
    pretrained: "minilm", or the folder of a BERT or a ResNet: an encoder that helps to read texts or pictures.

    Raises Refused, in one sentence, for what cannot be fitted. Ctrl-C keeps the best so far.
    """
    asked = requested(
        source, target, task=task, test=test, by_time=by_time, group=group, time=time, seed=seed, out=out, plan=plan,
        sheet=sheet, label=label, pretrained=pretrained,
    )  # fmt: skip
    for event in fit_steps(asked.source, asked.choices, asked.plan, asked.out):
        if isinstance(event, Finished):
            return event.run
    raise ValueError("a fit ended without a run")


def load(place: str | Path) -> Run:
    """Step 5, load: the model in a file or in a run folder, after an audit of all that the file claims.

    Raises Refused where it is no model, or a damaged one. Nothing in it is run.
    """
    path = model_path(Path(place))
    stored = load_model(path)
    metrics = read_metrics(path.parent)
    evaluation = None if stored.evaluation is None else as_json(stored.evaluation)
    if not metrics or metrics.get("evaluation") != evaluation:  # another run's, or none
        said = verdict_of(stored.evaluation, stored.predictor.plan, looks=1)
        return Run(stored.predictor, stored.evaluation, said, None, (), (), 1, None)
    looks = metrics.get("looks")
    return Run(
        predictor=stored.predictor, evaluation=stored.evaluation, verdict=str(metrics.get("verdict", "")),
        folder=path.parent, history=(), notes=(), looks=looks if isinstance(looks, int) else 1, seconds=None,
    )  # fmt: skip


def predict(model: Run | str | Path, source: Source, *, sheet: str | None = None, why: bool = False) -> Predictions:
    """Step 4, predict: the model's answer to each row of a source, and what was odd about the rows.

    why: whether to find out what in each row moved its answer: every cell, word and base is left out in turn.
    """
    run = model if isinstance(model, Run) else load(model)
    table = read(source, sheet=sheet, forms=run.predictor.plan.source.forms)
    naming = NAMING.get(table.reading.reader)
    answered = predictions(run.predictor, table.frame, shown(table), naming=naming, why=why)
    return replace(answered, notes=(*table.notes, *answered.notes))


@dataclass(frozen=True, eq=False)
class Tested:
    """What an evaluation found.

    rows:     in words, which rows were used.
    looks:    how often these rows were used to evaluate this model, this time included.
    recorded: whether the look could be written down; not where a model file stands without its run folder, or in one
              that cannot be written to.
    """

    evaluation: Evaluation
    verdict: str
    rows: str
    looks: int
    recorded: bool
    notes: tuple[str, ...]


def evaluate(model: Run | str | Path, source: Source | None = None, *, sheet: str | None = None) -> Tested:
    """Step 4, evaluate: the scores on new rows that have the target, or once more on the run's own test rows.

    Every look counts: it is written into the run's metrics.json, and from the second on the verdict says so.
    """
    run = model if isinstance(model, Run) else load(model)
    if source is None:
        return _on_own_rows(run)
    return _on_new_rows(run, read(source, sheet=sheet, forms=run.predictor.plan.source.forms))


def _on_own_rows(run: Run) -> Tested:
    plan = run.predictor.plan
    if run.evaluation is None:
        raise Refused("the model has no test rows of its own (--test none); name a table to test it on.")
    place = place_of(plan, run.folder, ROWS)
    plan_here = placed(plan, run.folder)
    opened = open_rows(place, reread(plan), plan_here)
    rows = prepare_rows(opened, Choices(), plan_here)[0].rows
    evaluation = evaluate_on(run.predictor, rows.test, rows.truth, groups_of(rows.test, plan.split))
    if evaluation is None or not _same_scores(evaluation, run.evaluation, CLOSE_IN_HALF if plan.in_half else CLOSE):
        raise Refused(f"{place} has changed since the fit, so its test rows cannot be told from the others.")
    before = read_metrics(run.folder).get("looks") if run.folder else None  # the Run may be older than its file
    looks = max(run.looks, before if isinstance(before, int) else 0) + 1
    said = verdict_of(evaluation, plan, looks)
    recorded = _record(run.folder, {"looks": looks, "verdict": said})
    return Tested(evaluation, said, f"the run's own {evaluation.rows} test rows", looks, recorded, ())


def _same_scores(now: Evaluation, then: Evaluation, close: float) -> bool:
    """Whether the same model was asked about the same rows; the last digits may differ between machines."""
    scores = [
        [score.value for contender in found.contenders for score in contender.scores if score.value is not None]
        for found in (now, then)
    ]
    pairs = zip(*scores, strict=False)
    return now.rows == then.rows and all(math.isclose(*pair, rel_tol=close, abs_tol=close / 100) for pair in pairs)


def _on_new_rows(run: Run, table: Table) -> Tested:
    plan, encoders = run.predictor.plan, run.predictor.encoders
    target = column_named(plan.target.column, table.frame.columns, shown(table))
    completed, missing = complete(table.frame, plan)
    known = completed[target].is_not_null() & known_targets(completed[target], plan, encoders)
    rows = completed.filter(known)
    notes = [*table.notes, *missing]
    if left := len(completed) - len(rows):
        notes.append(f"{left} of {len(completed)} rows have no {target} that the model knows: not scored")
    answered = predictions(run.predictor, rows, shown(table)) if len(rows) else None
    evaluation = evaluate_on(
        run.predictor, rows, encode_target(rows[target], plan, encoders), _groups_of_new(rows, plan)
    )
    if evaluation is None or answered is None:
        raise Refused(f"{shown(table)} has no row with a {target} that the model knows, so nothing can be scored.")
    looks, recorded = _look_at(run, rows.select(*plan.inputs, target))
    circumstances = Circumstances(split="file", column=None, looks=looks, leaks=())
    said = verdict(evaluation, target=target, circumstances=circumstances)
    said = "\n".join([said, *_twins(run, rows)])
    new = tuple(note for note in answered.notes if note not in missing)
    return Tested(evaluation, said, f"{evaluation.rows} rows of {shown(table)}", looks, recorded, (*notes, *new))


def _twins(run: Run, rows: pl.DataFrame) -> list[str]:
    """A warning where many of the rows stand in the table that the model was fitted on; its file may be gone by now."""
    plan = run.predictor.plan
    columns = [*plan.inputs, plan.target.column]
    try:
        again = reread(plan)
        old = read(
            place_of(plan, run.folder, ROWS), sheet=again.sheet, label=again.label, forms=plan.source.forms
        ).frame
    except Refused:
        return []
    if not set(columns) <= set(old.columns):
        return []
    now, then = (_as_text(frame.select(columns)) for frame in (rows, old))
    twins = len(now.join(then.unique(), on=columns, how="semi", nulls_equal=True))
    if twins <= CHANCE_TWINS * len(rows):
        return []
    return [
        f"{twins} of these {len(rows)} rows stand in {plan.source.name} too, the table that it was fitted on: "
        "the score is too good to be true."
    ]


def _as_text(rows: pl.DataFrame) -> pl.DataFrame:
    """All cells as text, to tell rows by; a picture or video as the hash of its pixels."""
    return hashed(rows).cast(pl.String)


def _groups_of_new(rows: pl.DataFrame, plan: Plan) -> Tensor | None:
    """The group of each row, where the model was tested by group and the rows say theirs."""
    return groups_of(rows, plan.split) if plan.split.column in rows.columns else None


def _look_at(run: Run, rows: pl.DataFrame) -> tuple[int, bool]:
    """How often these rows were looked at, this time included; they are known again by their cells."""
    text = _as_text(rows.select(sorted(rows.columns))).write_csv()
    fingerprint = hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
    before = read_metrics(run.folder).get("looks_elsewhere") if run.folder else None
    counts = before if isinstance(before, dict) else {}
    seen = counts.get(fingerprint, 0)
    looks = (seen if isinstance(seen, int) else 0) + 1
    return looks, _record(run.folder, {"looks_elsewhere": {**counts, fingerprint: looks}})


def _record(folder: Path | None, found: Mapping[str, Any]) -> bool:
    """Puts what was found into the run's metrics.json, where there is one that can be written to."""
    if folder is None:
        return False
    try:
        write_whole(folder / METRICS, json.dumps({**read_metrics(folder), **found}, indent=1) + "\n")
    except Refused:
        return False
    return True


def eject(model: Run | str | Path, path: str | Path) -> str:
    """Step 6, all together: writes the whole fit as plain PyTorch, and returns the script."""
    run = model if isinstance(model, Run) else load(model)
    script = script_of(run.predictor, run.evaluation, Path(path).absolute().parent)
    write_whole(Path(path), script)
    return script
