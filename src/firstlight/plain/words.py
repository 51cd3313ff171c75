"""Texts to the pieces that they are made of (step 1): words with their neighbours, and the letters of words.

In: columns of text in any language and script. Out: for each row a set of numbers, `Ragged` or `TwoLevels`, each the
hash of a piece. Nothing is learned here; which pieces are of use is found out when a model is fitted.
"""

import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from firstlight.plain.hashing import hashes_of
from firstlight.plain.ragged import Ragged, TwoLevels

LONGEST_TEXT = 50_000  # letters that are read of a text: a short novel
BLANK = 0  # what a letter is: between words,
LETTER = 1  # part of one,
ALONE = 2  # or a word by itself
GAPS = (1, 2)  # pairs with the next word, and with the next but one
FIRST_WORDS = 4  # that also count by their place
LAST_WORDS = 3
LONGEST_PIECE = 5  # letters of a piece of a word
TAG = r"<[a-zA-Z/!][^<>]{0,200}>"  # of HTML; "a < b" is none
ENTITY = r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{0,31});"  # a sign as HTML writes it, such as &amp;
SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2 ** 64 over the golden ratio: multiples of it are far from one another


@dataclass(frozen=True, eq=False)
class Stretches:
    """Stretches of letters in reading order, from `starts` to before `ends`, in the text `rows`: (stretches,) each."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    rows: NDArray[np.int64]


def without_markup(cells: pl.Series) -> pl.Series:
    """The texts without HTML's tags, and with the signs for which &amp; and its like stand; "" for a gap."""
    text = cells.cast(pl.String).fill_null("").str.slice(0, LONGEST_TEXT).str.replace_all(TAG, " ")
    if not text.str.contains(ENTITY).any():
        return text
    shown = [re.sub(ENTITY, lambda entity: html.unescape(entity[0]), each) for each in text.to_list()]
    return pl.Series(cells.name, shown, dtype=pl.String)


def letters_of(cells: pl.Series, lower: bool = True) -> NDArray[np.uint32]:
    """The letters of all texts as Unicode numbers, without HTML, in lower case or not; a line feed ends each text.

    A letter with its accent is one number, however it was typed.
    """
    text = without_markup(cells)
    text = text.str.to_lowercase() if lower else text
    whole = text.str.replace_all("\n", " ", literal=True).str.join("\n").item() + "\n"
    return np.frombuffer(unicodedata.normalize("NFC", whole).encode("utf-32-le"), dtype=np.uint32)


