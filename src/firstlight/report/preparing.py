"""Chapter 1, prepare: what was read and decided, how the rows were parted, and what the training rows hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from firstlight.kinds.all_kinds import kind_named
from firstlight.kinds.date import DATE
from firstlight.kinds.dna import DNA, bases_of_cells
from firstlight.kinds.number import NUMBER
from firstlight.kinds.text import TEXT, words_of_cells
from firstlight.model.encoding import encode_target
from firstlight.plain.categories import words
from firstlight.plan.plan import LEFT_OUT, Column, Source
from firstlight.report import charts
from firstlight.report.drawing import bars_of_shares
from firstlight.report.page import Block, Chapter, Figure, Folded, Gallery, Grid, Prose
from firstlight.report.pictures import sheets_of_training
from firstlight.report.story import MOST_LISTED, Story, source_name
from firstlight.report.wording import counted, joined, number, percent, sentences, told_apart

MOST_DRAWN = 12  # columns whose values are drawn
FEWEST_BARS = 3  # columns with gaps that are drawn; fewer are told in a sentence
MOST_CARD_BARS = 6  # bars of a small chart
CARD_HEIGHT = 120  # pixels of a small chart
KEPT_GAPS = "Rows with gaps are kept: that a cell is missing is one of the things that the models see."
MICROSECONDS = 86_400_000_000  # of a day


def prepare_chapter(story: Story) -> Chapter:
    """What was read, what was decided about it, and what it holds."""
    train, test = story.rows.train, story.rows.test
    rows = f"{number(len(train) + len(test))} {'of the ' if story.plan.fitting.rows == len(train) else ''}rows"
    lead = (
        f"{source_name(story.plan.source)}: {rows} with a known {story.target}, and "
        f"{counted(len(story.plan.columns), 'column')} to predict it from. {_set_aside(story)}"
    )
    blocks = [
        _split(story), *_decisions(story), *sheets_of_training(story), _most_telling(story), *_values(story),
        *_gaps(story),
    ]  # fmt: skip
    return Chapter("1 Prepare", lead, tuple(block for block in blocks if block is not None))


def _set_aside(story: Story) -> str:
    split, tests = story.plan.split, len(story.rows.test)
    if split.way == "none":
        return "No row was set aside: the model learns from all of them, and nothing is tested."
    rows = f"{counted(tests, 'row')} {'was' if tests == 1 else 'were'} set aside as the test"
    column = story.names.get(split.column, "")
    chosen = f"{100 * split.share:.3g} % of each class, chosen by chance" if split.even else "chosen by chance"
    how = {
        "chance": f"{rows}, {chosen}, before anything looked at the others",
        "time": f"The latest {rows}, by {column}, as the future will be",
        "group": f"{rows}, so that no {column} has rows on both sides",
        "file": f"{rows}: they have a file of their own",
    }[split.way]
    others = f"the other {number(len(story.rows.train))}"
    if story.plan.fitting.rows == len(story.rows.train):
        others = f"{number(len(story.rows.train))} of the others, chosen by chance: from these it learns"
    return f"{how}. All that is shown of the columns comes from {others}."


def _split(story: Story) -> Figure:
    target = story.rows.train[story.plan.target.column]
    learned = encode_target(target, story.plan, story.run.predictor.encoders)
    if not story.classes:
        if not len(story.rows.test):
            return charts.numbers(story.target, learned.numpy())
        return charts.split_of_numbers(story.target, learned.numpy(), story.rows.truth.numpy())
    counts = [
        dict(zip(story.labels, torch.bincount(part, minlength=len(story.labels)).tolist(), strict=True))
        for part in (learned, story.rows.truth.long())
    ]
    if not len(story.rows.test):
        return charts.categories(story.target, counts[0])
    return charts.split_of_classes(story.target, *counts)


def _decisions(story: Story) -> list[Block]:
    used = [column for column in story.plan.columns if column.kind != LEFT_OUT]
    kinds = Counter(column.kind for column in used)
    taken = joined([counted(many, kind) for kind, many in kinds.items()])
    left_out = [column for column in story.plan.columns if column.kind == LEFT_OUT]
    summary = sentences(
        _reading(story.plan.source),
        f"{story.target} is taken as {'classes' if story.classes else 'a number'}: {_reason(story, 'target.task')}.",
        f"{counted(len(used), 'column')} {'is' if len(used) == 1 else 'are'} used to predict it: {taken}.",
        "" if left_out else "No column is left out.",
    )
    blocks: list[Block] = [Prose(summary)]
    if left_out:
        blocks.append(_grid(story, "What is left out, and why?", left_out))
    return [*blocks, Folded("What each column was taken for, and why", (_grid(story, "", used),))]


def _reading(source: Source) -> str:
    """How the source was read, where there was something to find out."""
    found = [
        f"{name} {', '.join(value)}" if isinstance(value, list) else f"{name} {value!r}"
        for name, value in source.options.items()
    ]
    return f"It was read as {source.reader.replace('_', ' ')} with {joined(found)}." if found else ""


def _grid(story: Story, question: str, columns: list[Column]) -> Grid:
    """The columns with their kinds and reasons; the first of them where they are many."""
    kept = columns[0].kind != LEFT_OUT
    rows = []
    for column in columns[:MOST_LISTED]:
        cells = (story.names[column.name], _reason(story, f"columns.{column.name}"))
        gaps = story.gaps.get(column.name, 0)
        rows.append((cells[0], column.kind, cells[1], number(gaps) if gaps else "none") if kept else cells)
    more = len(columns) - MOST_LISTED
    return Grid(
        question,
        ("column", "taken as", "because", "gaps") if kept else ("column", "because"),
        tuple(rows),
        f"{number(more)} more are listed in plan.toml, where every decision can be changed." if more > 0 else "",
    )


def _reason(story: Story, key: str) -> str:
    return story.plan.reasons.get(key, "") or "as the plan says"


def _most_telling(story: Story) -> Figure | None:
    if len(story.told) < 2:
        return None
    first = dict(list(story.told.items())[:MOST_DRAWN])
    best = next(iter(first))
    rest = len(story.told) - len(first)
    caption = sentences(
        f"{story.names[best]} alone explains {percent(first[best], 1)} of how {story.target} varies over the training "
        "rows; 100 % would be all. Columns overlap and help one another, so the shares do not add up.",
        f"The {number(rest)} others tell less." if rest else "",
    )
    return bars_of_shares(
        f"Which columns tell most about {story.target}?",
        {story.names[name]: share for name, share in first.items()},
        "share explained by the column alone",
        caption,
    )


def _values(story: Story) -> list[Gallery]:
    drawn = list(story.told)[:MOST_DRAWN]
    if len(story.told) <= MOST_DRAWN:
        drawn = [name for name in story.plan.inputs if name in story.told]  # all of them, in the order of the table
    if not drawn:
        return []
    figures = tuple(_card(story, name, story.columns[name].kind) for name in drawn)
    rest = len(story.told) - len(drawn)
    caption = f"The {len(drawn)} columns that tell most; {number(rest)} more are not drawn." if rest else ""
    return [Gallery("What do the columns hold?", figures, caption)]


def _card(story: Story, name: str, kind: str) -> Figure:
    """What one column holds, as a small chart."""
    cells, shown = story.rows.train[name], story.names[name]
    if kind not in (NUMBER.name, DATE.name, TEXT.name, DNA.name):
        counts = dict(words(cells).alias("word").value_counts(name="count").sort("word").iter_rows())
        gaps = counts.pop("", 0)
        labelled = dict(zip(told_apart(list(counts)), counts.values(), strict=True))
        return replace(charts.categories(shown, labelled, gaps, MOST_CARD_BARS), question=shown, numbers=None)
    figure = _histogram(story, name, kind)
    return replace(figure, question=shown, numbers=None, chart=figure.chart.properties(height=CARD_HEIGHT))


def _histogram(story: Story, name: str, kind: str) -> Figure:
    """How the numbers or dates of one column, or the lengths of its texts or sequences, are spread."""
    cells, shown = story.rows.train[name], story.names[name]
    if kind == TEXT.name:
        sizes, unit = words_of_cells(cells)
        return charts.numbers(shown, sizes, len(cells) - len(sizes), title=f"{unit}s a text")
    if kind == DNA.name:
        return _bases(shown, cells)
    values = kind_named(kind).encode(cells.to_frame(), {name: story.columns[name].settings}, {})[:, 0].numpy()
    known, gaps = values[~np.isnan(values)], int(np.isnan(values).sum())
    if kind == NUMBER.name:
        return charts.numbers(shown, known, gaps, title="")
    return charts.dates(shown, _moments(known), gaps, title="")


def _bases(shown: str, cells: pl.Series) -> Figure:
    """The lengths of sequences; of equally long ones the bases that they are made of."""
    sizes, shares = bases_of_cells(cells)
    if sizes.n_unique() == 1:
        caption = f"{counted(len(sizes), 'sequence')} of {counted(int(sizes[0]), 'base')} each."
        return bars_of_shares(shown, shares, "share of all letters", caption, "base")
    figure = charts.numbers(shown, sizes, len(cells) - len(sizes), title="bases a sequence")
    made_of = joined([f"{base} {percent(share, 1)}" for base, share in shares.items()])
    return replace(figure, caption=f"{figure.caption} Their letters are {made_of}.")


def _moments(days: NDArray[np.float64]) -> NDArray[np.datetime64]:
    """Days since 1970, with fractions, as moments."""
    return (days * MICROSECONDS).astype(np.int64).astype("datetime64[us]")


def _gaps(story: Story) -> list[Block]:
    found = sorted(((name, many) for name, many in story.gaps.items() if many), key=lambda pair: -pair[1])
    rows = len(story.rows.train)
    if not found:
        return [Prose("No cell of a column in use is missing in the training rows.")]
    most, rest = found[:MOST_DRAWN], found[MOST_DRAWN:]
    if len(found) < FEWEST_BARS:
        which = joined([f"{story.names[name]}, {number(many)} ({percent(many, rows)})" for name, many in found])
        missing = f"Missing cells in the {number(rows)} training rows: {which}. No other column in use has any."
        return [Prose(f"{missing} {KEPT_GAPS}")]
    caption = sentences(
        f"{counted(len(found), 'column')} of {number(len(story.gaps))} {'has' if len(found) == 1 else 'have'} gaps.",
        f"The {len(rest)} that are not drawn have fewer." if rest else "",
        KEPT_GAPS,
    )
    shares = {story.names[name]: many / rows for name, many in most}
    return [bars_of_shares("Where are cells missing?", shares, "share of the training rows", caption)]
