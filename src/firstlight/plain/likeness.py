"""Step 1, prepare: which texts, and which sequences of DNA, are nearly the same.

A text is taken as the set of its shingles, all its pieces of a few letters. How near two texts are is the share that
both have of all the shingles that either has (Broder 1997, "On the resemblance and containment of documents"). That
share is read off sketches, which keep the smallest hash in each of a few bins (Li, Owen and Zhang 2012, "One
permutation hashing"), and only texts whose sketches agree somewhere are compared at all.
"""

from collections.abc import Callable

import numpy as np
import polars as pl
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import Tensor

from firstlight.plain.hashing import hashes_of
from firstlight.plain.split import linked

TEXT_SHINGLE = 8  # bytes of a text: about a word and a half
NEAR_TEXTS = 0.7  # of the shingles are common: one word in fifteen or so may differ
FEWEST_FILLED_BINS = 12  # that the shingles of a text fall into; what fills fewer is a mere phrase
BASE_SHINGLE = 12  # bases of a sequence: so many seldom come again by chance within 100,000
NEAR_SEQUENCES = 0.6  # of the shingles are common: one base in sixty differs, or three quarters overlap
SKETCH_BINS = 64
SKETCH_BAND = 4  # bins next to one another in which two sketches agree before they are compared
EMPTY_BIN = 2**31 - 1  # stands in a bin into which no shingle fell
LETTERS_AT_A_TIME = 2**18  # letters that are hashed at a time: as many as stay in the processor's cache


def like_texts(cells: pl.Series) -> Tensor:
    """The same number for texts that are nearly the same, the row of the first of them: (rows,) int64.

    Case and blanks do not count. Texts of a few words are like no others, not even equal ones: anybody writes them.
    """
    folded = cells.cast(pl.String).str.to_lowercase()
    sketches = sketches_of(folded, lambda text: text.translate(None, b" \t\n\v\f\r"), text_shingles, TEXT_SHINGLE)
    return kin_without_crowds(kin_by_sketches(sketches, NEAR_TEXTS, FEWEST_FILLED_BINS), 0.02)


def like_sequences(cells: pl.Series) -> Tensor:
    """The same number for sequences of DNA or RNA that are nearly the same, the row of the first: (rows,) int64.

    A sequence and its reverse complement are the same, and so are U and T; case and gaps do not count.
    """
    alphabet, gaps = bytes.maketrans(b"acgtuU", b"ACGTTT"), b"-.* \t\n\v\f\r"
    written = cells.cast(pl.String)
    sketches = sketches_of(written, lambda text: text.translate(alphabet, gaps), base_shingles, BASE_SHINGLE)
    return kin_without_crowds(kin_by_sketches(sketches, NEAR_SEQUENCES, 1), 0.1)


def kin_without_crowds(kin: Tensor, share: float) -> Tensor:
    """Kin, but in a crowd of more than 10 rows and a share of all each is alone again.

    So many texts are a set phrase or a form that was filled in, so many sequences pieces of one genome, each
    overlapping the next: that they are near says nothing.
    """
    sizes = kin.bincount(minlength=len(kin))[kin]
    return torch.where(sizes > max(share * len(kin), 10), torch.arange(len(kin)), kin)


