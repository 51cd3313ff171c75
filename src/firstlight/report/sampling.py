"""Test rows whose words or bases are left out in turn, for the report: a sample, and examples to show.

As many rows are taken as can be asked about in a moment, beside the time that a fit takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl
import torch

from firstlight.evaluate.evaluation import Evaluation, Mistake
from firstlight.kinds.kind import Occlusion
from firstlight.model.answers import NumberAnswers
from firstlight.model.why import Effects, effects_in
from firstlight.report.story import Story
from firstlight.report.wording import number

MOST_SAMPLED = 500  # test rows
FIRST_SAMPLED = 2
A_MOMENT = 300_000  # letters, that are read in some tenths of a second
LONGEST_ROW = 8  # times `Occlusion.in_report`: so much is asked about the first rows, which are asked about in any case
FEWEST_PARTS = 100  # that are asked about, however long the row
GOLDEN = 0.6180339887498949  # its multiples, whole parts left aside, are spread evenly however many are taken


@dataclass(frozen=True, eq=False)
class Example:
    """A test row that is shown, with what was said of it."""

    row: int
    lead: str
    effects: Effects


def sample_of(story: Story, occlusions: Mapping[str, Occlusion]) -> dict[int, Effects]:
    """Rows spread evenly over the test, by their number among the test rows, and what their parts did.

    A few are asked about first, to see how much it costs; then as many as cost no more than reading the training rows,
    or a moment.
    """
    count = len(story.rows.test)
    spread = (torch.arange(count, dtype=torch.float64) * GOLDEN % 1).argsort(stable=True).tolist()
    first = _asked(story, occlusions, sorted(spread[:FIRST_SAMPLED]))
    letters = _letters(story.rows.test, occlusions)
    cost = max(1, sum(len(effects.parts) * letters[row] for row, effects in first.items()) // max(len(first), 1))
    allowed = max(A_MOMENT, sum(_letters(story.rows.train, occlusions)))
    allowed = min(allowed, *(each.in_report for each in occlusions.values()))
    rest = spread[FIRST_SAMPLED : min(MOST_SAMPLED, max(FIRST_SAMPLED, allowed // cost))]
    return dict(sorted({**first, **_asked(story, occlusions, rest)}.items()))


def shortened(occlusions: Mapping[str, Occlusion], rows: pl.DataFrame) -> dict[str, Occlusion]:
    """Fewer parts of each cell where rows are long: for each part the whole row is read anew."""
    longest = max([1, *_letters(rows, occlusions)])
    parts = {name: max(FEWEST_PARTS, LONGEST_ROW * each.in_report // longest) for name, each in occlusions.items()}
    return {name: replace(each, most=min(each.most, parts[name])) for name, each in occlusions.items()}


def _letters(rows: pl.DataFrame, occlusions: Mapping[str, Occlusion]) -> list[int]:
    """The letters of each row's texts and sequences."""
    columns = [pl.col(name).cast(pl.String).str.len_chars().fill_null(0) for name in occlusions]
    return rows.select(letters=pl.sum_horizontal(columns))["letters"].to_list()


def _asked(story: Story, occlusions: Mapping[str, Occlusion], rows: list[int]) -> dict[int, Effects]:
    effects = effects_in(story.run.predictor, story.rows.test[rows], occlusions)
    return {rows[each.row]: each for each in effects}


def examples_of(story: Story, sample: Mapping[int, Effects]) -> list[Example]:
    """Two rows of the sample, as unlike as can be."""
    return list(_of_classes(story, sample) if story.classes else _of_numbers(story, sample))


def worst_mistakes(
    story: Story, occlusions: Mapping[str, Occlusion], evaluation: Evaluation, shown: Sequence[Example]
) -> list[Example]:
    """The worst mistake of all, where there is one and it is not shown yet."""
    rows = {example.row for example in shown}
    return [
        Example(worst.row, _mistake_told(story, worst), _asked(story, occlusions, [worst.row])[worst.row])
        for worst in evaluation.worst[:1]
        if worst.row not in rows
    ]


def _of_classes(story: Story, sample: Mapping[int, Effects]) -> Iterator[Example]:
    """Rows of two classes that were named rightly."""
    right: dict[int, int] = {}
    for row, effects in sample.items():
        if effects.likeliest == int(story.rows.truth[row]):
            right.setdefault(effects.likeliest, row)
    for said, row in list(right.items())[:2]:
        yield Example(row, f"Test row {number(row + 1)}: it says {story.labels[said]}, rightly.", sample[row])


def _of_numbers(story: Story, sample: Mapping[int, Effects]) -> Iterator[Example]:
    """The highest and the lowest answer."""
    answers = story.run.predictor.answer(story.rows.test[list(sample)])
    assert isinstance(answers, NumberAnswers)
    said = dict(zip(sample, answers.predictions.tolist(), strict=True))
    for row in dict.fromkeys([max(said, key=said.__getitem__), min(said, key=said.__getitem__)]):
        was = float(story.rows.truth[row])
        yield Example(
            row, f"Test row {number(row + 1)}: it says {number(said[row])}; it was {number(was)}.", sample[row]
        )


def _mistake_told(story: Story, worst: Mistake) -> str:
    if story.classes:
        said, was = story.labels[int(worst.answer)], story.labels[int(worst.truth)]
        which = "the mistake of which it was surest"
    else:
        said, was = number(worst.answer), number(worst.truth)
        which = "its largest error"
    return f"Test row {number(worst.row + 1)}: it says {said}, but it was {was}: {which}."