def sorts_of(letters: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """BLANK, LETTER of a word, or ALONE (a word by itself: signs, emoji, letters of scripts without blanks)."""
    table = np.zeros(0x110000, dtype=np.uint8)
    table[letters] = 1
    for letter in np.flatnonzero(table).tolist():  # some hundred different ones, not the whole text
        group = unicodedata.category(chr(letter))
        sign = group[0] in "PS" or group == "Cn"  # newer emoji, of which this Python does not know yet
        alone = sign or (group == "Lo" and is_of_script_without_blanks(letter))
        part = group[0] in "LMN" and not 0xFE00 <= letter < 0xFE10  # those say how the sign before is to be drawn
        table[letter] = ALONE if alone else LETTER if part else BLANK
    return table[letters]


def is_of_script_without_blanks(letter: int) -> bool:
    """Thai, Lao, Tibetan, Burmese; Khmer; Chinese, Japanese and their neighbours, also in Unicode's later blocks."""
    blocks = ((0xE00, 0x10A0), (0x1780, 0x1800), (0x2E80, 0xA000), (0xF900, 0xFB00), (0x20000, 0x110000))
    return any(first <= letter < end for first, end in blocks)


def stretches_of(
    letters: NDArray[np.uint32], inside: NDArray[np.bool_], alone: NDArray[np.bool_] | None = None
) -> Stretches:
    """Runs of letters that are inside, and each letter that stands alone."""
    any_of_them = inside if alone is None else inside | alone
    joined = inside[1:] & inside[:-1]  # a letter and the one before it belong to one run
    first, last = any_of_them.copy(), any_of_them.copy()
    first[1:] &= ~joined
    last[:-1] &= ~joined
    starts = np.flatnonzero(first)
    return Stretches(starts, np.flatnonzero(last) + 1, (letters == 10).cumsum()[starts])


def hashes_of_stretches(letters: NDArray[np.uint32], parts: Stretches) -> NDArray[np.uint64]:
    """A hash of each stretch: that of the sum of the hashes of its letters with their places."""
    lengths = parts.ends - parts.starts
    begins = lengths.cumsum() - lengths
    places = np.arange(lengths.sum()) - np.repeat(begins, lengths)
    own = letters[np.repeat(parts.starts, lengths) + places].astype(np.uint64)
    each = hashes_of(own | places.astype(np.uint64) << np.uint64(21))
    return hashes_of(np.add.reduceat(each, begins)) if len(begins) else np.zeros(0, dtype=np.uint64)


def hashes_of_pairs(first: NDArray[np.uint64] | np.uint64, second: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A hash of each pair of numbers, in this order."""
    return hashes_of(
        np.atleast_1d(first) * SPREAD + second
    )  # single numbers would warn of what is meant: they overflow


def word_pieces(rows: pl.DataFrame, columns: Sequence[str]) -> Ragged:
    """The pieces of each row's texts: words, pairs of near words, the first and last words by place, and the length."""
    found = [pieces_of_words(rows[name]) for name in columns]
    hashes = [hashes_of_pairs(np.uint64(place), each) for place, (each, _) in enumerate(found)]
    return Ragged.of_sets(np.concatenate(hashes), np.concatenate([owners for _, owners in found]), len(rows))


def pieces_of_words(cells: pl.Series) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The hashes of all pieces of one column, and the row of each."""
    letters = letters_of(cells)
    sorts = sorts_of(letters)
    parts = stretches_of(letters, sorts == LETTER, sorts == ALONE)
    word, row = hashes_of_stretches(letters, parts), parts.rows
    lengths = np.bincount(row, minlength=len(cells))
    place = np.arange(len(row)) - (lengths.cumsum() - lengths)[row]
    hashes, owners = [word], [row]
    for gap in GAPS:
        same = row[gap:] == row[:-gap]
        hashes.append(hashes_of_pairs(word[:-gap][same] + np.uint64(gap), word[gap:][same]))
        owners.append(row[gap:][same])
    marks = [(10 + first, place == first) for first in range(FIRST_WORDS)]
    marks += [(20 + last, lengths[row] - 1 - place == last) for last in range(LAST_WORDS)]
    for mark, at in marks:
        hashes.append(hashes_of_pairs(np.uint64(mark), word[at]))
        owners.append(row[at])
    size = np.round(2 * np.log2(lengths + 1)).astype(np.uint64)
    return (
        np.concatenate([*hashes, hashes_of_pairs(np.uint64(30), size)]),
        np.concatenate([*owners, np.arange(len(cells))]),
    )


def neighbour_pieces(rows: pl.DataFrame, columns: Sequence[str]) -> Ragged:
    """The pieces of each row's texts: words as they are written, pairs of neighbours, and the last word by itself."""
    hashes, owners = [], []
    for place, name in enumerate(columns):
        letters = letters_of(rows[name], lower=False)
        sorts = sorts_of(letters)
        parts = stretches_of(letters, sorts == LETTER, sorts == ALONE)
        word, row = hashes_of_stretches(letters, parts), parts.rows
        next_row = np.append(row[1:], -1)
        following = np.where(row == next_row, np.append(word[1:], np.uint64(0)), np.uint64(7))  # 7: the end of the text
        column = np.array([place], dtype=np.uint64)
        hashes += [hashes_of_pairs(column, word), hashes_of_pairs(column, hashes_of_pairs(word, following))]
        owners += [row, row]
    return Ragged.of_sets(np.concatenate(hashes), np.concatenate(owners), len(rows))


def letter_pieces(rows: pl.DataFrame, columns: Sequence[str]) -> TwoLevels:
    """The pieces of 2 to 5 letters of which each row's texts are made.

    A text is a set of stretches between blanks, and a stretch a set of pieces; each stretch is cut up once, however
    often it comes again.
    """
    letters = [letters_of(rows[name]) for name in columns]
    parts = [stretches_of(each, sorts_of(each) != BLANK) for each in letters]
    hashes = [
        hashes_of_pairs(np.uint64(place), hashes_of_stretches(*each))
        for place, each in enumerate(zip(letters, parts, strict=True))
    ]
    before = np.cumsum([0] + [len(each) for each in letters[:-1]])  # where each column's letters begin among all
    starts = np.concatenate([each.starts + begin for each, begin in zip(parts, before, strict=True)])
    ends = np.concatenate([each.ends + begin for each, begin in zip(parts, before, strict=True)])
    column = np.repeat(np.arange(len(columns)), [len(each.starts) for each in parts]).astype(np.uint64)
    texts, first = Ragged.of_numbers(np.concatenate(hashes), np.concatenate([each.rows for each in parts]), len(rows))
    pieces, owners = pieces_of_letters(np.concatenate(letters), starts[first], ends[first])
    cut = Ragged.of_sets(hashes_of_pairs(column[first][owners], pieces), owners, len(first))
    return TwoLevels(texts, cut)


def pieces_of_letters(
    letters: NDArray[np.uint32], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The hashes of all pieces of stretches, with a blank at either end of each, and the stretch of each piece."""
    lengths = ends - starts + 2
    owner = np.repeat(np.arange(len(starts)), lengths)
    place = np.arange(len(owner)) - (lengths.cumsum() - lengths)[owner]
    inner = (place > 0) & (place < lengths[owner] - 1)
    own = np.full(len(owner), 32, dtype=np.uint64)
    own[inner] = letters[(starts[owner] + place - 1)[inner]]
    running, hashes, owners = own, [], []
    for size in range(2, LONGEST_PIECE + 1):
        running = running[:-1] * SPREAD + own[size - 1 :]  # one more letter to each
        whole = owner[size - 1 :] == owner[: len(running)]
        hashes.append(hashes_of(running[whole] + np.uint64(size)))
        owners.append(owner[size - 1 :][whole])
    return np.concatenate(hashes), np.concatenate(owners)
