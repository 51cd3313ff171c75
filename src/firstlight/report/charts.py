"""The charts of a run's report: plain numbers in, one Figure out, which asks a question and answers it.

Whatever is long is binned or thinned here, always in the same way, so that a page stays light and the same
numbers give the same bytes. No chart needs its colours: what must be told apart differs in shape or place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import altair as alt
import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.evaluate.wording import significant
from firstlight.report.drawing import (
    LYING,
    MOST_BARS,
    UPRIGHT,
    Floats,
    Records,
    bars_of_counts,
    bin_edges,
    binned,
    chart_of,
    commonest,
    decades,
    diagonal,
    finite,
    layered,
    named,
    seven_digits,
    standing,
    standing_bars,
    table_of_bins,
    thinned,
    two_spreads,
)
from firstlight.report.page import Figure, Grid
from firstlight.report.theme import INK, MAIN, OTHER, PALE, PAPER, SOFT
from firstlight.report.wording import (
    counted,
    far_values_said,
    gaps_said,
    number,
    percent,
    sentences,
    spaced,
    three_decimals,
    times,
    with_space,
)

MOST_CLASSES = 12  # a confusion matrix beyond this shows its commonest mix-ups instead
MOST_FLAT = 6  # classes whose labels lie flat above a confusion matrix
MOST_SPANS = 72  # bars of a calendar
MOST_POINTS = 600  # of a cloud; more are thinned
MOST_LARGE_POINTS = 150
MOST_WHISKERS = 120  # of a cloud; more would hide the points


# Step 1, prepare: what the columns hold, and how they were split


def numbers(column: str, values: ArrayLike, gaps: int = 0, title: str | None = None) -> Figure:
    """The histogram of one column of numbers.

    values: (rows,) without the gaps; infinite ones are left out.
    gaps:   how many rows have none.
    title:  of the lying axis; the column's name where it is None.
    """
    kept = finite(values)
    question = f"Which values does {column} take?"
    if not len(kept):
        return bars_of_counts(question, {"gaps": gaps}, f"{column} holds no numbers.")
    edges = bin_edges(kept)
    counts, _ = np.histogram(kept, edges)
    low, middle, high = np.quantile(kept, [0.25, 0.5, 0.75])
    caption = sentences(
        f"Half of the {number(len(kept))} values lie between {number(low)} and {number(high)}, the median is "
        f"{number(middle)}; they run from {number(kept.min())} to {number(kept.max())}.",
        far_values_said(len(kept) - int(counts.sum())),
        gaps_said(gaps),
    )
    chart = standing_bars(binned(edges, {"rows": counts}), column if title is None else title, "rows")
    return Figure(question, chart, caption, table_of_bins(question, edges, {"rows": counts}))


def categories(column: str, counts: Mapping[str, int], gaps: int = 0, most: int = MOST_BARS) -> Figure:
    """How many rows hold each category, the commonest first.

    counts: rows of each category.
    gaps:   how many rows have none.
    most:   bars that are drawn; the rarer categories share the last one.
    """
    total = sum(counts.values())
    common = commonest(counts, most)
    first = next(iter(common), "nothing")
    rest = len(counts) - len(common) + 1  # that share the last bar
    shared = ""
    # Where most rows hold one of the rarer values, their bar would dwarf all others.
    if rest > 1 and (of_rest := list(common.values())[-1]) > common[first]:
        common.popitem()
        shared = f"The {number(rest)} that are not drawn share {counted(of_rest, 'row')}."
    caption = sentences(
        f"{counted(len(counts), 'different value')} in {counted(total, 'row')}; the commonest is {first} "
        f"({percent(common.get(first, 0), total)}).",
        shared,
        gaps_said(gaps),
    )
    return bars_of_counts(f"Which values does {column} take?", common, caption)


def dates(
    column: str, days: Sequence[date] | NDArray[np.datetime64], gaps: int = 0, title: str | None = None
) -> Figure:
    """How many rows fall into each hour, day, month or year, whichever is the finest that stays readable.

    days:  dates or datetimes without time zone, in any order, without the gaps.
    gaps:  how many rows have none.
    title: of the lying axis; the column's name where it is None.
    """
    question = f"When does {column} fall?"
    if not len(days):
        return bars_of_counts(question, {"gaps": gaps}, f"{column} holds no dates.")
    moments = np.asarray(days, dtype="datetime64[m]")
    name, unit = next(
        (name, unit)
        for name, unit in (("hour", "h"), ("day", "D"), ("month", "M"), ("year", "Y"))
        if unit == "Y" or _span(moments, unit) <= MOST_SPANS
    )
    starts, counts = np.unique(moments.astype(f"datetime64[{unit}]"), return_counts=True)
    rows: Records = [
        {
            "from": f"{start.astype('datetime64[m]')}:00Z",
            "to": f"{(start + 1).astype('datetime64[m]')}:00Z",
            "when": str(start),
            "rows": int(count),
        }
        for start, count in zip(starts, counts, strict=True)
    ]
    x = alt.X(
        "from:T",
        title=column if title is None else title,
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(labelOverlap=True),
    )
    chart = standing(chart_of(rows)).encode(
        x=x,
        x2="to:T",
        y=alt.Y("rows:Q", title=f"rows a {name}"),
        tooltip=[alt.Tooltip("when:N", title=name), alt.Tooltip("rows:Q", format=",")],
    )
    caption = sentences(
        f"{counted(len(days), 'row')} from {moments.min().astype('datetime64[D]')} to "
        f"{moments.max().astype('datetime64[D]')}, one bar a {name}.",
        gaps_said(gaps),
    )
    table = tuple((str(start), number(count)) for start, count in zip(starts, counts, strict=True))
    return Figure(question, chart, caption, Grid(question, (name, "rows"), table, ""))


def split_of_classes(target: str, train: Mapping[str, int], test: Mapping[str, int]) -> Figure:
    """Whether the classes are as common among the test rows as among the training rows."""
    rows_of_train, rows_of_test = max(sum(train.values()), 1), max(sum(test.values()), 1)
    names = list(commonest({name: train.get(name, 0) + test.get(name, 0) for name in {**train, **test}}))
    rest = set(train) | set(test)
    counts: list[tuple[str, int, int]] = []
    for name in names:
        members = [name] if name in rest else list(rest)  # the last bar stands for all that are left
        rest -= set(members)
        counts.append(
            (
                name,
                sum(train.get(member, 0) for member in members),
                sum(test.get(member, 0) for member in members),
            )
        )
    rows: Records = [
        {"class": name, "train": of_train / rows_of_train, "test": of_test / rows_of_test}
        for name, of_train, of_test in counts
    ]
    base = chart_of(rows).encode(
        y=alt.Y("class:N", title=None, sort=names),
        tooltip=[
            alt.Tooltip("class:N", title=target),
            alt.Tooltip("train:Q", format=".1%"),
            alt.Tooltip("test:Q", format=".1%"),
        ],
    )
    x = alt.X("train:Q", title="share of rows", axis=alt.Axis(format="%", grid=True))
    bars = named(base.mark_bar(height=16).encode(x=x), "training rows", PALE, "square", above=10)
    ticks = named(base.mark_tick(thickness=3, height=24).encode(x="test:Q"), "test rows", INK, UPRIGHT, above=10)
    question = "Do the test rows look like the training rows?"
    furthest = max(
        (abs(of_train / rows_of_train - of_test / rows_of_test) for _, of_train, of_test in counts),
        default=0.0,
    )
    caption = sentences(
        f"{number(sum(train.values()))} rows to learn from, {number(sum(test.values()))} set aside as the test.",
        f"The share of no class differs by more than {100 * furthest:.1f} percentage points."
        if furthest >= 0.0005
        else "Each class has the same share of both.",
    )
    table = tuple((name, number(of_train), number(of_test)) for name, of_train, of_test in counts)
    return Figure(
        question,
        layered(bars, ticks),
        caption,
        Grid(question, (target, "training rows", "test rows"), table, ""),
    )


def split_of_numbers(target: str, train: ArrayLike, test: ArrayLike) -> Figure:
    """Whether the target is spread among the test rows as among the training rows; both (rows,)."""
    of_train, of_test = finite(train), finite(test)
    question = "Do the test rows look like the training rows?"
    caption = (
        f"{number(len(of_train))} rows to learn from with a median of {_median(of_train)}, "
        f"{number(len(of_test))} set aside as the test with a median of {_median(of_test)}."
    )
    return two_spreads(question, target, ("training rows", of_train), ("test rows", of_test), caption)


# Step 3, fit: how the loss fell, and how the parameters moved


def learning_curves(
    train: Sequence[float], held_out: Sequence[float], best: int, loss: str, part: str = "it"
) -> Figure:
    """The loss after each epoch, on the rows that were learned from and on those held out of them.

    train, held_out: one loss an epoch, at least one; held_out may be empty.
    best:            the epoch that was kept, counted from 1.
    loss:            what is measured: "log loss", "squared error". part: whose, where there are several.
    """
    judge = held_out or train
    where = "the rows held out" if held_out else "the rows learned from"
    drawn = finite([*train, *held_out])
    steep = len(drawn) > 0 and drawn.min() > 0 and drawn.max() > 30 * drawn.min()
    ticks = decades(float(drawn.min()), float(drawn.max())) if steep else alt.Undefined
    x = alt.X(
        "epoch:Q",
        title="epoch",
        scale=alt.Scale(domain=[1, max(len(train), 2)], nice=False),
        axis=alt.Axis(values=list(range(1, len(train) + 1)) if len(train) < 10 else alt.Undefined, format="d"),
    )
    y = alt.Y(
        "loss:Q",
        title=f"{loss} (lower is better)",
        scale=alt.Scale(type="log", nice=False) if steep else alt.Scale(zero=False),
        axis=alt.Axis(values=ticks, format="~g"),
    )
    lines = [
        named(
            _losses(train).mark_line(strokeDash=[4, 3], strokeWidth=1.5),
            "rows learned from",
            SOFT,
            LYING,
            [4, 3],
        ),
        named(_losses(held_out).mark_line(strokeWidth=2.5), "rows held out", MAIN, LYING),
    ]
    kept = _losses(judge).transform_filter(alt.datum.epoch == best)
    words = kept.encode(y=alt.value(2), text=alt.value(f"kept: epoch {best}"))
    layers = [
        *(line.encode(x=x, y=y) for line in (lines if held_out else lines[:1])),
        kept.mark_rule(strokeDash=[2, 3]).encode(x=x, y=alt.value(0), y2=alt.value("height")),
        kept.mark_point(size=110, color=INK).encode(x=x, y=y),
        # The words stand on the side where there is more room.
        words.mark_text(align="right", dx=-10, baseline="top").encode(x=x)
        if best > len(train) / 2
        else words.mark_text(align="left", dx=10, baseline="top").encode(x=x),
        # Nothing to see, something to point at: the loss of each epoch.
        _losses(judge)
        .mark_point(opacity=0, size=90)
        .encode(x=x, y=y, tooltip=["epoch:Q", alt.Tooltip("loss:Q", format=".4g")]),
    ]
    caption = sentences(
        f"Over {counted(len(train), 'epoch')} the {loss} on {where} went from {number(judge[0], 3)} to "
        f"{number(judge[-1], 3)};",
        f"epoch {best} was kept, with {number(judge[best - 1], 3)}.",
        "A held-out line that rises while the other falls is learning by heart." if held_out else "",
        "The upright axis is logarithmic." if steep else "",
    )
    return Figure(f"Did {part} go on learning, and when was it best?", layered(*layers), caption)


def weights(name: str, born: ArrayLike, fitted: ArrayLike) -> Figure:
    """The values of one parameter, or of all: random as they were born, and as fitting left them."""
    before, after = finite(born), finite(fitted)
    question = f"How did fitting change {name}?"
    caption = (
        f"{number(len(after))} numbers. Their spread (standard deviation) was {number(_spread(before), 3)} at "
        f"birth and is {number(_spread(after), 3)} now."
    )
    return two_spreads(question, "value", ("fitted", after), ("born, random", before), caption)


@dataclass(frozen=True, eq=False)
class Change:
    """One parameter at birth and after the fit."""

    name: str  # "blocks.0.weight"
    shape: tuple[int, ...]
    born: ArrayLike
    fitted: ArrayLike  # as many numbers as there were at birth


def parameter_table(changes: Sequence[Change]) -> Grid:
    """Each parameter with its spread before and after, and how far its numbers moved on average."""
    rows = []
    for change in changes:
        before = np.asarray(change.born, dtype=np.float64).ravel()
        after = np.asarray(change.fitted, dtype=np.float64).ravel()
        moved = float(np.abs(after - before).mean()) if len(after) else 0.0
        rows.append(
            (
                change.name,
                " × ".join(map(str, change.shape)) or "one number",
                number(len(after)),
                three_decimals(_spread(before)),
                three_decimals(_spread(after)),
                three_decimals(moved),
            )
        )
    return Grid(
        "Which parameters are there, and how far did they move?",
        ("parameter", "shape", "numbers", "spread at birth", "spread now", "moved by"),
        tuple(rows),
        "Spread is the standard deviation of a parameter's numbers; moved by is their mean absolute change.",
    )


# Step 4, evaluate: on the test rows


@dataclass(frozen=True)
class Scored:
    """One contender's score with its 95 % interval, in the unit that is shown."""

    name: str  # "network"
    value: float
    low: float
    high: float
    kept: bool = False


