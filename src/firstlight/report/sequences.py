"""Chapter 4, evaluate: which places of sequences moved the answers, as logos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl
import torch
from torch import Tensor

from firstlight.kinds.kind import Occlusion
from firstlight.model.why import Effects, signed
from firstlight.report.page import Block, Grid, Logo
from firstlight.report.sampling import Example
from firstlight.report.story import Story
from firstlight.report.wording import counted, number, spaced

MOST_PLACES = 200  # of a logo; of a longer sequence its most telling stretch
MOST_STRONG = 15  # places in the table under a logo
MOST_CLASSES = 2  # that get a logo of their own


def logos(
    story: Story, sample: Mapping[int, Effects], examples: Sequence[Example], column: str, occlusion: Occlusion
) -> Iterator[Block]:
    """The mean over sequences that are equally long, of each class, and one example."""
    cells = story.rows.test[column].cast(pl.String).fill_null("")
    lengths = {len(cells[row]) for row in sample}
    name, letters = story.names[column], occlusion.letters
    unit = "log-odds" if story.classes else f"the unit of {story.target}"
    if len(lengths) == 1 and lengths != {0}:
        places = min(*lengths, occlusion.most)
        for answer in sorted({each.likeliest for each in sample.values()})[:MOST_CLASSES]:
            chosen = [each for each in sample.values() if each.likeliest == answer]
            mean = torch.stack([heights_of(each, column, letters, places) for each in chosen]).mean(dim=0)
            when = f" when it says {story.labels[answer]}" if story.classes else ""
            lead = f"The mean over {counted(len(chosen), 'test row')}. {_replaced(max(lengths), places)}"
            yield logo(f"Which places of {name} matter{when}?", letters, mean, lead, unit)
    for example in [each for each in examples if cells[each.row]][:1]:
        places = min(len(cells[example.row]), occlusion.most)
        heights = heights_of(example.effects, column, letters, places)
        lead = f"{example.lead} {_replaced(len(cells[example.row]), places)}"
        yield logo(f"Which bases of one {name} moved its answer?", letters, heights, lead, unit)


def _replaced(length: int, places: int) -> str:
    """Which bases were asked about, and how."""
    which = "Each base" if places == length else f"Each of the first {number(places)} bases"
    return f"{which} was replaced by each of the three others."


def heights_of(effects: Effects, column: str, letters: str, places: int) -> Tensor:
    """What each letter did to the answer in its place: (places, letters), zero for those that do not stand there."""
    heights = torch.zeros(places, len(letters), dtype=torch.float64)
    for part, value in zip(effects.parts, effects.values[:, effects.likeliest].tolist(), strict=True):
        if part.column == column:
            heights[part.number - 1, letters.index(part.part)] = value
    return heights


def logo(question: str, letters: str, heights: Tensor, lead: str, unit: str) -> Logo:
    """A logo of heights (places, letters), of the most telling stretch where there are many places.

    lead: whose they are, and how they were found. unit: in which they are measured.
    """
    sizes, most = heights.abs().amax(dim=1), heights.abs().argmax(dim=1).tolist()
    first = int(sizes.unfold(0, MOST_PLACES, 1).sum(dim=1).argmax()) if len(heights) > MOST_PLACES else 0
    drawn = heights[first : first + MOST_PLACES]
    strongest = sizes[first : first + MOST_PLACES].argsort(descending=True, stable=True)[:MOST_STRONG] + first
    texts = signed([float(heights[place, most[place]]) for place in strongest.tolist()])
    rows = tuple(
        (number(place + 1), letters[most[place]], spaced(text))
        for place, text in zip(strongest.tolist(), texts, strict=True)
        if text
    )
    said = ", ".join(f"{letter} at {place} ({text})" for place, letter, text in rows[:3])
    caption = (
        f"{lead} A letter is as high as what the answer owes to it, in {unit}, and below the line where it speaks "
        f"against it. The strongest: {said or 'none'}."
    )
    table = Grid(question, ("place", "base", "effect"), rows, "") if rows else None
    return Logo(question, letters, tuple(map(tuple, drawn.tolist())), caption, table, first=first + 1)
