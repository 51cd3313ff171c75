"""Chapter 4, evaluate: what moved the answers: the most telling words of the test rows, sequences as logos, examples.

Words and bases are left out in turn, of as many test rows as can be asked about in a moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import polars as pl
import torch

from firstlight.evaluate.evaluation import Evaluation
from firstlight.model.why import MOST_TOLD, Effects, occlusions_of, signed
from firstlight.plain.why import is_word, parts_of_text
from firstlight.report.page import Block, Figure, Gallery, Passage, Passages, Piece
from firstlight.report.sampling import Example, examples_of, sample_of, shortened, worst_mistakes
from firstlight.report.sequences import logos
from firstlight.report.story import Story
from firstlight.report.telling_charts import Telling, telling_words
from firstlight.report.wording import counted, spaced, told_apart

FEWEST_ROWS = 3  # in which a word stands that is drawn
PRIOR_ROWS = 2.0  # without any effect, that every word is taken to stand in: so that rare ones do not lead by chance
MOST_WORDS = 8  # to either side, or of each class
MOST_CLASSES = 6  # of which the words are drawn
LONG_TEXT = 600  # letters, above which only what stands around the marked words is shown
LEFT_OUT = Piece(" … ")
AROUND = 14  # parts of a text before and after a marked one


def what_moved(story: Story, evaluation: Evaluation) -> tuple[Block, ...]:
    """Charts and examples for each column that holds sequences; nothing where there is none."""
    occlusions = {name: each for name, each in occlusions_of(story.plan).items() if not each.grid}
    if not occlusions:
        return ()
    occlusions = shortened(occlusions, story.rows.test)
    sample = sample_of(story, occlusions)
    examples = examples_of(story, sample)
    if not all(occlusion.letters for occlusion in occlusions.values()):  # of logos one is enough
        examples += worst_mistakes(story, occlusions, evaluation, examples)
    blocks: list[Block] = []
    for column, occlusion in occlusions.items():
        if occlusion.letters:
            blocks += logos(story, sample, examples, column, occlusion)
        else:
            blocks += [*_words(story, sample, column), *_passages(story, examples, column)]
    return tuple(blocks)


# The words that told most


def _words(story: Story, sample: Mapping[int, Effects], column: str) -> Iterator[Block]:
    """The words with the largest mean effect, on each class or on the number."""
    words = _mean_effects(sample, column)
    if not words:
        return
    name = story.names[column]
    question = f"Which words of {name} moved the answers most?"
    unit = "log-odds" if story.classes else f"the unit of {story.target}"
    how = (
        f"Each word was left out of {counted(len(sample), 'test row')} in turn; a bar is how far it moves the answer, "
        f"on average over the rows that hold it, in {unit}."
    )
    if story.classes:
        how += " An effect of +0.7 doubles the odds, −0.7 halves them."
    if not story.classes or len(story.labels) == 2:
        up, down = (story.labels[1], story.labels[0]) if story.classes else ("higher", "lower")
        title = f"◂ towards {down}   |   towards {up} ▸"
        most, other = f"speaks most for {up}", f"speaks most for {down}"
        if not story.classes:
            most, other = "raises the answer most", "lowers it most"
        drawn = _strongest(words, -1, sides=(1, -1))
        caption = f"{_most_said(drawn, most, other)} {how}"
        yield telling_words(question, drawn, title, caption)
        return
    charts: list[Figure] = []
    for each in _commonest_answers(story, sample):
        drawn = _strongest(words, each, sides=(1,))
        if drawn:
            label = story.labels[each]
            said = f"“{drawn[0].word}” speaks most for {label}."
            charts.append(replace(telling_words(label, drawn, f"towards {label} ▸", said), numbers=None))
    if charts:
        yield Gallery(question, tuple(charts), how)


def _mean_effects(sample: Mapping[int, Effects], column: str) -> dict[str, tuple[int, list[float]]]:
    """Of each word that stands in enough rows: in how many, and its mean effect on each output."""
    sums: dict[str, torch.Tensor] = {}
    rows: dict[str, int] = {}
    for effects in sample.values():
        for place, values in zip(effects.parts, effects.values, strict=True):
            if place.column == column:
                word = place.part.lower()
                sums[word] = sums.get(word, torch.zeros_like(values)) + values
                rows[word] = rows.get(word, 0) + 1
    return {word: (rows[word], (sums[word] / rows[word]).tolist()) for word in sums if rows[word] >= FEWEST_ROWS}


def _strongest(words: Mapping[str, tuple[int, list[float]]], output: int, sides: Sequence[int]) -> list[Telling]:
    """The strongest words to each side of zero, from the highest effect to the lowest."""
    shrunk = {word: means[output] * rows / (rows + PRIOR_ROWS) for word, (rows, means) in words.items()}
    chosen: list[str] = []
    for side in sides:
        ranked = sorted(
            (word for word in words if side * shrunk[word] > 0), key=lambda word: (-side * shrunk[word], word)
        )
        chosen += ranked[:MOST_WORDS]
    chosen.sort(key=lambda word: (-words[word][1][output], word))
    names = told_apart(chosen)
    return [Telling(name, words[word][1][output], words[word][0]) for name, word in zip(names, chosen, strict=True)]


def _most_said(drawn: Sequence[Telling], up: str, down: str) -> str:
    """The strongest word to either side, in a sentence."""
    said = [f"“{drawn[0].word}” {up}"] if drawn and drawn[0].effect > 0 else []
    said += [f"“{drawn[-1].word}” {down}"] if drawn and drawn[-1].effect < 0 else []
    return f"{', '.join(said)}." if said else "No word moves the answers."


def _commonest_answers(story: Story, sample: Mapping[int, Effects]) -> list[int]:
    """The classes that are answered most, in their own order."""
    counts = [0] * len(story.labels)
    for effects in sample.values():
        counts[effects.likeliest] += 1
    ranked = sorted(range(len(counts)), key=lambda each: (-counts[each], each))
    return sorted(each for each in ranked[:MOST_CLASSES] if counts[each])


def _passages(story: Story, examples: Sequence[Example], column: str) -> Iterator[Block]:
    """The examples' texts with the words marked that moved them."""
    passages = []
    for example in examples:
        marks = _marks(example.effects, column)
        text = story.rows.test[column].cast(pl.String)[example.row] or ""
        pieces = _pieces(text, marks)
        if pieces:
            passages.append(Passage(example.lead, pieces))
    if passages:
        signs = "plus speaks for the answer, minus and dots against it"
        if not story.classes:
            signs = "plus raises the answer, minus and dots lower it"
        caption = f"Marked are at most {MOST_TOLD} words of each, with what they did: {signs}."
        yield Passages(f"Which words of {story.names[column]} moved single answers?", tuple(passages), caption)