def scores(measure: str, contenders: Sequence[Scored], unit: str = "", higher_is_better: bool = True) -> Figure:
    """Scores beside the baselines: a dot each, and a whisker as long as the 95 % interval.

    measure: "right", "log loss", "typical error"
    unit:    "%" or the target's, or "" for none.
    """
    names = [one.name for one in contenders]
    of_each = ([one.value for one in contenders], [one.low for one in contenders], [one.high for one in contenders])
    values, lows, highs = (_ends(ends, unit) for ends in of_each)
    rows: Records = [
        {
            "name": one.name,
            "value": one.value,
            "low": one.low,
            "high": one.high,
            "kept": "kept" if one.kept else "",
            "words": f"{value}{with_space(unit)}{'   ◂ kept' if one.kept else ''}",
        }
        for one, value in zip(contenders, values, strict=True)
        if math.isfinite(one.value)
    ]
    direction = "higher is better" if higher_is_better else "lower is better"
    drawn = finite([(one.low, one.value, one.high) for one in contenders])
    least, most = (float(drawn.min()), float(drawn.max())) if len(drawn) else (0.0, 1.0)
    room = 0.04 * (most - least) or 1.0
    domain = [max(least - room, 0), min(most + room, 100)] if unit == "%" else [least - room, most + room]
    x = alt.X(
        "low:Q",
        title=f"{measure}{',' if unit else ''}{with_space(unit)} ({direction})",
        scale=alt.Scale(domain=domain, nice=False, zero=False),
    )
    base = chart_of(rows).encode(
        y=alt.Y("name:N", title=None, sort=names, scale=alt.Scale(domain=names)),
        tooltip=[
            alt.Tooltip("name:N", title="answered by"),
            alt.Tooltip("value:Q", title=measure, format=".4g"),
            alt.Tooltip("low:Q", title="at least", format=".4g"),
            alt.Tooltip("high:Q", title="at most", format=".4g"),
        ],
    )
    whiskers = base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q")
    kept = alt.datum.kept == "kept"
    dots = base.mark_point(size=130, strokeWidth=2, opacity=1).encode(
        x="value:Q",
        fill=alt.when(kept).then(alt.value(MAIN)).otherwise(alt.value(PAPER)),
        stroke=alt.when(kept).then(alt.value(MAIN)).otherwise(alt.value(SOFT)),
    )
    middle = (least + most) / 2
    # Words above a dot on the left run to the right, and the other way round: they stay on the page.
    left, right = alt.datum.value <= middle, alt.datum.value > middle
    above = base.encode(x="value:Q", text="words:N")
    words = (
        above.transform_filter(left).mark_text(align="left", baseline="bottom", dy=-9, dx=-7),
        above.transform_filter(right).mark_text(align="right", baseline="bottom", dy=-9, dx=7),
    )
    question = "How good is it, beside simpler answers?"
    table = tuple(zip(names, values, lows, highs, strict=True))
    caption = ", ".join(f"{name} {value}{with_space(unit)}" for name, value in zip(names, values, strict=True))
    caption += ". The line through each dot is its 95 % interval; the filled dot is the model that was kept."
    chart = layered(whiskers, dots, *words).properties(height=alt.Step(46))
    return Figure(
        question,
        chart,
        caption[:1].upper() + caption[1:],
        Grid(question, ("answered by", measure, "at least", "at most"), table, ""),
    )