def text_shingles(letters: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Each shingle as a number, and whether it lies within one text, that is, holds no 0."""
    return sliding_window_view(letters, TEXT_SHINGLE).view("<u8")[:, 0], windows_without(letters == 0, TEXT_SHINGLE)


def base_shingles(letters: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Each shingle as a number, the same for its reverse complement, and whether all of it is A, C, G or T."""
    bases = (letters >> 1 & 3).astype(np.uint64)  # A 0, C 1, T 2, G 3: the complement of a base is base ^ 2
    count = len(letters) - BASE_SHINGLE + 1
    forward, backward = np.zeros(count, np.uint64), np.zeros(count, np.uint64)
    for place in range(BASE_SHINGLE):
        base = bases[place : place + count]
        forward = forward << np.uint64(2) | base
        backward |= (base ^ np.uint64(2)) << np.uint64(2 * place)
    known = np.isin(np.arange(256), list(b"ACGT"))
    return np.minimum(forward, backward), windows_without(~known[letters], BASE_SHINGLE)


def windows_without(marked: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Whether each window of so many letters is without a marked one: (letters - width + 1,)."""
    before = np.concatenate([[0], np.cumsum(marked)])  # how many marked letters come before each
    return np.asarray(before[width:] == before[:-width])


def sketches_of(
    cells: pl.Series,
    clean: Callable[[bytes], bytes],
    shingles: Callable[[NDArray[np.uint8]], tuple[NDArray[np.uint64], NDArray[np.bool_]]],
    width: int,
) -> NDArray[np.int32]:
    """The smallest hash of each cell in each bin, or EMPTY_BIN: (rows, SKETCH_BINS). width: letters of a shingle."""
    sketches = [np.empty((0, SKETCH_BINS), np.int32)]
    for start in range(0, len(cells), 4096):
        part = cells[start : start + 4096]
        ended = part.fill_null("").str.replace_all("\0", "", literal=True) + "\0"  # a 0 behind each cell
        text = clean(ended.str.join("").cast(pl.Binary).item())
        letters = np.frombuffer(text, dtype=np.uint8)
        smallest = torch.full((len(part) * SKETCH_BINS,), EMPTY_BIN, dtype=torch.int32)
        row = 0
        for begin in range(0, len(letters) - width + 1, LETTERS_AT_A_TIME):
            block = letters[begin : begin + LETTERS_AT_A_TIME + width - 1]
            numbers, sound = shingles(block)
            rows = row + np.cumsum(block[: len(numbers)] == 0)  # as many as cells have ended before
            row = rows[-1]
            hashes = hashes_of(numbers)
            bins = rows * SKETCH_BINS + (hashes >> np.uint64(58)).astype(np.int64)
            values = np.where(sound, hashes & np.uint64(EMPTY_BIN), EMPTY_BIN).astype(np.int32)
            smallest.scatter_reduce_(0, torch.from_numpy(bins), torch.from_numpy(values), "amin")
        sketches.append(smallest.view(-1, SKETCH_BINS).numpy())
    return np.concatenate(sketches)


def kin_by_sketches(sketches: NDArray[np.int32], near: float, fewest: int) -> Tensor:
    """The same number for rows that are linked by near pairs: (rows,) int64; what fills fewer bins has no kin.

    To find the pairs, the rows are put in the order of a few of their bins, once for each band of bins: near ones are
    neighbours in one order or another. Who is a neighbour does not depend on the order of the rows.
    """
    places = np.flatnonzero((sketches != EMPTY_BIN).sum(axis=1) >= fewest)
    bands = np.zeros((len(places), SKETCH_BINS // SKETCH_BAND), np.uint64)
    for offset in range(SKETCH_BAND):
        bands = hashes_of(bands + sketches[places, offset::SKETCH_BAND].astype(np.uint64))
    _, first, same = np.unique(bands.sum(axis=1), return_index=True, return_inverse=True)
    pairs = [np.stack([places[first[same]], places])]  # rows of one sketch; the first stands for them in what follows
    places, bands = places[first], bands[first]
    for band in range(bands.shape[1]):
        order = bands[:, band].argsort(kind="stable")
        for apart in (1, 2, 3):
            one, other = order[:-apart], order[apart:]
            agree = bands[one, band] == bands[other, band]
            neighbours = places[np.stack([one[agree], other[agree]])]
            pairs.append(neighbours[:, common_shares(sketches, neighbours) >= near])
    return linked(len(sketches), torch.from_numpy(np.concatenate(pairs, axis=1)))


def common_shares(sketches: NDArray[np.int32], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """The share of shingles that both rows of each pair have: (rows, SKETCH_BINS) and (2, pairs) to (pairs,)."""
    shares = np.empty(pairs.shape[1])
    for start in range(0, len(shares), 4096):
        one, other = sketches[pairs[:, start : start + 4096]]
        both = (one == other) & (one != EMPTY_BIN)
        either = (one != EMPTY_BIN) | (other != EMPTY_BIN)
        shares[start : start + 4096] = both.sum(axis=1) / either.sum(axis=1)
    return shares