def _marks(effects: Effects, column: str) -> dict[str, str]:
    """The words that moved an answer most, and what each did, as it is written."""
    found = [
        (place.part.lower(), value)
        for place, value in zip(effects.parts, effects.values[:, effects.likeliest].tolist(), strict=True)
        if place.column == column
    ]
    strongest = sorted(found, key=lambda each: -abs(each[1]))[:MOST_TOLD]
    texts = signed([value for _, value in strongest])
    return {word: spaced(text) for (word, _), text in zip(strongest, texts, strict=True) if text}


def _pieces(text: str, marks: Mapping[str, str]) -> tuple[Piece, ...]:
    """The text in pieces; of a long one what stands around the marked words, where they come first."""
    parts = [_piece(part, marks) for part in parts_of_text(text)]
    first: dict[str, int] = {}
    for place, part in enumerate(parts):
        if part.mark and first.setdefault(part.text.lower(), place) < place:
            parts[place] = replace(part, effect="")
    if sum(len(part.text) for part in parts) <= LONG_TEXT:
        return tuple(parts)
    around = [range(place - AROUND, place + AROUND + 1) for place in first.values() or [0]]
    near = {place for places in around for place in places}
    shown: list[Piece] = []
    for place, part in enumerate(parts):
        if place in near:
            shown.append(part)
        elif not shown or shown[-1] != LEFT_OUT:
            shown.append(LEFT_OUT)
    return tuple(shown)


def _piece(part: str, marks: Mapping[str, str]) -> Piece:
    if not is_word(part):
        return Piece(" ")
    effect = marks.get(part.lower(), "")
    return Piece(part, ("against" if effect.startswith("−") else "for") if effect else "", effect)
