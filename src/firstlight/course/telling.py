"""The lesson, told in a terminal: calm, a step at a time, in at most a hundred columns.

Colour helps and carries nothing alone; where the terminal cannot show more than ASCII, the pictures use that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from firstlight.course import words
from firstlight.course.lesson import Learned, Lesson, Points
from firstlight.course.picture import Series, Window, draw

_NARROWEST = 60  # columns: where the terminal has fewer, it breaks the lines itself
_WIDEST = 100  # columns: longer lines are hard to read
_GUTTER = 12  # columns: the step's number and name stand in them
_CODE = "cyan"
_TRAIN, _TEST, _MODEL = "blue", "green", "red"


@dataclass(frozen=True)
class Paper:
    """What a chapter is written on."""

    width: int  # columns, without the gutter
    ascii_only: bool


def tell(lesson: Lesson, console: Console) -> None:
    """Print the whole lesson."""
    width = max(_NARROWEST, min(console.width, _WIDEST))
    paper = Paper(width - _GUTTER, console.options.ascii_only)
    bodies = (
        _prepare(lesson, paper),
        _build(lesson, paper),
        _fit(lesson, paper),
        _evaluate(lesson, paper),
        _save(lesson),
        _together(lesson),
    )
    _print(console, Text(words.title(lesson), "bold"))
    for (step, announcement), body in zip(words.STEPS, bodies, strict=True):
        _print(console, Text())
        for line in [Text(announcement, "bold"), *_without_gaps(body)]:
            for part in line.wrap(console, paper.width):
                _print(console, Text(f"{step:<{_GUTTER}}", "bold" if step else "").append(part))
                step = ""
    for line in _end(lesson):
        _print(console, line)


def _print(console: Console, line: Text) -> None:
    line.rstrip()
    console.print(line, soft_wrap=True, highlight=False)


def _without_gaps(body: Iterator[Text]) -> Iterator[Text]:
    """The same lines with at most one blank line between two, and none at the end."""
    blank = False
    for line in body:
        if line.plain and blank:
            yield Text()
        blank = not line.plain
        if line.plain:
            yield line


def _prepare(lesson: Lesson, paper: Paper) -> Iterator[Text]:
    yield _said(words.data(lesson))
    yield _said(words.apart(lesson))
    yield from _plane(lesson, paper, None)


def _build(lesson: Lesson, paper: Paper) -> Iterator[Text]:
    model = lesson.by_hand
    yield _said(words.MODULE)
    yield from _code(model.source)
    yield _said(words.born(lesson, model))
    yield _said(words.untrained(model))
    yield from _plane(lesson, paper, model.born_predictions)


def _fit(lesson: Lesson, paper: Paper) -> Iterator[Text]:
    model = lesson.by_hand
    yield _said(words.optimiser(lesson))
    yield Text()
    yield from _table(words.slow_motion(lesson))
    yield Text()
    yield _said(words.and_so_on(model))
    yield Text()
    yield from _log(lesson, model)
    yield from _losses(lesson, paper)
    yield _said(words.HOW_TO_READ)


def _evaluate(lesson: Lesson, paper: Paper) -> Iterator[Text]:
    model = lesson.by_hand
    yield _said(words.became(lesson, model))
    yield _said(words.INFERENCE)
    yield from _plane(lesson, paper, model.predictions)
    yield from _table([("on the test points", "off by"), *words.scores(lesson)])
    yield Text()
    yield _said(words.algebra(lesson))
    yield Text()
    yield _said(words.hidden(lesson, model))


def _save(lesson: Lesson) -> Iterator[Text]:
    yield _said(words.state(lesson.by_hand))
    yield _said(words.saved(lesson.by_hand))
    yield _said(words.reloaded(lesson.by_hand))


def _together(lesson: Lesson) -> Iterator[Text]:
    model = lesson.by_layer
    yield from _code(model.source)
    yield _said(words.born(lesson, model))
    yield Text()
    yield from _log(lesson, model)
    yield Text()
    yield _said(words.became(lesson, model))
    yield _said(words.improved(model))
    yield Text()
    yield _said(words.swings_too(model))
    yield Text()
    yield _said(words.saved(model))
    yield _said(words.reloaded(model))


def _end(lesson: Lesson) -> Iterator[Text]:
    yield Text()
    yield Text(words.TEN_LINES, "bold")
    yield from _code(lesson.ten_lines)
    yield from _table(words.left_behind(lesson))
    yield Text()
    yield Text(words.NEXT)
    yield Text(f"    {words.NEXT_COMMAND}", _CODE)


def _said(sentence: str) -> Text:
    """A sentence, its names of code in colour."""
    text = Text()
    for number, part in enumerate(sentence.split("`")):
        text.append(part, _CODE if number % 2 else "")
    return text


def _code(source: str) -> Iterator[Text]:
    yield Text()
    for line in source.splitlines():
        yield Text(f"    {line}", _CODE)
    yield Text()


def _table(rows: Sequence[tuple[str, str]]) -> Iterator[Text]:
    widest = max(len(name) for name, _ in rows)
    for name, value in rows:
        yield Text(f"{name:<{widest + 2}}").append(_said(value))


def _log(lesson: Lesson, model: Learned) -> Iterator[Text]:
    yield Text(_log_line(words.LOG_COLUMNS), "dim")
    for epoch in words.log(lesson, model):
        yield Text(_log_line(words.log_row(epoch)))


def _log_line(cells: Sequence[str]) -> str:
    return "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, (5, 10, 10, 10, 10), strict=True))


def _plane(lesson: Lesson, paper: Paper, predictions: Points | None) -> Iterator[Text]:
    """The points and, where there are any yet, the predictions; every such picture shows the same window."""
    model = lesson.by_hand
    every_y = lesson.train.y + lesson.test.y + model.born_predictions.y + model.predictions.y
    series = [Series("train", lesson.train, "", _TRAIN), Series("test", lesson.test, "o", _TEST)]
    if predictions:
        series.append(Series("what the model says", predictions, "x", _MODEL))
    yield from draw(series, Window(0.0, 1.0, min(every_y), max(every_y)), paper.width, paper.ascii_only)


def _losses(lesson: Lesson, paper: Paper) -> Iterator[Text]:
    """The train loss of every epoch, and the test loss of those in the log."""
    every, logged = lesson.by_hand.epochs, words.log(lesson, lesson.by_hand)
    train = Points(tuple(float(epoch.number) for epoch in every), tuple(epoch.train_loss for epoch in every))
    test = Points(tuple(float(epoch.number) for epoch in logged), tuple(epoch.test_loss for epoch in logged))
    window = Window(0.0, float(len(every)), 0.0, max(train.y + test.y))
    series = [Series("train loss of each epoch", train, "", _TRAIN), Series("test loss", test, "o", _TEST)]
    yield from draw(series, window, paper.width, paper.ascii_only)
