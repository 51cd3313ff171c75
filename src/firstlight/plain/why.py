"""Step 4, predict: what in a row moved the answer, by leaving it out and asking again.

In: one row's text or sequence. Out: the same with a word taken out, or a base replaced by another, to be answered as
any other row is. What a part did is the answer with it minus the answer without it, all else in place. Two words that
say the same stand in for one another, so both may seem to do little; the effects do not add up to the answer.
"""

import html
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import torch
from torch import Tensor

from firstlight.plain.words import ENTITY, LONGEST_TEXT, TAG

# What a text is made of, from left to right: a tag, which is not read; a sign as HTML writes it; a number; a word with
# its apostrophes and hyphens; a letter of a script that sets no blanks; a flag; a sign, or an emoji with what belongs
# to it; all the rest.
PARTS = (
    rf"{TAG}|{ENTITY}"
    r"|\p{N}+(?:[.,:]\p{N}+)+"
    r"|[\p{L}\p{M}\p{N}--[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]]+"
    r"(?:['’_-][\p{L}\p{M}\p{N}--[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]]+)*"
    r"|[\p{L}\p{M}]\p{M}*"
    r"|[\x{1F1E6}-\x{1F1FF}]{2}"
    r"|[\p{P}\p{S}](?:\x{FE0F}|[\x{1F3FB}-\x{1F3FF}]|\x{200D}\p{S})*"
    r"|[^\p{L}\p{M}\p{N}\p{P}\p{S}]+"
)
BASES = "ACGT"


@dataclass(frozen=True, slots=True)
class Change:
    """A cell without one of its parts, or with another in its place.

    number: where the part stands, or stands first, counted from 1: among the different words, the bases, or the parts
    of a picture. cell: text, or pixels.
    """

    number: int
    part: str
    cell: Any


def words_left_out(text: str, most: int) -> Iterator[Change]:
    """The text without each of its first `most` different words and signs; each is taken out wherever it stands.

    >>> [(change.part, change.cell) for change in words_left_out("Good, good film", most=3)]
    [('Good', ',  film'), (',', 'Good good film'), ('film', 'Good, good ')]
    """
    parts = parts_of_text(text)
    folded = [part.lower() for part in parts]
    words = {same: part for part, same in zip(reversed(parts), reversed(folded), strict=True) if is_word(part)}
    for number, same in enumerate([same for same in dict.fromkeys(folded) if same in words][:most], start=1):
        rest = "".join(part for part, other in zip(parts, folded, strict=True) if other != same)
        yield Change(number, words[same], rest)


def parts_of_text(text: str) -> list[str]:
    """Words, signs, and what stands between them, from left to right: together they are the text."""
    found: list[str] = pl.Series([text[:LONGEST_TEXT]]).str.extract_all(PARTS).item().to_list()
    return found


def is_word(part: str) -> bool:
    """Whether a part of a text is a word or a sign: neither a gap, be it written as &nbsp;, nor a tag."""
    is_tag = part[0] == "<" and len(part) > 1
    first = html.unescape(part)[:1]
    return first != "" and unicodedata.category(first)[0] in "LMNPS" and not is_tag


def bases_changed(sequence: str, most: int) -> Iterator[Change]:
    """The sequence with each of its first `most` bases replaced by each of the three others; unknown ones stay.

    >>> [change.cell for change in bases_changed("cN", most=2)]
    ['aN', 'gN', 'tN']
    """
    for place, letter in enumerate(sequence[:most]):
        base = letter.upper().replace("U", "T")
        if base in BASES:
            for other in BASES.replace(base, ""):
                new = other if letter.isupper() else other.lower()
                yield Change(place + 1, base, sequence[:place] + new + sequence[place + 1 :])


def with_changes(row: pl.DataFrame, column: str, changes: Sequence[Change]) -> pl.DataFrame:
    """The row as it is, and below it once for each change."""
    cells = [row[column].cast(pl.String).item(), *(change.cell for change in changes)]
    return row[[0] * len(cells)].with_columns(pl.Series(column, cells, dtype=pl.String))


def log_odds(probabilities: Tensor) -> Tensor:
    """For each class the logarithm of its probability over that of all others: (rows, classes)."""
    others: Tensor = probabilities @ (1 - torch.eye(probabilities.shape[1], dtype=probabilities.dtype))
    odds: Tensor = probabilities.clamp_min(1e-300).log() - others.clamp_min(1e-300).log()
    return odds


def effects_of(changes: Sequence[Change], values: Tensor) -> Tensor:
    """What each part did: the row's value minus the mean over its changes, (parts, ...).

    values: (1 + changes, ...), of the row as it is, then of each change; those of one part stand together.
    """
    numbers = torch.tensor([change.number for change in changes], dtype=torch.int64)
    _, owners, sizes = numbers.unique_consecutive(return_inverse=True, return_counts=True)
    sums = values.new_zeros(len(sizes), *values.shape[1:]).index_add(0, owners, values[1:])
    means: Tensor = sums / sizes.view(-1, *[1] * (values.ndim - 1))
    return values[0] - means


def moved_by(changes: Sequence[Change], answers: Tensor) -> list[tuple[int, str, float]]:
    """The parts with their number and what they did, the strongest first.

    answers: of the row as it is, then of each change. For probabilities, (1 + changes, classes), the effect is on the
    log-odds of the row's likeliest class; for numbers, (1 + changes,), in their own unit.
    """
    values = log_odds(answers)[:, int(answers[0].argmax())] if answers.ndim == 2 else answers
    parts = {change.number: change.part for change in changes}
    moved = zip(parts, parts.values(), effects_of(changes, values).tolist(), strict=True)
    return sorted(moved, key=lambda each: -abs(each[2]))
