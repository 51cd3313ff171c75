"""What the charts of a report are drawn with: bins, layers, legends, bars."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import altair as alt
import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.report.page import Figure, Grid
from firstlight.report.theme import INK, MAIN, OTHER, PALE, PAPER
from firstlight.report.wording import aligned, number, percent

Floats: TypeAlias = NDArray[np.float64]
Records: TypeAlias = list[dict[str, str | float]]
Layers: TypeAlias = alt.Chart | alt.LayerChart

MOST_BARS = 12  # categories drawn one by one; the rarer ones share a bar

# The symbols of lines in a legend, in halves of a symbol's size.
LYING = "M-1.7,0L1.7,0"
UPRIGHT = "M0,-1L0,1"


def finite(values: ArrayLike) -> Floats:
    """The numbers that can be drawn, in one row: no NaN, nothing so large that a difference overflows."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    return flat[np.abs(flat) < 1e300]


def thinned(table: Floats, most: int) -> Floats:
    """At most so many of the rows, evenly taken in the order of the first column; the ends stay."""
    if len(table) <= most:
        return table
    order = np.argsort(table[:, 0], kind="stable")
    return table[order[np.linspace(0, len(table) - 1, most).round().astype(np.int64)]]


def bin_edges(values: Floats) -> Floats:
    """Edges of equal bins at round numbers: 6 to 40 bins, more for more values.

    Where a few far values would squeeze all others into one bar, the middle 99 % are binned.
    """
    if not len(values):
        return np.array([0.0, 1.0])
    low, high = float(values.min()), float(values.max())
    inner_low, inner_high = map(float, np.quantile(values, [0.005, 0.995]))
    if 0 < 3 * (inner_high - inner_low) < high - low:
        low, high = inner_low, inner_high
    size = max(abs(low), abs(high))
    if high - low <= 1e-9 * size:  # all the same, as far as an axis can tell
        around = max(0.5, 1e-6 * size)
        return np.array([low - around, low + around])
    whole = bool((values == values.round()).all())
    if whole and high - low <= 24:
        return np.arange(low, high + 2) - 0.5  # one bar each, around its number
    width = float((high - low) / np.clip(np.sqrt(len(values)), 8, 32))
    step = max(1.0, _round_step(width, (1, 2, 5))) if whole else _round_step(width, (1, 2, 2.5, 5))
    first, last = np.floor(low / step), np.ceil(high / step)
    if last * step == high:
        last += 1  # the largest value gets a bin of its own side rather than an edge
    return np.arange(first, last + 1) * step


def _round_step(width: float, factors: Sequence[float]) -> float:
    """The least of the factors times a power of ten that is at least `width`."""
    power = float(10.0 ** np.floor(np.log10(width)))
    return next((power * factor for factor in factors if power * factor >= width * (1 - 1e-9)), 10 * power)


