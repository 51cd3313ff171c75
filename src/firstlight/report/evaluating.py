"""Chapter 4, evaluate: how good the kept model is on the test rows, beside what, and where it errs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from firstlight.data.table import NAMING
from firstlight.evaluate.evaluation import Difference, Evaluation, Mistake, ScoreName
from firstlight.evaluate.intervals import wilson
from firstlight.evaluate.wording import SHARES, TITLES, interval, named, scored
from firstlight.kinds.number import NUMBER, column_values
from firstlight.model.answers import NumberAnswers
from firstlight.model.fitting import RANGE_SHARE
from firstlight.report import charts
from firstlight.report.drawing import Floats
from firstlight.report.moving import what_moved
from firstlight.report.page import Block, Chapter, Figure, Folded, Grid, Prose
from firstlight.report.pictures import maps_of_parts, sheets_of_errors
from firstlight.report.story import Story
from firstlight.report.wording import aligned, counted, number, percent, sentences, spaced

MOST_CELLS = 4  # columns shown beside a mistake: the most telling ones
FEWEST_IN_A_THIRD = 10  # rows, below which a third of them says nothing
WHOLE_RANGE = "\u00a0–\u2060\u00a0"  # a range that does not break at the end of a line
MOST_OPEN = 12  # classes whose table stands open

MEANINGS: dict[ScoreName, str] = {
    "accuracy": "share of rows named rightly",
    "log_loss": "how surprised it was by the truth; 0 is never, lower is better",
    "macro_f1": "found and rightly named, each class counting alike; 1 is best",
    "auc": "chance that of two rows of different classes the right one gets more; 0.5 is guessing, 1 is best",
    "mean_absolute_error": "mean distance from the truth, in the target's unit",
    "root_mean_squared_error": "the same with large errors counted more",
    "r_squared": "share of the target's variation that is explained; 1 is best",
    "range_coverage": "share of rows whose truth lies within low to high; 95 % is meant",
}


def evaluate_chapter(story: Story) -> Chapter:
    """Scores, differences, errors; or that nothing was tested."""
    evaluation = story.run.evaluation
    if evaluation is None:
        untested = f"Not tested. No rows were set aside: how well it predicts {story.target} for new rows is not known."
        advice = "Fit again without --test none, or give rows that it has not learned from to firstlight evaluate."
        return Chapter("4 Evaluate", untested, (Prose(advice),))
    looks = "" if story.run.looks == 1 else f" This is look {number(story.run.looks)} at the same rows."
    lead = f"On {counted(evaluation.rows, 'test row')}, which nothing above has learned from.{looks}"
    measures = _of_classes(story, evaluation) if story.classes else _of_numbers(story, evaluation)
    blocks = (_scores(evaluation, story), _every_score(evaluation), *_differences(evaluation), *measures)
    return Chapter("4 Evaluate", lead, blocks)


def _scores(evaluation: Evaluation, story: Story) -> Figure:
    """The score that the verdict speaks of, beside the baselines."""
    name: ScoreName = "accuracy" if story.classes else "mean_absolute_error"
    scale = 100 if name in SHARES else 1
    contenders = []
    for contender in evaluation.contenders:
        score = contender.score(name)
        value, low, high = (math.nan if part is None else scale * part for part in (score.value, score.low, score.high))
        contenders.append(charts.Scored(contender.name, value, low, high, contender.kept))
    title = "right" if story.classes else f"{story.target} off by, on average"
    figure = charts.scores(title, contenders, "%" if scale == 100 else "", higher_is_better=story.classes)
    return replace(figure, numbers=None)  # they stand in the next table


def _every_score(evaluation: Evaluation) -> Grid:
    """A row a score, a column a contender: each cell with its interval."""
    names = tuple(score.name for score in evaluation.kept.scores)
    rows = []
    for name in names:
        cells = []
        for contender in evaluation.contenders:
            score = contender.score(name)
            value = scored(name, score.value)
            cells.append(value if score.low is None else f"{value} ({interval(score)})")
        rows.append((TITLES[name], *(spaced(cell).replace(" – ", WHOLE_RANGE) for cell in cells)))
    caption = f"In brackets: the 95 % interval. {meanings(names)}"
    heads = (f"{each.name} (kept)" if each.kept else each.name for each in evaluation.contenders)
    return Grid("What do all the scores say?", ("score", *heads), tuple(rows), caption)


def meanings(names: Sequence[ScoreName]) -> str:
    """What scores mean, a sentence each."""
    return " ".join(f"{TITLES[name][:1].upper()}{TITLES[name][1:]}: {MEANINGS[name]}." for name in names)


def _differences(evaluation: Evaluation) -> tuple[Block, ...]:
    rows = tuple((each.against, *_said(each)) for each in evaluation.differences if each.value is not None)
    if not rows:
        return ()
    caption = (
        f"Taken row by row, over the same rows; above 0 speaks for the {evaluation.kept.name}. Better is said only "
        "where the whole 95 % interval lies above 0."
    )
    head = ("beside the", "difference", "95 % interval", "so it is")
    return (Grid(f"Is the {evaluation.kept.name} better, or could it be chance?", head, rows, caption),)


def _said(difference: Difference) -> tuple[str, str, str]:
    """The difference in words, its interval, and what it shows."""
    value, low, high = difference.value or 0.0, difference.low, difference.high
    ends: tuple[str, ...] = ()
    shows = "better" if difference.better else "worse" if difference.worse else "not shown"
    if difference.measure == "accuracy":
        said = f"{abs(100 * value):.1f} {'more' if value > 0 else 'fewer'} of 100 rows right" if value else "none"
        if low is not None and high is not None:
            ends = (f"{100 * low:.1f}", f"{100 * high:.1f}")
    else:
        what = {"log_loss": "log loss", "squared_error": "squared error", "absolute_error": "error"}[difference.measure]
        said = f"{what} {'smaller' if value >= 0 else 'larger'} by {number(abs(value), 3)}"
        if low is not None and high is not None:
            ends = aligned((low, high), 3)
    return said, spaced(" – ".join(ends)) or "–", shows


def _of_classes(story: Story, evaluation: Evaluation) -> tuple[Block, ...]:
    blocks: list[Block] = []
    if evaluation.confusion is None:
        blocks.append(Prose(f"The {number(len(story.labels))} classes are too many to show which is taken for which."))
    else:
        blocks.append(charts.confusion(story.labels, evaluation.confusion))
        table = _each_class(story, evaluation.confusion)
        blocks.append(
            table if len(story.labels) <= MOST_OPEN else Folded(table.question, (replace(table, question=""),))
        )
    promises = [
        charts.Promise(each.confidence, each.right, each.low, each.high, each.rows) for each in evaluation.reliability
    ]
    errors = (*sheets_of_errors(story, evaluation), *maps_of_parts(story, evaluation))
    return *blocks, _mistakes(story, evaluation), *errors, *what_moved(story, evaluation), charts.reliability(promises)


def _each_class(story: Story, confusion: tuple[tuple[int, ...], ...]) -> Grid:
    said = [sum(column) for column in zip(*confusion, strict=True)]
    rows = tuple(
        (
            label,
            number(sum(row)),
            percent(row[place], sum(row)) if sum(row) else "–",
            percent(row[place], said[place]) if said[place] else "–",
        )
        for place, (label, row) in enumerate(zip(story.labels, confusion, strict=True))
    )
    return Grid(
        "How well does it know each class?",
        (story.target, "test rows", "found", "right when named"),
        rows,
        "Found: share of the rows of a class that it names so (recall). "
        "Right when named: share of the rows that it names so which are (precision).",
    )


def _of_numbers(story: Story, evaluation: Evaluation) -> tuple[Block, ...]:
    answers = story.run.predictor.answer(story.rows.test)
    assert isinstance(answers, NumberAnswers)
    truth = story.rows.truth.double().numpy()
    said, low, high = (part.double().numpy() for part in (answers.predictions, answers.low, answers.high))
    return (
        charts.predictions(story.target, truth, said, low, high),
        _mistakes(story, evaluation),
        *sheets_of_errors(story, evaluation),
        *maps_of_parts(story, evaluation),
        *what_moved(story, evaluation),
        charts.residuals(story.target, said - truth),
        charts.coverage(RANGE_SHARE, _parts(truth, said, low, high)),
    )


def _parts(truth: Floats, said: Floats, low: Floats, high: Floats) -> dict[str, charts.Promise]:
    """How often the range held the truth: over all rows, and over the thirds with low, middle and high answers."""
    held = (low <= truth) & (truth <= high)
    parts = {"all test rows": _promise(held)}
    order = np.argsort(said, kind="stable")
    if len(said) >= 3 * FEWEST_IN_A_THIRD:
        names = ("lowest answers", "middle answers", "highest answers")
        parts |= {name: _promise(held[rows]) for name, rows in zip(names, np.array_split(order, 3), strict=True)}
    return parts


def _promise(held: np.ndarray) -> charts.Promise:
    interval = wilson(int(held.sum()), len(held))
    return charts.Promise(RANGE_SHARE, float(held.mean()), interval.low, interval.high, len(held))


def _mistakes(story: Story, evaluation: Evaluation) -> Block:
    if not evaluation.worst:
        return Prose("No test row is answered wrongly.")
    naming = NAMING.get(story.plan.source.reader, "")
    named_by = [naming] if naming in story.columns else []
    columns = [*named_by, *(name for name in story.told if name in story.rows.test.columns)][:MOST_CELLS]
    head = ("test row", "it was", "it said", "how sure" if story.classes else "off by")
    places = [each.row for each in evaluation.worst]
    cells = [_cells(story, name, places) for name in columns]
    rows = tuple(
        (number(place + 1), *answer, *(column[which] for column in cells))
        for which, (place, answer) in enumerate(zip(places, _answers(story, evaluation.worst), strict=True))
    )
    question = "Of which wrong answers was it surest?" if story.classes else "Which errors are the largest?"
    caption = sentences(
        "Test rows are numbered from 1, in the order of the table.",
        "Beside each answer stand the columns that tell most." if len(columns) == MOST_CELLS else "",
    )
    return Grid(question, (*head, *(story.names[name] for name in columns)), rows, caption)


def _answers(story: Story, mistakes: Sequence[Mistake]) -> list[tuple[str, str, str]]:
    """What each was, what was said, and how sure or by how much off."""
    if story.classes:
        labels = story.labels
        return [(labels[int(m.truth)], labels[int(m.answer)], percent(m.probability or 0.0, 1)) for m in mistakes]
    texts = aligned([value for m in mistakes for value in (m.truth, m.answer, m.answer - m.truth)])
    return list(zip(texts[::3], texts[1::3], texts[2::3], strict=True))


def _cells(story: Story, column: str, rows: list[int]) -> list[str]:
    """The cells of some test rows: numbers to a few digits, the rest as it stands there."""
    cells = story.rows.test[column].gather(rows)
    texts = ["–" if cell is None else named(str(cell)) for cell in cells]
    if story.columns[column].kind != NUMBER.name:
        return texts
    values = column_values(cells, story.plan.of_kind(NUMBER)[column]).tolist()
    return [text if math.isnan(value) else number(value) for text, value in zip(texts, values, strict=True)]


def first_error(story: Story) -> str:
    """The one error that a reader should know of, in a sentence; "" where nothing is wrong or nothing was tested."""
    evaluation = story.run.evaluation
    if evaluation is None or not evaluation.worst:
        return ""
    if not story.classes:
        worst = evaluation.worst[0]
        was, said, _ = _answers(story, [worst])[0]
        return f"Its largest error: {was} was said to be {said}, in test row {number(worst.row + 1)}."
    if evaluation.confusion is None:
        return ""
    mixed = [
        (count, truth, answer)
        for truth, row in enumerate(evaluation.confusion)
        for answer, count in enumerate(row)
        if truth != answer
    ]
    count, truth, answer = max(mixed, key=lambda mix: mix[0])
    rows = counted(evaluation.rows_of_class[truth], "row")
    mistake = f"where {story.target} is {story.labels[truth]}, it says {story.labels[answer]}"
    return f"Its commonest mistake: {mistake}, in {number(count)} of {rows}."
