"""The six steps on one page: prepare, build, fit, evaluate, save, all together.

`fit_steps` is a generator: it yields what happened, and the terminal, the Python door and the tests are its readers.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import torch
from torch import Tensor

from firstlight.data.frames import FrameLike
from firstlight.data.pixel_cells import hashed
from firstlight.data.sources import read
from firstlight.data.table import Reading, Table
from firstlight.eject.script import script_of
from firstlight.evaluate.evaluation import Evaluation, ScoreName, evaluate
from firstlight.evaluate.verdict import Circumstances, TestedOn, untested, verdict
from firstlight.evaluate.wording import scored
from firstlight.files import write_whole
from firstlight.model.answers import Answers
from firstlight.model.building import build_line, parameters_of
from firstlight.model.encoding import encode_target, learn, strays_in
from firstlight.model.fitting import Epoch, Lesson, born, finish, fit_line, fit_network, prepare
from firstlight.model.predictor import Predictor
from firstlight.plain.split import some_of
from firstlight.plan.deciding import decide, source_of
from firstlight.plan.plan import Plan, Split, Task
from firstlight.plan.splitting import (
    FEWEST_ROWS,
    Parts,
    apply_split,
    choose_split,
    columns_compared,
    compared_by_likeness,
    kin_of,
    notes_on_kin,
    seen_rows,
    usual_share,
)
from firstlight.refusal import Refused, column_named
from firstlight.store.folder import (
    REPORT,
    SCRIPT,
    claimed,
    free_folder,
    publish,
    sizes_in,
    write_copies,
    write_log,
    write_metrics,
    write_plan,
)
from firstlight.store.model_file import FILE_NAME, load_model, save_model
from firstlight.store.run import Rows, Run
from firstlight.wording import counted


@dataclass(frozen=True)
class Choices:
    """What a person may ask of a fit; the rest is decided from the training rows.

    target: the column to predict; "" with a plan, which names it, and for files that carry labels.
    label:  the pattern by which labels stand in the headers of sequences, where it is not found by itself.
    test:   a share of the rows, 0 for no test, or a source whose rows are the test; None: as is usual.
    time, group: the column by which rows are set aside; at most one of them.
    pretrained: the folder of a pretrained encoder, for columns of text or of pictures.
    """

    target: str = ""
    sheet: str | None = None
    label: str | None = None
    task: Task | None = None
    test: float | str | Path | FrameLike | Table | None = None
    time: str | None = None
    group: str | None = None
    seconds: float | None = None
    seed: int = 0
    pretrained: str | None = None


@dataclass(frozen=True, eq=False)
class Opened:
    """The rows that can be used, all together; the last `test_rows` of them came from a test source."""

    table: Table
    target: str
    test_table: Table | None
    rows: pl.DataFrame
    test_rows: int
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Prepared:
    """Step 1 is done: what was read, how it was parted, and the plan.

    seen: which test rows stand among the training rows too, (rows,) bool; none where rows were parted by chance, for
    then equal ones stay together.
    """

    opened: Opened
    plan: Plan
    rows: Rows
    seen: Tensor
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Built:
    """Step 2 is done: how many parameters the line and the network have."""

    line: int
    network: int


@dataclass(frozen=True)
class Interrupted:
    """Step 3 was cut short; the best model so far is kept."""

    epochs: int


@dataclass(frozen=True)
class Evaluated:
    """Step 4 is done; None where no rows were set aside."""

    evaluation: Evaluation | None
    predictor: Predictor


@dataclass(frozen=True, eq=False)
class Finished:
    """Steps 5 and 6 are done."""

    run: Run


Event = Prepared | Built | Epoch | Interrupted | Evaluated | Finished


def fit_steps(
    source: str | Path | FrameLike | Table, choices: Choices, plan: Plan | None, out: Path | None
) -> Generator[Event, None, None]:
    """The way of a fit, from a source to a run folder; yields an event after each step and each epoch.

    plan: decisions to follow, in place of making them. out: the run folder; None: a free one under runs/.
    """
    started = time.monotonic()
    # 1 Prepare
    opened = open_rows(source, choices, plan)
    prepared, lesson = prepare_rows(opened, choices, plan)
    plan, rows = prepared.plan, prepared.rows
    folder = out or free_folder(opened.table.reading.name)
    with claimed(folder) as draft, threads(plan.fitting.threads):
        yield prepared
        # 2 Build
        line = build_line(plan, lesson.encoders, lesson.inputs)
        network = born(lesson)
        yield Built(parameters_of(line), parameters_of(network))
        # 3 Fit
        line_held_out = fit_line(line, lesson)
        history: list[Epoch] = []
        try:
            for epoch in fit_network(network, lesson):
                history.append(epoch)
                yield epoch
        except KeyboardInterrupt:
            plan = ended_after(plan, len(history))
            lesson = replace(lesson, plan=plan)
            yield Interrupted(len(history))
        predictor = finish(network, line, line_held_out, lesson)
        # 4 Evaluate
        answers = predictor.answers(rows.test)
        evaluation = evaluate_by(answers, predictor, rows.truth, groups_of(rows.test, plan.split))
        said = verdict_of(evaluation, plan, looks=1)
        said += without_seen(answers, predictor, rows, prepared.seen, evaluation)
        yield Evaluated(evaluation, predictor)
        # 5 Save
        write_plan(draft, plan)
        write_copies(draft, opened.table, opened.test_table)
        save_model(draft / FILE_NAME, predictor, evaluation, rows.train)
        stored = load_model(draft / FILE_NAME)  # checked by loading it again
        # 6 Together
        run = Run(
            predictor=stored.predictor, evaluation=evaluation,
            verdict=said,
            folder=folder, history=history, notes=prepared.notes, looks=1, seconds=time.monotonic() - started,
        )  # fmt: skip
        write_log(draft, history, predictor.kept)
        write_metrics(draft, run)
        script = script_of(predictor, evaluation, folder)
        write_whole(draft / SCRIPT, script)
        from firstlight.report.run_page import run_page  # charts take long to import, and only a fit draws them

        write_whole(draft / REPORT, run_page(run, rows, script, sizes_in(draft)))
        publish(draft, folder)
        yield Finished(run)


def ended_after(plan: Plan, epochs: int) -> Plan:
    """The plan of a fit that was interrupted: followed again it ends there, too."""
    return plan.model_copy(update={"fitting": plan.fitting.model_copy(update={"interrupted_after": epochs})})


@contextmanager
def threads(number: int) -> Iterator[None]:
    """As many threads as the plan says, for the last bits of sums depend on it; afterwards as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def open_rows(source: str | Path | FrameLike | Table, choices: Choices, plan: Plan | None) -> Opened:
    """Reads the source, and the test source where there is one; rows without a target are left aside and counted."""
    table = read(source, sheet=choices.sheet, label=choices.label, forms=plan.source.forms if plan else None)
    asked = plan.target.column if plan else choices.target
    if not asked and asked not in table.frame.columns:
        asked = own_target(table)
    target = column_named(asked, table.frame.columns, shown(table))
    test_source = plan.test_source.location if plan and plan.test_source else choices.test
    test_table = None
    if test_source is not None and not isinstance(test_source, float | int):
        test_table = read(test_source, label=label_of(table.reading), forms=table.reading.forms)
    frames, notes = [table.frame], list(table.notes)
    if test_table:
        frames.append(_in_the_form_of(table, test_table))
        notes += test_table.notes
    known = [frame.filter(frame[target].is_not_null()) for frame in frames]
    for part, left, name in zip(frames, known, ("", "the test's "), strict=False):
        if missing := len(part) - len(left):
            notes.append(f"{target} is missing in {missing} of {name}{len(part)} rows: they are left aside.")
    rows = pl.concat(known)
    if len(known[0]) < FEWEST_ROWS:
        what = "row" if len(known[0]) == 1 else "rows"
        raise Refused(
            f"{shown(table)} has {len(known[0])} {what} with a {target}; a fit needs {FEWEST_ROWS} at the least."
        )
    return Opened(table, target, test_table, rows, len(known[1]) if test_table else 0, tuple(notes))


