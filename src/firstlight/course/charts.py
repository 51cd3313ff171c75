"""The pictures of the lesson, as Vega-Lite: those that the course draws, and the map of the loss.

What must be told apart differs in shape or dash, never in colour alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, TypeVar

import altair as alt
import polars as pl

from firstlight.course.lesson import Learned, Lesson, Parameters, Points
from firstlight.report.theme import INK, MAIN, OTHER, SOFT

_Value = TypeVar("_Value")
_Rows: TypeAlias = list[dict[str, str | float]]

_MOST_MARKS = 400  # of one kind in a chart: more of them hide one another
_HEIGHT = 300  # pixels

_TRAIN, _TEST = "train", "test"
_BEFORE, _AFTER = "untrained", "trained"
_SHAPES = {
    _TRAIN: ("circle", SOFT),
    _TEST: ("square", OTHER),
    _BEFORE: ("triangle-down", INK),
    _AFTER: ("M-1,-1L1,1M1,-1L-1,1", MAIN),  # a cross lying on the square that it should meet
}

# The map keeps its colours in the dark, so what is drawn upon it does too. Valleys are light.
_HEIGHTS = ("#f7fafc", "#d9e6f1", "#b4cfe4", "#86b0d0", "#5a8fb9", "#38719f")
_PATH, _OTHER_PATH, _HALO, _WORDS = "#a8330a", "#16202b", "#ffffff", "#16202b"
_BORN, _ENDED, _TRUE = "born", "trained", "true line"


def points(lesson: Lesson) -> alt.TopLevelMixin:
    """The points that are learned from, and those that are set aside."""
    return _plane({_TRAIN: lesson.train, _TEST: lesson.test}, {})


def untrained(lesson: Lesson, model: Learned) -> alt.TopLevelMixin:
    """The same, with what the model says of the test points when it is born."""
    marks = {_TRAIN: lesson.train, _TEST: lesson.test, _BEFORE: model.born_predictions}
    return _plane(marks, {_BEFORE: model.born})


def trained(lesson: Lesson, model: Learned) -> alt.TopLevelMixin:
    """The same, with what it says when it is trained, too."""
    predictions = {_BEFORE: model.born_predictions, _AFTER: model.predictions}
    marks = {_TRAIN: lesson.train, _TEST: lesson.test, **predictions}
    return _plane(marks, {_BEFORE: model.born, _AFTER: model.final})


def losses(model: Learned) -> alt.TopLevelMixin:
    """The loss of both kinds of points over the epochs."""
    rows = [
        {"epoch": epoch.number, "points": name, "loss": loss}
        for epoch in _thinned(model.epochs)
        for name, loss in ((_TRAIN, epoch.train_loss), (_TEST, epoch.test_loss))
    ]
    domain = [_TRAIN, _TEST]
    dashes = alt.Scale(domain=domain, range=[[1, 0], [6, 4]])
    legend = alt.Legend(symbolType="stroke", symbolSize=600)
    chart: alt.Chart = (
        alt.Chart(pl.DataFrame(rows), height=_HEIGHT)
        .mark_line()
        .encode(
            x=alt.X("epoch:Q", title="epoch"),
            y=alt.Y("loss:Q", title="loss: off by, on average, in units of y"),
            strokeDash=alt.StrokeDash("points:N", scale=dashes, legend=legend),
            color=alt.Color("points:N", scale=alt.Scale(domain=domain, range=[MAIN, OTHER]), legend=legend),
            tooltip=["points:N", "epoch:Q", alt.Tooltip("loss:Q", format=".4f")],
        )
    )
    return chart


def descent(lesson: Lesson, models: Sequence[Learned]) -> alt.TopLevelMixin:
    """The loss of every line as a map, and on it the ways of one model or two; the second way is dashed."""
    ways = [alt.Chart(_way(model)).encode(x="weight:Q", y="bias:Q", order="update:Q") for model in models]
    looks = ((_PATH, [1, 0]), (_OTHER_PATH, [5, 4]))
    halos = [way.mark_line(color=_HALO, strokeWidth=5, strokeCap="round") for way in ways]
    lines = [
        way.mark_line(color=colour, strokeWidth=2, strokeDash=dash)
        for way, (colour, dash) in zip(ways, looks, strict=False)
    ]
    written = [*_heights_named(lesson), *_names(lesson, models)]
    layers = alt.layer(_map(lesson), *halos, *lines, _signs(lesson, models), *written)
    return layers.properties(height=_HEIGHT + 60)


def _plane(marks: Mapping[str, Points], lines: Mapping[str, Parameters]) -> alt.TopLevelMixin:
    """Points by shape; thin lines for what a model says between them, dotted before training."""
    shapes, colours = zip(*(_SHAPES[name] for name in marks), strict=True)
    rows: _Rows = [
        {"what": name, "x": x, "y": y}
        for name, of in marks.items()
        for x, y in _thinned(list(zip(of.x, of.y, strict=True)))
    ]
    dots = (
        alt.Chart(pl.DataFrame(rows))
        .mark_point(filled=False, size=40, strokeWidth=1.5, opacity=1)
        .encode(
            x=alt.X("x:Q", title="x"),
            y=alt.Y("y:Q", title="y", scale=alt.Scale(zero=False)),
            shape=alt.Shape("what:N", scale=alt.Scale(domain=list(marks), range=list(shapes))),
            color=alt.Color("what:N", scale=alt.Scale(domain=list(marks), range=list(colours))),
            tooltip=["what:N", alt.Tooltip("x:Q", format=".2f"), alt.Tooltip("y:Q", format=".4f")],
        )
    )
    return alt.layer(*(_line(name, of) for name, of in lines.items()), dots).properties(height=_HEIGHT)


def _line(name: str, of: Parameters) -> alt.Chart:
    ends = pl.DataFrame({"x": [0.0, 1.0], "y": [of.bias, of.weight + of.bias]})
    dash = [2, 4] if name == _BEFORE else [1, 0]
    marks = alt.Chart(ends).mark_line(color=_SHAPES[name][1], strokeWidth=1, strokeDash=dash)
    chart: alt.Chart = marks.encode(x="x:Q", y="y:Q")
    return chart


def _map(lesson: Lesson) -> alt.Chart:
    """Nested areas, each lighter and smaller than the one beneath."""
    surface = lesson.surface
    levels = [contour.loss for contour in surface.contours]
    rows = [
        {"loss": contour.loss, "weight": weight, "low": low, "high": high}
        for contour in surface.contours
        for weight, low, high in zip(contour.weights, contour.low, contour.high, strict=True)
    ]
    colours = list(reversed(_HEIGHTS[: len(levels)]))
    chart: alt.Chart = (
        alt.Chart(pl.DataFrame(rows))
        .mark_area(opacity=1, line=False)
        .encode(
            x=alt.X("weight:Q", title="weight", scale=alt.Scale(domain=surface.weights, nice=False)),
            y=alt.Y("low:Q", title="bias", scale=alt.Scale(domain=surface.biases, nice=False), stack=None),
            y2="high:Q",
            color=alt.Color("loss:O", scale=alt.Scale(domain=levels, range=colours), legend=None),
        )
    )
    return chart


def _heights_named(lesson: Lesson) -> list[alt.Chart]:
    """The loss of each contour, written where it meets the right edge of the map."""
    whole, *inner = lesson.surface.contours
    lowest, highest = lesson.surface.biases
    room = (highest - lowest) / 30  # for half the height of a number
    rows: _Rows = [
        {"weight": contour.weights[-1], "bias": bias, "loss": f"{contour.loss:g}"}
        for contour in inner
        if contour.weights[-1] == whole.weights[-1]  # else it closes before the edge
        for bias in (contour.low[-1], contour.high[-1])
        if lowest + room < bias < highest - room
    ]
    return _written(rows, "loss", "right", -6) if rows else []


def _names(lesson: Lesson, models: Sequence[Learned]) -> list[alt.Chart]:
    """The name of each module beside the place where it is born, on the side where there is more room."""
    middle = sum(lesson.surface.weights) / 2
    layers = []
    for model in models:
        rows: _Rows = [{"weight": model.born.weight, "bias": model.born.bias, "name": model.module}]
        left = model.born.weight < middle
        layers += _written(rows, "name", "left", 12) if left else _written(rows, "name", "right", -12)
    return layers


def _written(rows: _Rows, column: str, align: Literal["left", "right"], aside: int) -> list[alt.Chart]:
    """Words on the map, with a halo beneath them."""
    base = alt.Chart(pl.DataFrame(rows)).encode(x="weight:Q", y="bias:Q", text=f"{column}:N")
    halo = base.mark_text(align=align, dx=aside, stroke=_HALO, strokeWidth=3, strokeJoin="round")
    return [halo, base.mark_text(align=align, dx=aside, color=_WORDS)]


def _signs(lesson: Lesson, models: Sequence[Learned]) -> alt.Chart:
    """Where the models begin and end, and where the line lies that made the data."""
    places = [
        (_TRUE, Parameters(lesson.settings.weight, lesson.settings.bias)),
        *((_BORN, model.born) for model in models),
        *((_ENDED, model.final) for model in models),
    ]
    rows = [{"what": what, "weight": at.weight, "bias": at.bias} for what, at in places]
    shapes = alt.Scale(domain=[_BORN, _ENDED, _TRUE], range=["circle", "diamond", "cross"])
    chart: alt.Chart = (
        alt.Chart(pl.DataFrame(rows))
        .mark_point(filled=True, fill=_HALO, stroke=_PATH, strokeWidth=2, size=110, opacity=1)
        .encode(
            x="weight:Q",
            y="bias:Q",
            shape=alt.Shape("what:N", scale=shapes),
            tooltip=["what:N", alt.Tooltip("weight:Q", format=".4f"), alt.Tooltip("bias:Q", format=".4f")],
        )
    )
    return chart


def _way(model: Learned) -> pl.DataFrame:
    """The parameters from birth on, one row an update."""
    path = (model.born, *(epoch.parameters for epoch in model.epochs))
    return pl.DataFrame(
        [
            {"update": update, "weight": parameters.weight, "bias": parameters.bias}
            for update, parameters in _thinned(list(enumerate(path)))
        ]
    )


def _thinned(values: Sequence[_Value]) -> Sequence[_Value]:
    """At most some hundred of them, evenly spaced: the first and the last stay."""
    if len(values) <= _MOST_MARKS:
        return values
    last = len(values) - 1
    return [values[round(mark * last / (_MOST_MARKS - 1))] for mark in range(_MOST_MARKS)]