def confusion(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Figure:
    """What was answered for each true class; counts[i][j] rows of class i were called j."""
    question = "Where does it err?"
    mixed = sorted(
        (
            (count, truth, answer)
            for truth, row in zip(labels, counts, strict=True)
            for answer, count in zip(labels, row, strict=True)
            if truth != answer and count
        ),
        key=lambda mix: -mix[0],
    )
    total, wrong = sum(map(sum, counts)), sum(count for count, _, _ in mixed)
    caption = f"{number(wrong)} of {number(total)} rows {'is' if wrong == 1 else 'are'} wrong."
    if mixed:
        count, truth, answer = mixed[0]
        caption += f" The commonest mistake: {truth} called {answer}, {times(count)}."
    if len(labels) > MOST_CLASSES:
        most = {f"{truth} called {answer}": count for count, truth, answer in mixed[:MOST_BARS]}
        return bars_of_counts(question, most, f"{caption} Shown are the commonest mix-ups.")
    rows: Records = [
        {
            "truth": truth,
            "answer": answer,
            "rows": count,
            "share": count / max(sum(row), 1),
            "shade": 0.15 + 0.85 * count / max(sum(row), 1) if count else 0.04,
            "right": "yes" if truth == answer else "no",
        }
        for truth, row in zip(labels, counts, strict=True)
        for answer, count in zip(labels, row, strict=True)
    ]
    upright = len(labels) > MOST_FLAT  # labels above the columns
    room = 110 if upright else alt.ExprRef(f"width / {max(len(labels), 1)} - 6")
    top = alt.Axis(orient="top", labelAngle=-90 if upright else 0, titleAnchor="start", domain=False, labelLimit=room)
    side = alt.Axis(labelLimit=110, titleAlign="right", titleX=-6)
    base = chart_of(rows).encode(
        x=alt.X("answer:N", title="it said →", sort=list(labels), axis=top),
        y=alt.Y("truth:N", title="it was ↓", sort=list(labels), axis=side),
        tooltip=[
            alt.Tooltip("truth:N", title="it was"),
            alt.Tooltip("answer:N", title="it said"),
            alt.Tooltip("rows:Q", format=","),
            alt.Tooltip("share:Q", title="of that class", format=".1%"),
        ],
    )
    cells = base.mark_rect(stroke=PAPER, strokeWidth=2).encode(
        opacity=alt.Opacity("shade:Q", scale=None, legend=None),
        color=alt.when(alt.datum.right == "yes").then(alt.value(MAIN)).otherwise(alt.value(OTHER)),
    )
    words = base.mark_text(fontSize=13).encode(
        text=alt.Text("rows:Q", format=","),
        color=alt.when(alt.datum.shade > 0.7)
        .then(alt.value(PAPER))
        .when(alt.datum.rows > 0)
        .then(alt.value(INK))
        .otherwise(alt.value(SOFT)),
    )
    table = tuple((truth, *map(number, row)) for truth, row in zip(labels, counts, strict=True))
    chart = layered(cells, words).properties(height=alt.Step(44 if len(labels) <= 6 else 32))
    return Figure(
        question,
        chart,
        f"{caption} Rows are the true classes, columns the answers; right ones lie on the diagonal.",
        Grid(question, ("was, said", *labels), table, ""),
    )


def predictions(target: str, truth: ArrayLike, predicted: ArrayLike, low: ArrayLike, high: ArrayLike) -> Figure:
    """Each test row as a point, what it was against what was said; on the diagonal the answer is right.

    truth, predicted, low, high: (rows,); low to high is what each answer allows for (95 %).
    """
    table = np.column_stack([np.asarray(part, dtype=np.float64) for part in (truth, predicted, low, high)])
    table = table[np.isfinite(table).all(axis=1)]
    within = float(((table[:, 0] >= table[:, 2]) & (table[:, 0] <= table[:, 3])).mean()) if len(table) else 0.0
    shown = thinned(table, MOST_POINTS)
    whiskered = thinned(shown, MOST_WHISKERS)
    ends = (float(shown[:, :2].min()), float(shown[:, :2].max())) if len(shown) else (0.0, 1.0)
    scale = alt.Scale(domain=list(ends), nice=True, zero=False, clamp=False)
    x = alt.X("truth:Q", title=f"{target}: what it was", scale=scale)
    title = f"{target}: what it said"
    tooltip = [
        alt.Tooltip("truth:Q", title="it was", format=",.4~g"),
        alt.Tooltip("said:Q", title="it said", format=",.4~g"),
        alt.Tooltip("low:Q", title="at least", format=",.4~g"),
        alt.Tooltip("high:Q", title="at most", format=",.4~g"),
    ]
    whiskers = (
        chart_of(_records(whiskered))
        .mark_rule(opacity=0.35, clip=True)
        .encode(x=x, y=alt.Y("low:Q", title=title, scale=scale), y2="high:Q")
    )
    points = (
        chart_of(_records(shown))
        .mark_circle(size=26 if len(shown) > MOST_LARGE_POINTS else 50, opacity=0.6)
        .encode(x=x, y=alt.Y("said:Q", title=title, scale=scale), tooltip=tooltip)
    )
    chart = layered(whiskers, diagonal(ends), points).properties(height=400)
    caption = sentences(
        f"On the dashed line the answer is right. {100 * within:.1f} % of {number(len(table))} test rows "
        "lie within what was allowed for (95 % are meant to).",
        f"{number(len(shown))} of the rows are drawn, evenly chosen from the least to the greatest."
        if len(shown) < len(table)
        else "",
        "The upright lines are that allowance, for some of the rows."
        if len(whiskered) < len(shown)
        else "The upright lines are that allowance.",
    )
    return Figure("Where does it err?", chart, caption)


def residuals(target: str, errors: ArrayLike) -> Figure:
    """The histogram of what was said minus what was true, (rows,)."""
    kept = finite(errors)
    edges = bin_edges(kept)
    counts, _ = np.histogram(kept, edges)
    zero = chart_of([{"at": 0.0}]).mark_rule(color=INK, strokeWidth=1.5).encode(x="at:Q")
    chart = layered(
        standing_bars(binned(edges, {"rows": counts}), f"{target}: what it said, less what it was", "rows"),
        zero,
    )
    middle, half = (float(np.median(values)) if len(values) else 0.0 for values in (kept, np.abs(kept)))
    lean = "too high" if middle > 0 else "too low"
    question = "By how much does it err, and which way?"
    caption = sentences(
        f"Half of the answers are off by less than {number(half, 3)}.",
        f"The median error is {number(middle, 3)}{f', that is {lean}' if middle else ''}.",
        far_values_said(len(kept) - int(counts.sum())),
    )
    return Figure(question, chart, caption, table_of_bins(question, edges, {"rows": counts}))


@dataclass(frozen=True)
class Promise:
    """Rows to which about the same was promised: how sure the model was, and how often it was right."""

    said: float  # 0 to 1, the mean of what was said
    kept: float  # 0 to 1, the share of rows in which it held
    low: float  # the 95 % interval of `kept`
    high: float
    rows: int


def reliability(promises: Sequence[Promise]) -> Figure:
    """The reliability diagram of a classifier: one dot for all rows about which it was about as sure."""
    x = alt.X("said:Q", title="how sure it said it was", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))
    title = "how often it was right"
    base = chart_of(_records_of(promises)).encode(x=x, tooltip=_tooltip_of_promises("sure", "right"))
    whiskers = base.mark_rule(strokeWidth=2).encode(
        y=alt.Y("low:Q", title=title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%")), y2="high:Q"
    )
    dots = base.mark_circle(opacity=1, stroke=PAPER, strokeWidth=1).encode(
        y="kept:Q", size=alt.Size("rows:Q", scale=alt.Scale(range=[40, 320], zero=True), legend=None)
    )
    question = "Is it as sure as it may be?"
    rows = sum(promise.rows for promise in promises)
    gap = sum(promise.rows * abs(promise.said - promise.kept) for promise in promises) / max(rows, 1)
    caption = (
        f"On the dashed line it is right as often as it says. On average over {number(rows)} rows it is "
        f"{100 * gap:.1f} percentage points off. Below the line it is too sure, above it not sure enough; "
        "a larger dot stands for more rows, a whisker is the 95 % interval."
    )
    chart = layered(diagonal((0.0, 1.0)), whiskers, dots).properties(height=340)
    return Figure(question, chart, caption, _table_of_promises(question, promises, "sure", "right"))


def coverage(promised: float, parts: Mapping[str, Promise]) -> Figure:
    """How often the truth lay between low and high, beside how often it was meant to: 0 to 1.

    parts: what was kept, of all rows and of some of them.
    """
    rows: Records = [{"part": name, **row} for name, row in zip(parts, _records_of(tuple(parts.values())), strict=True)]
    base = chart_of(rows).encode(
        y=alt.Y("part:N", title=None, sort=list(parts)), tooltip=_tooltip_of_promises("promised", "kept")
    )
    least = min((part.low for part in parts.values()), default=0.0)
    x = alt.X(
        "low:Q",
        title="share of test rows within low to high",
        axis=alt.Axis(format="%", grid=True),
        scale=alt.Scale(domain=[max(0.0, np.floor(10 * least - 0.5) / 10), 1]),
    )
    whiskers = base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q")
    dots = named(base.mark_circle(size=130, opacity=1).encode(x="kept:Q"), "held the truth", MAIN, "circle", above=10)
    ticks = named(base.mark_tick(thickness=3, height=24).encode(x="said:Q"), "promised", INK, UPRIGHT, above=10)
    question = "Do its ranges keep their word?"
    (name, all_rows), *_ = parts.items()
    chart = layered(whiskers, ticks, dots).properties(height=alt.Step(36))
    table = tuple(
        (name, *(f"{100 * share:.1f} %" for share in (part.kept, part.low, part.high)), number(part.rows))
        for name, part in parts.items()
    )
    broken = [f"{name} ({100 * part.kept:.1f} %)" for name, part in parts.items() if part.high < promised]
    caption = sentences(
        f"Each answer comes with a range, low to high, that is meant to hold the truth in {100 * promised:.3g} of 100 "
        f"rows. Over {name} {100 * all_rows.kept:.1f} % did.",
        f"Too narrow for the {' and the '.join(broken)}." if broken else "",
        "The line through each dot is its 95 % interval.",
    )
    return Figure(
        question,
        chart,
        caption,
        Grid(question, ("", "held the truth", "at least", "at most", "rows"), table, ""),
    )


# What stands in them


def _losses(curve: Sequence[float]) -> alt.Chart:
    return chart_of([{"epoch": epoch, "loss": loss} for epoch, loss in enumerate(curve, start=1)])


def _records(table: Floats) -> Records:
    return [
        {
            "truth": seven_digits(truth),
            "said": seven_digits(said),
            "low": seven_digits(low),
            "high": seven_digits(high),
        }
        for truth, said, low, high in table.tolist()
    ]


def _records_of(promises: Sequence[Promise]) -> Records:
    return [
        {"said": one.said, "kept": one.kept, "low": one.low, "high": one.high, "rows": one.rows} for one in promises
    ]


def _tooltip_of_promises(said: str, kept: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("said:Q", title=said, format=".1%"),
        alt.Tooltip("kept:Q", title=kept, format=".1%"),
        alt.Tooltip("low:Q", title="at least", format=".1%"),
        alt.Tooltip("high:Q", title="at most", format=".1%"),
        alt.Tooltip("rows:Q", format=","),
    ]


def _table_of_promises(question: str, promises: Sequence[Promise], said: str, kept: str) -> Grid:
    rows = tuple(
        (*(f"{100 * share:.1f} %" for share in (one.said, one.kept, one.low, one.high)), number(one.rows))
        for one in promises
    )
    return Grid(question, (said, kept, "at least", "at most", "rows"), rows, "")


def _ends(values: Sequence[float], unit: str) -> tuple[str, ...]:
    """Scores or their bounds as text; a dash for what the rows do not determine."""
    if unit != "%":
        return tuple(spaced(significant(value)) if math.isfinite(value) else "–" for value in values)
    return tuple(f"{value:.1f}" if math.isfinite(value) else "–" for value in values)


def _median(values: Floats) -> str:
    return number(float(np.median(values))) if len(values) else "nothing"


def _spread(values: Floats) -> float:
    return float(values.std()) if len(values) else 0.0


def _span(moments: NDArray[np.datetime64], unit: str) -> int:
    units = moments.astype(f"datetime64[{unit}]").astype(np.int64)
    return int(units.max() - units.min()) + 1
