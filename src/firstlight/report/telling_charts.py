"""The charts of what moved the answers: plain numbers in, one Figure out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from firstlight.report.drawing import Records, chart_of, layered, seven_digits
from firstlight.report.page import Figure, Grid
from firstlight.report.theme import MAIN, OTHER, SOFT
from firstlight.report.wording import aligned, number


@dataclass(frozen=True)
class Telling:
    """A word, how far it moved the answers on average where it stands, and in how many rows that is."""

    word: str
    effect: float
    rows: int


def telling_words(question: str, words: Sequence[Telling], title: str, caption: str) -> Figure:
    """Lying bars to either side of zero, in the order given, each with its effect at its end; words differ."""
    texts = [f"{'+' if each.effect > 0 else ''}{text}" for each, text in zip(words, _aligned(words), strict=True)]
    rows: Records = [
        {"word": each.word, "effect": seven_digits(each.effect), "words": text, "rows": each.rows}
        for each, text in zip(words, texts, strict=True)
    ]
    low, high = min([0.0, *(each.effect for each in words)]), max([0.0, *(each.effect for each in words)])
    room = 0.18 * ((high - low) or 1.0)  # for the words at the bars' ends
    base = chart_of(rows).encode(
        x=alt.X(
            "effect:Q",
            title=title,
            axis=alt.Axis(format="+,~r", labelExpr="datum.value === 0 ? '0' : datum.label"),
            scale=alt.Scale(domain=[low - room * (low < 0), high + room], nice=False),
        ),
        y=alt.Y("word:N", title=None, sort=[each.word for each in words]),
        tooltip=[
            alt.Tooltip("word:N"),
            alt.Tooltip("words:N", title="effect"),
            alt.Tooltip("rows:Q", title="test rows", format=","),
        ],
    )
    up, down = (base.transform_filter(side) for side in (alt.datum.effect >= 0, alt.datum.effect < 0))
    layers = [
        up.mark_bar(height=16, color=MAIN),
        down.mark_bar(height=16, color=OTHER),
        up.mark_text(align="left", dx=6).encode(text="words:N"),
        down.mark_text(align="right", dx=-6).encode(text="words:N"),
        chart_of([{"zero": 0.0}]).mark_rule(color=SOFT).encode(x="zero:Q"),
    ]
    table = tuple((each.word, text, number(each.rows)) for each, text in zip(words, texts, strict=True))
    return Figure(question, layered(*layers), caption, Grid(question, ("word", "effect", "test rows"), table, ""))


def _aligned(words: Sequence[Telling]) -> tuple[str, ...]:
    return aligned([each.effect for each in words], 2)
