"""The lesson as a page: the same six steps and sentences as in the terminal, with larger pictures.

Every mark differs from the others by shape or dash, never by colour alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import altair as alt

from firstlight.course import words
from firstlight.course.lesson import Learned, Lesson, Parameters, Points
from firstlight.report.page import Block, Chapter, Figure, Folded, Grid, Prose, Script, render
from firstlight.report.theme import INK, MAIN, OTHER, SOFT

_Value = TypeVar("_Value")

_MOST_MARKS = 400  # of one kind in a chart: more of them hide one another
_HEIGHT = 300  # pixels

_TRAIN, _TEST, _BEFORE, _AFTER = "train", "test", "model before training", "model after training"
_LOOKS = {_TRAIN: ("circle", SOFT), _TEST: ("square", OTHER), _BEFORE: ("triangle-down", INK), _AFTER: ("cross", MAIN)}

# The surface keeps its colours in the dark, so what is drawn upon it does too.
_VALLEY_TO_HEIGHTS = ("#f7fbff", "#dbe9f6", "#bad6eb", "#89bedc", "#539ecd", "#2b7bba", "#0b559f", "#08306b")
_PATH, _HALO = "#a8330a", "#ffffff"
_BORN, _ENDED, _MAKER = "born", "after training", "the line that made the data"


def page(lesson: Lesson) -> str:
    """One self-contained html file."""
    bodies = (_prepare(lesson), _build(lesson), _fit(lesson), _evaluate(lesson), _save(lesson), _together(lesson))
    chapters = tuple(
        Chapter(step, announcement, body) for (step, announcement), body in zip(words.STEPS, bodies, strict=True)
    )
    return render(words.title(lesson), _lead(lesson), chapters)


def _lead(lesson: Lesson) -> tuple[Block, ...]:
    model = lesson.by_hand
    return (
        Prose(f"{words.became(lesson, model)}\n\n{_plain(words.born(lesson, model))} {words.improved(model)}"),
        Grid("", ("on the test points", "off by, on average"), words.scores(lesson), words.algebra(lesson)),
    )


def _prepare(lesson: Lesson) -> tuple[Block, ...]:
    return (
        Prose(words.data(lesson)),
        Figure("Which points are for learning, and which for the test?", _plane(lesson, {}), words.apart(lesson)),
    )


def _build(lesson: Lesson) -> tuple[Block, ...]:
    model = lesson.by_hand
    return (
        Prose(_plain(words.MODULE)),
        Script(f"{model.module}, whole", model.source),
        Prose(words.born(lesson, model)),
        Figure("What does the model say before it has learned anything?",
               _plane(lesson, {_BEFORE: model.born_predictions}), words.untrained(model)),
    )


def _fit(lesson: Lesson) -> tuple[Block, ...]:
    model = lesson.by_hand
    steps = tuple((name, _plain(happens)) for name, happens in words.slow_motion(lesson))
    return (
        Prose(_plain(words.optimiser(lesson))),
        Grid("What happens in one step?", ("part", "in numbers"), steps, words.and_so_on(model)),
        _losses_figure(lesson, model),
        Figure("Which way down did the parameters take?", _descent(lesson, (model,)), words.SURFACE),
    )


def _evaluate(lesson: Lesson) -> tuple[Block, ...]:
    model = lesson.by_hand
    return (
        Prose(_plain(words.INFERENCE)),
        _after_figure(lesson, model),
        Prose(_plain(words.hidden(lesson, model))),
    )


def _save(lesson: Lesson) -> tuple[Block, ...]:
    model = lesson.by_hand
    return (Prose("\n\n".join(_plain(say(model)) for say in (words.state, words.saved, words.reloaded))),)


def _together(lesson: Lesson) -> tuple[Block, ...]:
    model = lesson.by_layer
    return (
        Script(f"{model.module}, whole", model.source),
        Prose(f"{words.born(lesson, model)} {words.became(lesson, model)}"),
        _losses_figure(lesson, model),
        _after_figure(lesson, model),
        Figure("Do both models end in the same place?", _descent(lesson, (lesson.by_hand, model)),
               words.SURFACE_FOR_BOTH),
        Prose(_plain(f"{words.swings_too(model)}\n\n{words.saved(model)} {words.reloaded(model)}")),
        Script(words.TEN_LINES, lesson.ten_lines),
        Folded("The whole lesson as plain PyTorch", (Script("line.py", lesson.script),)),
        Prose(f"{words.NEXT} {words.NEXT_COMMAND}"),
    )


def _losses_figure(lesson: Lesson, model: Learned) -> Figure:
    rows = tuple(words.log_row(epoch) for epoch in words.log(lesson, model))
    return Figure(
        "How fast did it become less wrong?",
        _losses(model),
        f"The solid line is the loss on the train points, the dashed one on the test points. {words.HOW_TO_READ}",
        Grid("", words.LOG_COLUMNS, rows, ""),
    )


def _after_figure(lesson: Lesson, model: Learned) -> Figure:
    return Figure(
        "Did training bring the predictions to the points?",
        _plane(lesson, {_BEFORE: model.born_predictions, _AFTER: model.predictions}),
        words.improved(model),
    )


def _plane(lesson: Lesson, predictions: Mapping[str, Points]) -> alt.Chart:
    """The points, and what a model says about those of the test."""
    marks = {_TRAIN: lesson.train, _TEST: lesson.test, **predictions}
    shapes, colours = zip(*(_LOOKS[name] for name in marks), strict=True)
    rows = [row for name, points in marks.items() for row in _marks_of(name, points)]
    return alt.Chart(alt.Data(values=rows), height=_HEIGHT).mark_point(size=44, strokeWidth=1.5).encode(
        x=alt.X("x:Q", title="x"),
        y=alt.Y("y:Q", title="y", scale=alt.Scale(zero=False)),
        shape=alt.Shape("what:N", scale=alt.Scale(domain=list(marks), range=list(shapes))),
        color=alt.Color("what:N", scale=alt.Scale(domain=list(marks), range=list(colours))),
        tooltip=[alt.Tooltip("what:N", title=" "), alt.Tooltip("x:Q", format=".2f"), alt.Tooltip("y:Q", format=".4f")],
    )


def _marks_of(name: str, points: Points) -> list[dict[str, str | float]]:
    return [{"what": name, "x": x, "y": y} for x, y in _thinned(list(zip(points.x, points.y, strict=True)))]


def _losses(model: Learned) -> alt.Chart:
    rows = [
        {"epoch": epoch.number, "rows": rows, "loss": loss}
        for epoch in _thinned(model.epochs)
        for rows, loss in ((_TRAIN, epoch.train_loss), (_TEST, epoch.test_loss))
    ]
    domain = [_TRAIN, _TEST]
    return alt.Chart(alt.Data(values=rows), height=_HEIGHT).mark_line().encode(
        x=alt.X("epoch:Q", title="epoch"),
        y=alt.Y("loss:Q", title="loss: off by, on average"),
        strokeDash=alt.StrokeDash("rows:N", scale=alt.Scale(domain=domain, range=[[1, 0], [6, 4]])),
        color=alt.Color("rows:N", scale=alt.Scale(domain=domain, range=[MAIN, OTHER])),
        tooltip=["rows:N", "epoch:Q", alt.Tooltip("loss:Q", format=".4f")],
    )


def _descent(lesson: Lesson, models: Sequence[Learned]) -> alt.LayerChart:
    """The loss of every line as a map, and the models' ways over it; the second way is dashed."""
    layers: list[alt.Chart] = [_map(lesson)]
    for model, dash in zip(models, ([1, 0], [5, 4]), strict=False):
        way = alt.Chart(alt.Data(values=_way(model)))
        layers.append(_on_map(way.mark_line(color=_HALO, strokeWidth=5, strokeCap="round")))
        layers.append(_on_map(way.mark_line(color=_PATH, strokeWidth=2, strokeDash=dash)))
    layers.append(_signs(lesson, models))
    return alt.layer(*layers).properties(height=_HEIGHT + 60).resolve_scale(color="independent", shape="independent")