def own_target(table: Table) -> str:
    """The column to predict where nobody named one. Raises Refused where the table has no target of its own."""
    if table.own_target:
        return table.own_target
    raise Refused(f"name the column to predict; {shown(table)} has {', '.join(table.frame.columns[:12])}.")


def label_of(reading: Reading) -> str | None:
    """The pattern by which labels were found in headers: a second file is read by the same."""
    label = reading.options.get("label")
    return label if isinstance(label, str) else None


def shown(table: Table) -> str:
    """The source's name for messages: the file's, without the folders on the way."""
    return Path(table.reading.location).name if table.reading.paths else table.reading.location


def _in_the_form_of(table: Table, test_table: Table) -> pl.DataFrame:
    missing = [name for name in table.frame.columns if name not in test_table.frame.columns]
    if missing:
        raise Refused(f"{shown(test_table)} lacks the column {missing[0]!r} that {shown(table)} has.")
    try:
        return pl.DataFrame({name: test_table.frame[name].cast(kind) for name, kind in table.frame.schema.items()})
    except pl.exceptions.PolarsError as error:
        raise Refused(f"{shown(test_table)} has columns of other types than {shown(table)} ({error}).") from error


def prepare_rows(opened: Opened, choices: Choices, plan: Plan | None) -> tuple[Prepared, Lesson]:
    """Sets the test rows aside before anything looks, decides, learns the encoders, and encodes the training rows."""
    target = opened.target
    split = plan.split if plan else split_of(opened, choices)
    for name in (*split.alike, *split.near, *([split.column] if split.column else [])):
        column_named(name, opened.rows.columns, shown(opened.table))
    parts = apply_split(opened.rows, target, split, opened.test_rows)
    train_rows = opened.rows[parts.train.numpy()]
    source = source_of(opened.table.reading)
    test_source = source_of(opened.test_table.reading) if opened.test_table else None
    if plan:  # where the rows come from this time need not be where the plan had them from
        plan = plan.model_copy(update={"source": source, "test_source": test_source})
    else:
        plan = decide(
            train_rows,
            target,
            task=choices.task,
            source=source,
            test_source=test_source,
            split=split,
            seconds=choices.seconds,
            seed=choices.seed,
            pretrained=choices.pretrained,
        )
    for name in plan.inputs:
        column_named(name, opened.rows.columns, shown(opened.table))
    encoders = learn(train_rows, plan)
    targets = encode_target(opened.rows[target], plan, encoders)
    training, tested, aside = _with_known_targets(parts, targets, target)
    if plan.fitting.rows and plan.fitting.rows < len(training):
        some, all_of_them = counted(plan.fitting.rows, "row"), counted(len(training), "training row")
        aside.append(f"{some} teach, chosen by chance from {all_of_them}.")
        training = some_of(training, plan.fitting.rows, plan.fitting.seed)
    train, test = opened.rows[training.numpy()], opened.rows[tested.numpy()]
    if len(train) < 2:
        raise Refused(f"{shown(opened.table)} has {len(train)} training rows with a {target} to learn from: too few.")
    lesson = prepare(train, plan, encoders, targets[training], parts.kin[training])
    if len(lesson.folds.unique()) < 2:
        by = f"rows of one {split.column}" if split.column else "equal rows"
        raise Refused(f"{shown(opened.table)} has too few training rows that may part: {by} stay together.")
    seen = torch.zeros(len(test), dtype=torch.bool)
    if opened.test_table and len(test) == 0:
        name = shown(opened.test_table)
        raise Refused(f"{name} has no row with a {target} that can be scored, so nothing would be tested.")
    if opened.test_table or (split.column and columns_compared(opened.rows, target, split)):
        seen = seen_rows(train, test, plan)
        aside += seen_before(train, test, plan, seen)
    classes = targets if plan.target.task == "classification" else None
    notes = (*opened.notes, *aside, *notes_on_kin(parts.kin, split, classes), *strays_in(train, plan))
    return Prepared(opened, plan, Rows(train, test, targets[tested]), seen, notes), lesson