def decades(low: float, high: float) -> list[float]:
    """Where a logarithmic axis is labelled: at 1, 2 and 5 of each power of ten, or at the powers alone."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    factors = (1, 2, 5) if len(powers) <= 4 else (1,)
    return [
        tick for power in powers for factor in factors if low <= (tick := seven_digits(factor * 10.0**power)) <= high
    ]


def commonest(counts: Mapping[str, int], most: int = MOST_BARS) -> dict[str, int]:
    """The commonest first, by name where equal; the rest under one name where there are too many."""
    order = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    if len(order) <= most:
        return dict(order)
    first, rest = order[: most - 1], order[most - 1 :]
    return {**dict(first), f"{number(len(rest))} others": sum(count for _, count in rest)}


def chart_of(rows: Records) -> alt.Chart:
    """A chart that carries these rows."""
    return alt.Chart(alt.InlineData(values=rows))


def layered(*layers: Layers) -> alt.LayerChart:
    """Layers over one another, each with a legend of its own that shows the symbol of its own mark."""
    chart: alt.LayerChart = alt.layer(*layers).resolve_scale(color="independent")
    return chart


def named(
    layer: alt.Chart, name: str, colour: str, symbol: str, dash: Sequence[float] = (1, 0), above: int = 30
) -> alt.Chart:
    """The layer with a legend that says what it stands for, in its colour and by the symbol of its mark.

    above: pixels between chart and legend; 30 leave room for the title of the upright axis.
    """
    legend = alt.Legend(
        symbolType=symbol,
        symbolDash=list(dash),
        symbolStrokeWidth=2.5 if symbol in {LYING, UPRIGHT} else 0,
        symbolStrokeColor=colour,
        symbolOffset=4 if symbol == LYING else 0,
        title=None,
        offset=above,
    )
    return layer.transform_calculate(layer=json.dumps(name)).encode(
        color=alt.Color("layer:N", scale=alt.Scale(domain=[name], range=[colour]), legend=legend)
    )


def diagonal(ends: tuple[float, float]) -> alt.Chart:
    """The dashed line on which what was said is what was true."""
    rows: Records = [{"truth": ends[0], "said": ends[0]}, {"truth": ends[1], "said": ends[1]}]
    line: alt.Chart = chart_of(rows).mark_line(color=INK, strokeWidth=1.25, strokeDash=[5, 4])
    return line.encode(x="truth:Q", y="said:Q")


def bars_of_counts(question: str, counts: Mapping[str, int], caption: str) -> Figure:
    """Lying bars in the order given, each with its number at its end."""
    rows: Records = [{"name": name, "rows": count} for name, count in counts.items()]
    base = chart_of(rows).encode(
        x=alt.X("rows:Q", axis=None, scale=alt.Scale(domain=[0, max([*counts.values(), 1]) * 1.12])),
        y=alt.Y("name:N", title=None, sort=list(counts)),
        tooltip=[alt.Tooltip("name:N", title="value"), alt.Tooltip("rows:Q", format=",")],
    )
    chart = layered(
        base.mark_bar(height=16),
        base.mark_text(align="left", dx=6).encode(text=alt.Text("rows:Q", format=",")),
    )
    return Figure(
        question,
        chart,
        caption,
        Grid(question, ("value", "rows"), tuple((name, number(count)) for name, count in counts.items()), ""),
    )


def bars_of_shares(
    question: str, shares: Mapping[str, float], title: str, caption: str, noun: str = "column"
) -> Figure:
    """Lying bars in the order given, each a share of 1 with its percentage at its end; noun: what each stands for."""
    rows: Records = [
        {"name": name, "share": seven_digits(share), "words": percent(share, 1)} for name, share in shares.items()
    ]
    most = max([*shares.values(), 0.01])
    base = chart_of(rows).encode(
        x=alt.X(
            "share:Q",
            title=title,
            axis=alt.Axis(format="~%", tickCount=5),
            scale=alt.Scale(domain=[0, most * 1.25], nice=False),
        ),
        y=alt.Y("name:N", title=None, sort=list(shares)),
        tooltip=[alt.Tooltip("name:N", title=noun), alt.Tooltip("words:N", title=title)],
    )
    chart = layered(base.mark_bar(height=16), base.mark_text(align="left", dx=6).encode(text="words:N"))
    table = tuple((name, percent(share, 1)) for name, share in shares.items())
    return Figure(question, chart, caption, Grid(question, (noun, "share"), table, ""))


def binned(edges: Floats, columns: Mapping[str, NDArray[np.int64] | Floats]) -> Records:
    """One row a bin: from, to, and what each column holds for it."""
    return [
        {
            "from": seven_digits(edges[place]),
            "to": seven_digits(edges[place + 1]),
            **{name: seven_digits(values[place]) for name, values in columns.items()},
        }
        for place in range(len(edges) - 1)
    ]


def seven_digits(value: float) -> float:
    """The same to seven digits: what a chart can show, in fewer bytes."""
    return float(f"{value:.7g}")


def standing(chart: alt.Chart, colour: str = MAIN) -> alt.Chart:
    """Bars that stand on zero, from one edge to the next, parted by a thin line of paper."""
    bars: alt.Chart = chart.mark_rect(stroke=PAPER, strokeWidth=1, color=colour)
    return bars.encode(y2=alt.datum(0))


def standing_bars(rows: Records, title: str, height: str) -> alt.Chart:
    """Standing bars over bins, `height` being the column that says how tall they are."""
    return standing(chart_of(rows)).encode(
        x=alt.X("from:Q", title=title, scale=alt.Scale(zero=False, nice=False)),
        x2="to:Q",
        y=alt.Y(f"{height}:Q", title=height, axis=alt.Axis(tickMinStep=1)),
        tooltip=[
            alt.Tooltip("from:Q", format=",.5~g"),
            alt.Tooltip("to:Q", format=",.5~g"),
            alt.Tooltip(f"{height}:Q", format=","),
        ],
    )


def two_spreads(
    question: str, title: str, bars: tuple[str, Floats], outline: tuple[str, Floats], caption: str
) -> Figure:
    """Two histograms over the same bins, in shares: one as filled bars, one as an outline."""
    (name, values), (other_name, other) = bars, outline
    edges = bin_edges(np.concatenate([values, other]))
    counts, other_counts = np.histogram(values, edges)[0], np.histogram(other, edges)[0]
    share, other_share = counts / max(len(values), 1), other_counts / max(len(other), 1)
    x = alt.X("from:Q", title=title, scale=alt.Scale(zero=False, nice=False))
    y = alt.Y("share:Q", title=f"share of {'rows' if 'rows' in name else 'numbers'}", axis=alt.Axis(format="%"))
    filled = standing(chart_of(binned(edges, {"share": share, "other": other_share})), PALE).encode(
        x=x,
        x2="to:Q",
        y=y,
        tooltip=[
            alt.Tooltip("from:Q", format=",.5~g"),
            alt.Tooltip("to:Q", format=",.5~g"),
            alt.Tooltip("share:Q", title=name, format=".1%"),
            alt.Tooltip("other:Q", title=other_name, format=".1%"),
        ],
    )
    walk: Records = [{"from": seven_digits(edges[0]), "share": 0.0}]
    walk += [
        {"from": seven_digits(edge), "share": seven_digits(part)}
        for edge, part in zip(edges, [*other_share, 0.0], strict=True)
    ]
    drawn = (
        chart_of(walk)
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(x=alt.X("from:Q", title=title, sort=None), y=y)
    )
    chart = layered(named(filled, name, PALE, "square"), named(drawn, other_name, OTHER, LYING))
    return Figure(question, chart, caption, table_of_bins(question, edges, {name: counts, other_name: other_counts}))


def table_of_bins(question: str, edges: Floats, columns: Mapping[str, NDArray[np.int64]]) -> Grid:
    """The counts of a histogram as a table."""
    ends = aligned(edges.tolist())
    rows = tuple(zip(ends[:-1], ends[1:], *(map(number, counts) for counts in columns.values()), strict=True))
    return Grid(question, ("from", "to", *columns), rows, "")
