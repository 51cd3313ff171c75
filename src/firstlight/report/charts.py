"""The charts of a run's report: plain numbers in, one Figure out, which asks a question and answers it.

Whatever is long is binned or thinned here, always in the same way, so that a page stays light and the same
numbers give the same bytes. No chart needs its colours: what must be told apart differs in shape or place too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

import altair as alt
import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.report.page import Figure, Grid
from firstlight.report.theme import INK, MAIN, OTHER, PAPER, SOFT

Floats: TypeAlias = NDArray[np.float64]
Records: TypeAlias = list[dict[str, str | float]]
Layers: TypeAlias = alt.Chart | alt.LayerChart

MOST_BARS = 12  # categories drawn one by one; the rarer ones share a bar
MOST_CLASSES = 12  # a confusion matrix beyond this shows its commonest mix-ups instead
MOST_POINTS = 600  # of a cloud; more are thinned
MOST_WHISKERS = 120  # of a cloud; more would hide the points


# Step 1, prepare: what the columns hold, and how they were split


def numbers(column: str, values: ArrayLike, gaps: int = 0) -> Figure:
    """The histogram of one column of numbers.

    values: (rows,) without the gaps; infinite ones are left out.
    gaps:   how many rows have none.
    """
    kept = _finite(values)
    question = f"Which values does {column} take?"
    if not len(kept):
        return _bars_of_counts(question, {"gaps": gaps}, f"{column} holds no numbers.")
    edges = _edges(kept)
    counts, _ = np.histogram(kept, edges)
    low, middle, high = np.quantile(kept, [0.25, 0.5, 0.75])
    caption = _sentences(
        f"Half of the {number(len(kept))} values lie between {number(low)} and {number(high)}, the median is "
        f"{number(middle)}; they run from {number(kept.min())} to {number(kept.max())}.",
        _said_of_the_far(len(kept) - int(counts.sum())),
        _said_of_gaps(gaps),
    )
    chart = _columns(_binned(edges, {"rows": counts}), column, "rows")
    return Figure(question, chart, caption, _table_of_bins(question, edges, {"rows": counts}))


def categories(column: str, counts: Mapping[str, int], gaps: int = 0) -> Figure:
    """How many rows hold each category, the commonest first.

    counts: rows of each category.
    gaps:   how many rows have none.
    """
    total = sum(counts.values())
    common = _commonest(counts)
    first = next(iter(common), "nothing")
    caption = _sentences(
        f"{number(len(counts))} different values in {number(total)} rows; the commonest is {first} "
        f"({_percent(common.get(first, 0), total)}).",
        _said_of_gaps(gaps),
    )
    return _bars_of_counts(f"Which values does {column} take?", common, caption)


def dates(column: str, days: Sequence[date], gaps: int = 0) -> Figure:
    """How many rows fall into each hour, day, month or year, whichever is the finest that stays readable.

    days: dates or datetimes without time zone, in any order, without the gaps.
    gaps: how many rows have none.
    """
    question = f"When does {column} fall?"
    if not days:
        return _bars_of_counts(question, {"gaps": gaps}, f"{column} holds no dates.")
    moments = np.asarray(days, dtype="datetime64[m]")
    name, unit = next(
        (name, unit)
        for name, unit in (("hour", "h"), ("day", "D"), ("month", "M"), ("year", "Y"))
        if unit == "Y" or _span(moments, unit) <= 48
    )
    starts, counts = np.unique(moments.astype(f"datetime64[{unit}]"), return_counts=True)
    rows: Records = [
        {"from": f"{start.astype('datetime64[m]')}:00Z", "to": f"{(start + 1).astype('datetime64[m]')}:00Z",
         "when": str(start), "rows": int(count)}
        for start, count in zip(starts, counts, strict=True)
    ]
    x = alt.X("from:T", title=column, scale=alt.Scale(type="utc"), axis=alt.Axis(labelOverlap=True))
    chart = _standing(_chart(rows)).encode(
        x=x, x2="to:T", y=alt.Y("rows:Q", title=f"rows a {name}"),
        tooltip=[alt.Tooltip("when:N", title=name), alt.Tooltip("rows:Q", format=",")])
    caption = _sentences(
        f"{number(len(days))} rows from {moments.min().astype('datetime64[D]')} to "
        f"{moments.max().astype('datetime64[D]')}, one bar a {name}.",
        _said_of_gaps(gaps),
    )
    table = tuple((str(start), number(count)) for start, count in zip(starts, counts, strict=True))
    return Figure(question, chart, caption, Grid(question, (name, "rows"), table, ""))


def split_of_classes(target: str, train: Mapping[str, int], test: Mapping[str, int]) -> Figure:
    """Whether the classes are as common among the test rows as among the training rows."""
    rows_of_train, rows_of_test = max(sum(train.values()), 1), max(sum(test.values()), 1)
    names = list(_commonest({name: train.get(name, 0) + test.get(name, 0) for name in {**train, **test}}))
    rest = set(train) | set(test)
    counts: list[tuple[str, int, int]] = []
    for name in names:
        members = [name] if name in rest else list(rest)  # the last bar stands for all that are left
        rest -= set(members)
        counts.append((name, sum(train.get(member, 0) for member in members),
                       sum(test.get(member, 0) for member in members)))
    rows: Records = [
        {"class": name, "train": of_train / rows_of_train, "test": of_test / rows_of_test}
        for name, of_train, of_test in counts
    ]
    base = _chart(rows).encode(
        y=alt.Y("class:N", title=None, sort=names),
        tooltip=[alt.Tooltip("class:N", title=target), alt.Tooltip("train:Q", format=".1%"),
                 alt.Tooltip("test:Q", format=".1%")])
    x = alt.X("train:Q", title="share of rows", axis=alt.Axis(format="%", grid=True))
    bars = _named(base.mark_bar(height=16, opacity=0.55).encode(x=x), "training rows", MAIN, "square")
    ticks = _named(base.mark_tick(thickness=3, height=24).encode(x="test:Q"), "test rows", INK, "stroke")
    question = "Do the test rows look like the training rows?"
    furthest = max((abs(of_train / rows_of_train - of_test / rows_of_test) for _, of_train, of_test in counts),
                   default=0.0)
    caption = (f"{number(sum(train.values()))} rows to learn from, {number(sum(test.values()))} rows set aside as the "
               f"test. The share of no class differs by more than {100 * furthest:.1f} percentage points.")
    table = tuple((name, number(of_train), number(of_test)) for name, of_train, of_test in counts)
    return Figure(question, _layers(bars, ticks), caption,
                  Grid(question, (target, "training rows", "test rows"), table, ""))


def split_of_numbers(target: str, train: ArrayLike, test: ArrayLike) -> Figure:
    """Whether the target is spread among the test rows as among the training rows; both (rows,)."""
    of_train, of_test = _finite(train), _finite(test)
    question = "Do the test rows look like the training rows?"
    caption = (f"{number(len(of_train))} rows to learn from with a median of {_median(of_train)}, {number(len(of_test))} "
               f"rows set aside as the test with a median of {_median(of_test)}.")
    return _two_spreads(question, target, ("training rows", of_train), ("test rows", of_test), caption)


# Step 3, fit: how the loss fell, and how the parameters moved


def learning_curves(train: Sequence[float], held_out: Sequence[float], best: int, loss: str) -> Figure:
    """The loss after each epoch, on the rows that were learned from and on those held out of them.

    train, held_out: one loss an epoch; held_out may be empty.
    best:            the epoch that was kept, counted from 1.
    loss:            what is measured: "log loss", "squared error".
    """
    curves = {"rows learned from": list(train), "rows held out": list(held_out)}
    drawn = _finite([value for curve in curves.values() for value in curve])
    steep = len(drawn) > 0 and drawn.min() > 0 and drawn.max() > 30 * drawn.min()
    scale = alt.Scale(type="log", nice=False) if steep else alt.Scale(zero=False, nice=True)
    y = alt.Y("loss:Q", title=f"{loss} (lower is better)", scale=scale)
    x = alt.X("epoch:Q", title="epoch", scale=alt.Scale(domain=[1, max(len(train), 2)], nice=False),
              axis=alt.Axis(tickMinStep=1, format="d"))
    styles = {"rows learned from": (SOFT, [5, 3], 1.5), "rows held out": (MAIN, [1, 0], 2.5)}
    layers: list[Layers] = []
    for name, curve in curves.items():
        colour, dash, thickness = styles[name]
        rows: Records = [{"epoch": epoch, "loss": value} for epoch, value in enumerate(curve, start=1)]
        if rows:
            line = _chart(rows).mark_line(strokeDash=dash, strokeWidth=thickness).encode(x=x, y=y)
            layers.append(_named(line, name, colour, "stroke", dash))
    judge = curves["rows held out"] or curves["rows learned from"]
    if 1 <= best <= len(judge):
        kept: Records = [{"epoch": best, "loss": judge[best - 1]}]
        here = _chart(kept).encode(x=x, y=y, tooltip=["epoch:Q", alt.Tooltip("loss:Q", format=".4g")])
        layers.append(here.mark_rule(strokeDash=[2, 3]).encode(x=x, y=alt.value(0), y2=alt.value("height")))
        layers.append(here.mark_point(size=110, color=INK, filled=True))
        side, shift = ("right", -10) if best > len(train) / 2 else ("left", 10)
        layers.append(here.mark_text(align=side, dx=shift, baseline="top").encode(
            x=x, y=alt.value(2), text=alt.value(f"kept: epoch {best}")))
    question = "Did it go on learning, and when was it best?"
    where = "the rows held out" if curves["rows held out"] else "the rows learned from"
    caption = _sentences(
        f"Over {number(len(train))} epochs the {loss} on {where} went from {number(judge[0])} to {number(judge[-1])}; "
        f"epoch {best} was kept, with {number(judge[best - 1])}." if judge else "No epoch was run.",
        "A held-out line that rises while the other falls is learning by heart." if curves["rows held out"] else "",
        "The upright axis is logarithmic." if steep else "",
    )
    return Figure(question, _layers(*layers) if layers else _chart([]).mark_line(), caption)


def weights(name: str, born: ArrayLike, fitted: ArrayLike) -> Figure:
    """The values of one parameter, or of all: random as they were born, and as fitting left them."""
    before, after = _finite(born), _finite(fitted)
    question = f"How did fitting change {name}?"
    caption = (f"{number(len(after))} numbers. Their spread (standard deviation) was {number(_spread(before))} at birth "
               f"and is {number(_spread(after))} now.")
    return _two_spreads(question, "value", ("fitted", after), ("born, random", before), caption)


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
        rows.append((change.name, " × ".join(map(str, change.shape)) or "one number", number(len(after)),
                     _three(_spread(before)), _three(_spread(after)), _three(moved)))
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
    names = [contender.name for contender in contenders]
    rows: Records = [
        {"name": one.name, "value": one.value, "low": one.low, "high": one.high, "kept": "kept" if one.kept else "",
         "words": f"{_score(one.value, unit)}{'   ◂ kept' if one.kept else ''}"}
        for one in contenders
    ]
    direction = "higher is better" if higher_is_better else "lower is better"
    x = alt.X("low:Q", title=f"{measure}{f', {unit}' if unit else ''} ({direction})",
              scale=alt.Scale(zero=False, padding=16), axis=alt.Axis(grid=True))
    base = _chart(rows).encode(
        y=alt.Y("name:N", title=None, sort=names),
        tooltip=[alt.Tooltip("name:N", title="answered by"), alt.Tooltip("value:Q", title=measure, format=".4g"),
                 alt.Tooltip("low:Q", title="at least", format=".4g"),
                 alt.Tooltip("high:Q", title="at most", format=".4g")])
    whiskers = base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q")
    kept = alt.datum.kept == "kept"
    dots = base.mark_point(size=130, strokeWidth=2, opacity=1).encode(
        x="value:Q", fill=alt.when(kept).then(alt.value(MAIN)).otherwise(alt.value(PAPER)),
        stroke=alt.when(kept).then(alt.value(MAIN)).otherwise(alt.value(SOFT)))
    middle = (min(one.low for one in contenders) + max(one.high for one in contenders)) / 2
    words = [
        base.transform_filter(side).mark_text(align=align, baseline="bottom", dy=-9, dx=shift).encode(
            x="value:Q", text="words:N")
        for side, align, shift in ((f"datum.value > {middle!r}", "right", 7), (f"datum.value <= {middle!r}", "left", -7))
    ]
    question = "How good is it, beside simpler answers?"
    caption = "; ".join(
        f"{one.name} {_score(one.value, unit)} ({number(one.low)} to {number(one.high)})" for one in contenders
    ) + ". The line through each dot is its 95 % interval; the filled dot is the model that was kept."
    table = tuple((one.name, number(one.value), number(one.low), number(one.high)) for one in contenders)
    chart = _layers(whiskers, dots, *words).properties(height=alt.Step(46))
    return Figure(question, chart, caption[:1].upper() + caption[1:],
                  Grid(question, ("answered by", measure, "at least", "at most"), table, ""))


def confusion(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Figure:
    """What was answered for each true class; counts[i][j] rows of class i were called j."""
    question = "Where does it err?"
    mixed = sorted(
        ((count, truth, answer) for truth, row in zip(labels, counts, strict=True)
         for answer, count in zip(labels, row, strict=True) if truth != answer and count),
        key=lambda mix: -mix[0])
    total, wrong = sum(map(sum, counts)), sum(count for count, _, _ in mixed)
    worst = (f"most often a {mixed[0][1]} was called {mixed[0][2]} ({number(mixed[0][0])} times)" if mixed
             else "no class was mistaken for another")
    caption = f"{number(wrong)} of {number(total)} rows are wrong; {worst}."
    if len(labels) > MOST_CLASSES:
        most = {f"{truth} called {answer}": count for count, truth, answer in mixed[:MOST_BARS]}
        return _bars_of_counts(question, most, f"{caption} Shown are the commonest mix-ups.")
    rows: Records = [
        {"truth": truth, "answer": answer, "rows": count, "share": count / max(sum(row), 1)}
        for truth, row in zip(labels, counts, strict=True)
        for answer, count in zip(labels, row, strict=True)
    ]
    slanted = len(labels) > 4 or max(map(len, labels), default=0) > 10
    top = alt.Axis(orient="top", labelAngle=-40 if slanted else 0, titlePadding=12, domain=False, labelLimit=110)
    base = _chart(rows).encode(
        x=alt.X("answer:N", title="what it said", sort=list(labels), axis=top),
        y=alt.Y("truth:N", title="what it was", sort=list(labels), axis=alt.Axis(labelLimit=110)),
        tooltip=[alt.Tooltip("truth:N", title="it was"), alt.Tooltip("answer:N", title="it said"),
                 alt.Tooltip("rows:Q", format=","), alt.Tooltip("share:Q", title="of that class", format=".1%")])
    cells = base.mark_rect(stroke=PAPER, strokeWidth=2).encode(
        opacity=alt.Opacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[0.07, 1]), legend=None))
    words = base.mark_text(fontSize=13).encode(
        text=alt.Text("rows:Q", format=","),
        color=alt.when(alt.datum.share > 0.7).then(alt.value(PAPER)).when(alt.datum.rows > 0).then(alt.value(INK))
        .otherwise(alt.value(SOFT)))
    table = tuple((truth, *map(number, row)) for truth, row in zip(labels, counts, strict=True))
    chart = _layers(cells, words).properties(height=alt.Step(44 if len(labels) <= 6 else 32))
    return Figure(question, chart, f"{caption} Rows are the true classes, columns the answers; right ones lie on the diagonal.",
                  Grid(question, ("was, said", *labels), table, ""))


def predictions(target: str, truth: ArrayLike, predicted: ArrayLike, low: ArrayLike, high: ArrayLike) -> Figure:
    """Each test row as a point, what it was against what was said; on the diagonal the answer is right.

    truth, predicted, low, high: (rows,); low to high is what each answer allows for (95 %).
    """
    table = np.column_stack([np.asarray(part, dtype=np.float64) for part in (truth, predicted, low, high)])
    table = table[np.isfinite(table).all(axis=1)]
    within = float(((table[:, 0] >= table[:, 2]) & (table[:, 0] <= table[:, 3])).mean()) if len(table) else 0.0
    shown = _thinned(table, MOST_POINTS)
    whiskered = _thinned(shown, MOST_WHISKERS)
    ends = (float(shown[:, :2].min()), float(shown[:, :2].max())) if len(shown) else (0.0, 1.0)
    scale = alt.Scale(domain=list(ends), nice=True, zero=False, clamp=False)
    x = alt.X("truth:Q", title=f"{target}: what it was", scale=scale)
    title = f"{target}: what it said"
    tooltip = [alt.Tooltip("truth:Q", title="it was", format=",.4~g"), alt.Tooltip("said:Q", title="it said", format=",.4~g"),
               alt.Tooltip("low:Q", title="at least", format=",.4~g"), alt.Tooltip("high:Q", title="at most", format=",.4~g")]
    whiskers = _chart(_records(whiskered)).mark_rule(opacity=0.35, clip=True).encode(
        x=x, y=alt.Y("low:Q", title=title, scale=scale), y2="high:Q")
    points = _chart(_records(shown)).mark_circle(size=26, opacity=0.6).encode(
        x=x, y=alt.Y("said:Q", title=title, scale=scale), tooltip=tooltip)
    chart = _layers(whiskers, _diagonal(ends), points).properties(height=400)
    caption = _sentences(
        f"On the dashed line the answer is right. {100 * within:.1f} % of {number(len(table))} test rows lie within what "
        "was allowed for (95 % are meant to).",
        f"Drawn are {number(len(shown))} of the rows, every so many of them in the order of the truth."
        if len(shown) < len(table) else "",
        "The upright lines are that allowance, for some of the rows." if len(whiskered) < len(shown)
        else "The upright lines are that allowance.",
    )
    return Figure("Where does it err?", chart, caption)


def residuals(target: str, errors: ArrayLike) -> Figure:
    """The histogram of what was said minus what was true, (rows,)."""
    kept = _finite(errors)
    edges = _edges(kept)
    counts, _ = np.histogram(kept, edges)
    zero = _chart([{"at": 0.0}]).mark_rule(color=INK, strokeWidth=1.5).encode(x="at:Q")
    chart = _layers(_columns(_binned(edges, {"rows": counts}), f"{target}: what it said, less what it was", "rows"), zero)
    middle = float(np.median(kept)) if len(kept) else 0.0
    lean = "too high" if middle > 0 else "too low"
    question = "By how much does it err, and which way?"
    caption = _sentences(
        f"Half of the answers are off by less than {_median(np.abs(kept))}. The median error is {number(middle)}"
        f"{f', that is {lean}' if middle else ''}.",
        _said_of_the_far(len(kept) - int(counts.sum())),
    )
    return Figure(question, chart, caption, _table_of_bins(question, edges, {"rows": counts}))


@dataclass(frozen=True)
class Promise:
    """Rows to which about the same was promised: how sure the model said it was, and how often it was right."""

    said: float  # 0 to 1, the mean of what was said
    kept: float  # 0 to 1, the share of rows in which it held
    low: float  # the 95 % interval of `kept`
    high: float
    rows: int


def reliability(promises: Sequence[Promise]) -> Figure:
    """The reliability diagram of a classifier: one dot for all rows about which it was about as sure."""
    x = alt.X("said:Q", title="how sure it said it was", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))
    title = "how often it was right"
    base = _chart(_records_of(promises)).encode(x=x, tooltip=_tooltip_of_promises("sure", "right"))
    whiskers = base.mark_rule(strokeWidth=2).encode(
        y=alt.Y("low:Q", title=title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%")), y2="high:Q")
    dots = base.mark_circle(opacity=1, stroke=PAPER, strokeWidth=1).encode(
        y="kept:Q", size=alt.Size("rows:Q", scale=alt.Scale(range=[40, 320], zero=True), legend=None))
    question = "Is it as sure as it may be?"
    rows = sum(promise.rows for promise in promises)
    gap = sum(promise.rows * abs(promise.said - promise.kept) for promise in promises) / max(rows, 1)
    caption = (f"On the dashed line it is right as often as it says. On average over {number(rows)} rows it is "
               f"{100 * gap:.1f} percentage points off. Below the line it is too sure, above it not sure enough; "
               "a larger dot stands for more rows, a whisker is the 95 % interval.")
    chart = _layers(_diagonal((0.0, 1.0)), whiskers, dots).properties(height=340)
    return Figure(question, chart, caption, _table_of_promises(question, promises, "sure", "right"))


def coverage(promises: Sequence[Promise]) -> Figure:
    """How often the truth lay between low and high, beside how often it was meant to."""
    rows: Records = [{**row, "promised": f"{100 * promise.said:.3g} % promised"}
                     for row, promise in zip(_records_of(promises), promises, strict=True)]
    base = _chart(rows).encode(y=alt.Y("promised:N", title=None, sort=None), tooltip=_tooltip_of_promises("promised", "kept"))
    least = min((promise.low for promise in promises), default=0.0)
    x = alt.X("low:Q", title="share of test rows within low to high", axis=alt.Axis(format="%", grid=True),
              scale=alt.Scale(domain=[max(0.0, np.floor(10 * least - 0.5) / 10), 1]))
    whiskers = base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q")
    dots = _named(base.mark_circle(size=130, opacity=1).encode(x="kept:Q"), "kept", MAIN, "circle")
    ticks = _named(base.mark_tick(thickness=3, height=24).encode(x="said:Q"), "promised", INK, "stroke")
    question = "Do its intervals keep their word?"
    caption = "; ".join(
        f"of the {100 * promise.said:.3g} % intervals {100 * promise.kept:.1f} % held the truth" for promise in promises
    )
    chart = _layers(whiskers, ticks, dots).properties(height=alt.Step(36))
    return Figure(question, chart, f"{caption[:1].upper()}{caption[1:]}. The line through each dot is its 95 % interval.",
                  _table_of_promises(question, promises, "promised", "kept"))


# What the charts above are made of


def number(value: float) -> str:
    """Four digits that matter, thousands parted by a narrow space: 1 152 048, 44.45, −0.0213."""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return text.replace(",", "\u202f").replace("-", "−")


def _three(value: float) -> str:
    return f"{value:.3f}" if 0.001 <= abs(value) < 1000 or value == 0 else number(value)


def _score(value: float, unit: str) -> str:
    return f"{number(value)}{f' {unit}' if unit else ''}"


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / max(whole, 1):.1f} %"


def _median(values: Floats) -> str:
    return number(float(np.median(values))) if len(values) else "nothing"


def _spread(values: Floats) -> float:
    return float(values.std()) if len(values) else 0.0


def _sentences(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _said_of_gaps(gaps: int) -> str:
    return f"{number(gaps)} {'row has a gap' if gaps == 1 else 'rows have gaps'}." if gaps else ""


def _said_of_the_far(left_out: int) -> str:
    return f"{number(left_out)} {'value lies' if left_out == 1 else 'values lie'} further out and are not drawn." if left_out else ""


def _finite(values: ArrayLike) -> Floats:
    flat = np.asarray(values, dtype=np.float64).ravel()
    return flat[np.isfinite(flat)]


def _thinned(table: Floats, most: int) -> Floats:
    """At most so many of the rows, evenly taken in the order of the first column; the ends stay."""
    if len(table) <= most:
        return table
    order = np.argsort(table[:, 0], kind="stable")
    return table[order[np.linspace(0, len(table) - 1, most).round().astype(np.int64)]]


def _edges(values: Floats) -> Floats:
    """Edges of equal bins at round numbers: 6 to 40 bins, more for more values.

    Where a few far values would squeeze all others into one bar, the middle 99 % are binned.
    """
    if not len(values):
        return np.array([0.0, 1.0])
    low, high = float(values.min()), float(values.max())
    inner_low, inner_high = map(float, np.quantile(values, [0.005, 0.995]))
    if 0 < 3 * (inner_high - inner_low) < high - low:
        low, high = inner_low, inner_high
    if low == high:
        return np.array([low - 0.5, low + 0.5])
    if bool((values == values.round()).all()) and high - low <= 24:
        return np.arange(low, high + 2) - 0.5  # whole numbers: one bar each, around its number
    step = _round_step((high - low) / np.clip(np.sqrt(len(values)), 8, 32))
    first, last = np.floor(low / step), np.ceil(high / step)
    if last * step == high:
        last += 1  # the largest value gets a bin of its own side rather than an edge
    return np.arange(first, last + 1) * step


def _round_step(width: float) -> float:
    """The nearest of 1, 2, 2.5, 5 and 10 times a power of ten that is at least `width`."""
    power = float(10.0 ** np.floor(np.log10(width)))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10, 20) if power * factor >= width * (1 - 1e-9))


def _span(moments: NDArray[np.datetime64], unit: str) -> int:
    units = moments.astype(f"datetime64[{unit}]").astype(np.int64)
    return int(units.max() - units.min()) + 1


def _commonest(counts: Mapping[str, int]) -> dict[str, int]:
    """The commonest first, by name where equal; the rest under one name where there are too many."""
    order = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    if len(order) <= MOST_BARS:
        return dict(order)
    first, rest = order[: MOST_BARS - 1], order[MOST_BARS - 1 :]
    return {**dict(first), f"{number(len(rest))} others": sum(count for _, count in rest)}


def _chart(rows: Records) -> alt.Chart:
    return alt.Chart(alt.Data(values=rows))


def _layers(*layers: Layers) -> alt.LayerChart:
    # Each layer has a legend entry of its own, with the symbol of its own mark.
    return alt.layer(*layers).resolve_scale(color="independent")


def _named(layer: alt.Chart, name: str, colour: str, symbol: str, dash: Sequence[float] = (1, 0)) -> alt.Chart:
    """The layer with a legend that says what it stands for, in its colour and by the symbol of its mark."""
    legend = alt.Legend(symbolType=symbol, symbolDash=list(dash), symbolStrokeWidth=2.5 if symbol == "stroke" else 0,
                        symbolOpacity=1, title=None)
    return layer.transform_calculate(layer=json.dumps(name)).encode(
        color=alt.Color("layer:N", scale=alt.Scale(domain=[name], range=[colour]), legend=legend))


def _diagonal(ends: tuple[float, float]) -> alt.Chart:
    rows: Records = [{"truth": ends[0], "said": ends[0]}, {"truth": ends[1], "said": ends[1]}]
    return _chart(rows).mark_line(color=INK, strokeWidth=1.25, strokeDash=[5, 4]).encode(x="truth:Q", y="said:Q")


def _bars_of_counts(question: str, counts: Mapping[str, int], caption: str) -> Figure:
    """Lying bars in the order given, each with its number at its end."""
    rows: Records = [{"name": name, "rows": count} for name, count in counts.items()]
    base = _chart(rows).encode(
        x=alt.X("rows:Q", axis=None, scale=alt.Scale(domain=[0, max([*counts.values(), 1]) * 1.12])),
        y=alt.Y("name:N", title=None, sort=list(counts)),
        tooltip=[alt.Tooltip("name:N", title="value"), alt.Tooltip("rows:Q", format=",")])
    chart = _layers(base.mark_bar(height=16), base.mark_text(align="left", dx=6).encode(text=alt.Text("rows:Q", format=",")))
    return Figure(question, chart, caption, Grid(question, ("value", "rows"),
                  tuple((name, number(count)) for name, count in counts.items()), ""))


def _binned(edges: Floats, columns: Mapping[str, NDArray[np.int64] | Floats]) -> Records:
    return [
        {"from": _exactly(edges[place]), "to": _exactly(edges[place + 1]),
         **{name: _exactly(values[place]) for name, values in columns.items()}}
        for place in range(len(edges) - 1)
    ]


def _exactly(value: float) -> float:
    """The same to seven digits: what a chart can show, in fewer bytes."""
    return float(f"{value:.7g}")


def _standing(chart: alt.Chart) -> alt.Chart:
    """Bars that stand on zero, from one edge to the next, parted by a thin line of paper."""
    return chart.mark_rect(stroke=PAPER, strokeWidth=1).encode(y2=alt.datum(0))


def _columns(rows: Records, title: str, height: str) -> alt.Chart:
    """Standing bars over bins, `height` being the column that says how tall they are."""
    return _standing(_chart(rows)).encode(
        x=alt.X("from:Q", title=title, scale=alt.Scale(zero=False, nice=False)),
        x2="to:Q",
        y=alt.Y(f"{height}:Q", title=height, axis=alt.Axis(tickMinStep=1)),
        tooltip=[alt.Tooltip("from:Q", format=",.5~g"), alt.Tooltip("to:Q", format=",.5~g"),
                 alt.Tooltip(f"{height}:Q", format=",")])


def _two_spreads(
    question: str, title: str, bars: tuple[str, Floats], outline: tuple[str, Floats], caption: str
) -> Figure:
    """Two histograms over the same bins, in shares: one as filled bars, one as an outline."""
    (name, values), (other_name, other) = bars, outline
    edges = _edges(np.concatenate([values, other]))
    counts, other_counts = np.histogram(values, edges)[0], np.histogram(other, edges)[0]
    share, other_share = counts / max(len(values), 1), other_counts / max(len(other), 1)
    x = alt.X("from:Q", title=title, scale=alt.Scale(zero=False, nice=False))
    y = alt.Y("share:Q", title=f"share of {'rows' if 'rows' in name else 'numbers'}", axis=alt.Axis(format="%"))
    filled = _standing(_chart(_binned(edges, {"share": share, "other": other_share}))).encode(
        x=x, x2="to:Q", y=y,
        tooltip=[alt.Tooltip("from:Q", format=",.5~g"), alt.Tooltip("to:Q", format=",.5~g"),
                 alt.Tooltip("share:Q", title=name, format=".1%"),
                 alt.Tooltip("other:Q", title=other_name, format=".1%")])
    walk: Records = [{"from": _exactly(edges[0]), "share": 0.0}]
    walk += [{"from": _exactly(edge), "share": _exactly(part)}
             for edge, part in zip(edges, [*other_share, 0.0], strict=True)]
    drawn = _chart(walk).mark_line(interpolate="step-after", strokeWidth=2).encode(
        x=alt.X("from:Q", title=title, sort=None), y=y)
    chart = _layers(_named(filled, name, MAIN, "square"), _named(drawn, other_name, OTHER, "stroke"))
    return Figure(question, chart, caption,
                  _table_of_bins(question, edges, {name: counts, other_name: other_counts}))


def _table_of_bins(question: str, edges: Floats, columns: Mapping[str, NDArray[np.int64]]) -> Grid:
    rows = tuple(
        (number(edges[place]), number(edges[place + 1]), *(number(counts[place]) for counts in columns.values()))
        for place in range(len(edges) - 1)
    )
    return Grid(question, ("from", "to", *columns), rows, "")


def _records(table: Floats) -> Records:
    return [{"truth": _exactly(truth), "said": _exactly(said), "low": _exactly(low), "high": _exactly(high)}
            for truth, said, low, high in table.tolist()]


def _records_of(promises: Sequence[Promise]) -> Records:
    return [{"said": one.said, "kept": one.kept, "low": one.low, "high": one.high, "rows": one.rows} for one in promises]


def _tooltip_of_promises(said: str, kept: str) -> list[alt.Tooltip]:
    return [alt.Tooltip("said:Q", title=said, format=".1%"), alt.Tooltip("kept:Q", title=kept, format=".1%"),
            alt.Tooltip("low:Q", title="at least", format=".1%"), alt.Tooltip("high:Q", title="at most", format=".1%"),
            alt.Tooltip("rows:Q", format=",")]


def _table_of_promises(question: str, promises: Sequence[Promise], said: str, kept: str) -> Grid:
    rows = tuple(
        (*(f"{100 * share:.1f} %" for share in (one.said, one.kept, one.low, one.high)), number(one.rows))
        for one in promises
    )
    return Grid(question, (said, kept, "at least", "at most", "rows"), rows, "")