def split_of(opened: Opened, choices: Choices) -> Split:
    """How the test rows are set aside, as asked for or by default."""
    source = shown(opened.table)
    if opened.test_table:
        taught = opened.rows[: len(opened.rows) - opened.test_rows]
        return Split(way="file", share=0, seed=choices.seed).model_copy(
            update=compared_by_likeness(taught, opened.target)
        )
    for name in (choices.time, choices.group):
        if name is not None:
            column_named(name, opened.rows.columns, source)
    share = float(choices.test) if isinstance(choices.test, float | int) else usual_share(len(opened.rows))
    return choose_split(
        opened.rows, opened.target, share=share, time=choices.time, group=choices.group, seed=choices.seed
    )


def _with_known_targets(parts: Parts, targets: Tensor, target: str) -> tuple[Tensor, Tensor, list[str]]:
    """The rows of the two parts without those whose target is no number, or a label that no training row has."""
    known = targets >= 0 if targets.dtype == torch.int64 else targets.isfinite()
    notes = []
    lost = int((~known[parts.train]).sum())
    if lost:
        notes.append(f"{target} is no number in {lost} training rows: they are left aside.")
    unseen = int((~known[parts.test]).sum())
    if unseen and targets.dtype == torch.int64:
        notes.append(f"{unseen} test rows have a {target} that no training row has: no model can name it; not scored.")
    elif unseen:
        notes.append(f"{target} is no number in {unseen} test rows: they are not scored.")
    return parts.train[known[parts.train]], parts.test[known[parts.test]], notes