def _map(lesson: Lesson) -> alt.Chart:
    """Cells overlap by a little: else the paper shines through between them."""
    surface = lesson.surface
    wide = (surface.weights[1] - surface.weights[0]) * 0.52
    tall = (surface.biases[1] - surface.biases[0]) * 0.52
    cells = [
        {"left": weight - wide, "right": weight + wide, "low": bias - tall, "high": bias + tall, "loss": loss}
        for weight, losses in zip(surface.weights, surface.losses, strict=True)
        for bias, loss in zip(surface.biases, losses, strict=True)
    ]
    scale = alt.Scale(type="quantize", nice=True, zero=True, range=list(_VALLEY_TO_HEIGHTS))
    return alt.Chart(alt.Data(values=cells)).mark_rect().encode(
        x=alt.X("left:Q", title="weight", scale=alt.Scale(zero=False, nice=False)),
        x2="right:Q",
        y=alt.Y("low:Q", title="bias", scale=alt.Scale(zero=False, nice=False)),
        y2="high:Q",
        color=alt.Color("loss:Q", title="train loss", scale=scale),
    )


def _on_map(chart: alt.Chart) -> alt.Chart:
    return chart.encode(x="weight:Q", y="bias:Q", order="update:Q")


def _way(model: Learned) -> list[dict[str, float]]:
    path = (model.born, *(epoch.parameters for epoch in model.epochs))
    return [
        {"update": update, "weight": parameters.weight, "bias": parameters.bias}
        for update, parameters in _thinned(list(enumerate(path)))
    ]


def _signs(lesson: Lesson, models: Sequence[Learned]) -> alt.Chart:
    maker = Parameters(lesson.settings.weight, lesson.settings.bias)
    signs = [(_MAKER, maker), *((_BORN, model.born) for model in models), *((_ENDED, model.final) for model in models)]
    rows = [{"what": what, "weight": at.weight, "bias": at.bias} for what, at in signs]
    shapes = alt.Scale(domain=[_BORN, _ENDED, _MAKER], range=["circle", "diamond", "cross"])
    return alt.Chart(alt.Data(values=rows)).mark_point(
        fill=_HALO, stroke=_PATH, strokeWidth=2, size=110, opacity=1
    ).encode(x="weight:Q", y="bias:Q", shape=alt.Shape("what:N", scale=shapes), tooltip=["what:N", "weight:Q", "bias:Q"])


def _thinned(values: Sequence[_Value]) -> Sequence[_Value]:
    """At most some hundred of them, evenly spaced: the first and the last stay."""
    if len(values) <= _MOST_MARKS:
        return values
    last = len(values) - 1
    return [values[round(mark * last / (_MOST_MARKS - 1))] for mark in range(_MOST_MARKS)]


def _plain(sentence: str) -> str:
    return sentence.replace("`", "")