def seen_before(train: pl.DataFrame, test: pl.DataFrame, plan: Plan, seen: Tensor) -> list[str]:
    """A note where test rows that were set aside by another rule stand among the training rows too, or nearly do."""
    equal = len(hashed(test).join(hashed(train), on=list(plan.inputs), how="semi", nulls_equal=True))
    near = int(seen.sum()) - equal
    if equal + near == 0:
        return []
    counts = [
        f"{equal} of {len(test)} test rows stand in the training rows too" if equal else "",
        f"{near} of {len(test)} test rows are nearly equal to a training row" if near else "",
    ]
    return [f"{', and '.join(filter(None, counts))}: the score is also given without them."]


def groups_of(rows: pl.DataFrame, split: Split) -> Tensor | None:
    """The group of each row where rows were parted by group, else None."""
    return kin_of(rows, split) if split.way == "group" else None


def evaluate_on(predictor: Predictor, rows: pl.DataFrame, truth: Tensor, groups: Tensor | None) -> Evaluation | None:
    """The scores of network, straight line and constant on rows that they have not learned from; None without rows."""
    return evaluate_by(predictor.answers(rows), predictor, truth, groups)


def evaluate_by(
    answers: Mapping[str, Answers], predictor: Predictor, truth: Tensor, groups: Tensor | None
) -> Evaluation | None:
    """The scores of what network, straight line and constant have answered; None without rows."""
    if len(truth) == 0:
        return None
    labels = predictor.encoders.labels or None
    return evaluate(truth, answers, predictor.kept, labels=labels, groups=groups, seed=predictor.plan.fitting.seed)


def without_seen(
    answers: Mapping[str, Answers], predictor: Predictor, rows: Rows, seen: Tensor, evaluation: Evaluation | None
) -> str:
    """A line for the verdict: the score without test rows that stand in the training rows; "" where there are none."""
    if evaluation is None or not seen.any() or seen.all():
        return ""
    new = {predictor.kept: answers[predictor.kept].of(~seen)}
    alone = evaluate_by(new, predictor, rows.truth[~seen], None)
    name: ScoreName = "accuracy" if evaluation.task == "classes" else "root_mean_squared_error"
    both = [scored(name, each.kept.score(name).value) for each in (alone, evaluation) if each]
    what = "right" if name == "accuracy" else "off by (RMSE)"
    count = counted(int(seen.sum()), "test row")
    return f"\nWithout the {count} that the training rows hold too, or nearly: {what} {both[0]}, with them {both[1]}."


def verdict_of(evaluation: Evaluation | None, plan: Plan, looks: int) -> str:
    """The score in plain sentences, with what a reader must know to believe it."""
    leaks = tuple(suspicion.column for suspicion in plan.beware if suspicion.column in plan.inputs)
    if evaluation is None:
        return untested(target=plan.target.column, leaks=leaks)
    ways: dict[str, TestedOn] = {"chance": "rows", "time": "time", "group": "groups", "file": "file"}
    circumstances = Circumstances(
        split=ways[plan.split.way], column=plan.split.column or None, looks=looks, leaks=leaks
    )
    return verdict(evaluation, target=plan.target.column, circumstances=circumstances)
