"""Sequences of DNA or RNA to numbers (step 1): a code for each base, and the other strand.

In: columns of text such as "ACGTTN", in either case, U for T. Out: codes (rows, length) uint8: A 0, C 1, G 2, T 3,
UNKNOWN for every other letter, PADDING after the end.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from firstlight.plain.hashing import hashes_of
from firstlight.plain.ragged import Ragged, joined

UNKNOWN = 4
PADDING = 5
BETWEEN = 10  # unknown bases between the sequences of two columns
HALF = 4  # bases of each run of a pair
BASES_AT_ONCE = 500_000  # so that memory stays bounded
LETTERS_AT_ONCE = 2**18  # looked up at once: few enough to stay in the processor's cache


def base_codes(rows: pl.DataFrame, lengths: Mapping[str, int], both_strands: bool = False) -> Tensor:
    """The codes of each column's bases, one column after the other: (rows, length) uint8.

    lengths: how many bases of each column are read; shorter sequences are padded, longer ones cut. both_strands: of a
    sequence that is cut its first strand is read, so that its reverse complement is cut to the same bases.
    """
    parts = [codes_of_bases(rows[name], length) for name, length in lengths.items()]
    for codes, (name, length) in zip(parts, lengths.items(), strict=True):
        longer = rows[name].cast(pl.String).str.len_bytes().fill_null(0) > length
        if both_strands and longer.any():
            codes[torch.from_numpy(longer.to_numpy(writable=True))] = first_bases(rows[name].filter(longer), length)
    gap = torch.full((len(rows), BETWEEN), UNKNOWN, dtype=torch.uint8)
    return parts[0] if len(parts) == 1 else torch.cat([part for each in parts for part in (gap, each)][1:], dim=1)


def first_bases(cells: pl.Series, length: int) -> Tensor:
    """The codes of the first strand of each sequence, be it longer than what is read: (rows, length) uint8."""
    longest = cells.cast(pl.String).str.len_bytes().to_numpy().max()
    rows_at_once = max(1, BASES_AT_ONCE // longest)
    blocks = [cells[start : start + rows_at_once] for start in range(0, len(cells), rows_at_once)]
    return torch.cat([first_strand(codes_of_bases(block, longest))[:, :length] for block in blocks])


def codes_of_bases(cells: pl.Series, length: int) -> Tensor:
    """The codes of one column, (rows, length) uint8; every letter is looked up in a table, and no row by itself."""
    text = cells.cast(pl.String).fill_null("")
    codes = np.empty((len(text), length), dtype=np.uint8)
    rows_at_once = max(1, LETTERS_AT_ONCE // max(length, 1))
    for start in range(0, len(text), rows_at_once):
        block = slice(start, start + rows_at_once)
        codes[block] = rows_of_codes(text[block], length)
    return torch.from_numpy(codes)


def rows_of_codes(text: pl.Series, length: int) -> NDArray[np.uint8]:
    """The codes of a block of a column, (rows, length)."""
    codes = codes_of_letters(text)
    if len(codes) and codes.max() > PADDING:  # blanks to be taken out, or letters of several bytes
        text = text.str.replace_all(r"\s+", "").str.replace_all(r"[^\x00-\x7F]", "?")
        codes = codes_of_letters(text)
    sizes = text.str.len_bytes().to_numpy()
    if sizes.max() > length:
        text = text.str.slice(0, length)
        codes, sizes = codes_of_letters(text), text.str.len_bytes().to_numpy()
    if len(codes) == len(sizes) * length:  # all are equally long: the letters stand in rows already
        return codes.reshape(len(sizes), length)
    padded = np.full((len(sizes), length), PADDING, dtype=np.uint8)
    padded[np.arange(length) < sizes[:, None]] = codes  # row by row, in order
    return padded


def codes_of_letters(text: pl.Series) -> NDArray[np.uint8]:
    """The codes of all letters of all cells; 255 for a blank, and for each byte of a letter that has several."""
    table = np.full(256, UNKNOWN, dtype=np.uint8)
    table[list(b" \t\n\v\f\r")] = table[128:] = 255
    for code, letters in enumerate((b"Aa", b"Cc", b"Gg", b"TtUu")):
        table[list(letters)] = code
    joined: bytes = text.str.join("").cast(pl.Binary).item() or b""
    return np.frombuffer(joined.translate(table.tobytes()), dtype=np.uint8)


def reverse_complement(codes: Tensor) -> Tensor:
    """The other strand, read in its own direction, its padding on the right again; codes: (rows, length) uint8."""
    complement = torch.tensor([3, 2, 1, 0, UNKNOWN, PADDING], dtype=torch.uint8)
    flipped = complement[codes.int()].flip(1)
    shift = (codes == PADDING).sum(dim=1, keepdim=True)  # the padding now stands on the left
    return flipped.gather(1, (torch.arange(codes.shape[1]) + shift) % max(codes.shape[1], 1))


def first_strand(codes: Tensor) -> Tensor:
    """Of each sequence and its reverse complement the one that comes first in order: the same for both."""
    other = reverse_complement(codes)
    differs = (codes != other).int().argmax(dim=1, keepdim=True)  # the first place where they differ, if there is one
    return torch.where(other.gather(1, differs) < codes.gather(1, differs), other, codes)


def run_numbers(codes: Tensor, size: int) -> Tensor:
    """The number of each run of so many bases, (rows, length - size + 1) int32; 4**size where a base is unknown."""
    places = max(codes.shape[1] - size + 1, 0)
    numbers = torch.zeros(len(codes), places, dtype=torch.int32)
    known = torch.ones(len(codes), places, dtype=torch.bool)
    for step in range(size):
        base = codes[:, step : step + places]
        numbers = numbers * 4 + base
        known &= base < UNKNOWN
    return torch.where(known, numbers, 4**size)


def strand_pieces(
    codes: Tensor, runs: Sequence[int], gaps: Sequence[int], both_strands: bool, places: Sequence[int]
) -> Ragged:
    """The pieces of each sequence, wherever they stand and, if places count, bases and runs of 2 and 3 by place.

    runs: of so many bases. gaps: pairs of runs of 4 bases with so many bases between them, which may be any. With both
    strands a piece and its reverse complement are one.
    """
    rows_at_once = max(1, BASES_AT_ONCE // max(codes.shape[1], 1))
    parts = [
        pieces_of_strands(block, runs, gaps, both_strands, places) for block in codes.split(rows_at_once) if len(block)
    ]
    return joined(parts)


def pieces_of_strands(
    codes: Tensor, runs: Sequence[int], gaps: Sequence[int], both_strands: bool, places: Sequence[int]
) -> Ragged:
    """The pieces of a block of sequences."""
    found = [numbers_of_patterns(codes, size, None, both_strands) for size in runs]
    found += [numbers_of_patterns(codes, HALF, gap, both_strands) for gap in gaps]
    for size in places:
        numbers = run_numbers(codes, size)
        row, place = torch.nonzero(numbers < 4**size, as_tuple=True)
        found.append((row, (1 << 60) + (place << 32) + 4**size + numbers[row, place]))
    rows, kinds = torch.cat([row for row, _ in found]), torch.cat([number for _, number in found])
    return Ragged.of_sets(hashes_of(kinds.numpy().astype(np.uint64)), rows.numpy(), len(codes))


def numbers_of_patterns(codes: Tensor, size: int, gap: int | None, both_strands: bool) -> tuple[Tensor, Tensor]:
    """The row and a number of each known run, or of each known pair of runs with a gap between them: (found,) each."""
    whole = size if gap is None else 2 * size + gap
    numbers, known = pattern_numbers(codes, size, gap)
    if both_strands:  # the same place on the other strand, counted from its own begin
        sizes = (codes != PADDING).sum(dim=1, keepdim=True)
        back = (sizes - whole - torch.arange(numbers.shape[1])).clamp_min(0)
        numbers = torch.minimum(numbers, pattern_numbers(reverse_complement(codes), size, gap)[0].gather(1, back))
    row, place = torch.nonzero(known, as_tuple=True)
    kind = size if gap is None else 100 + gap
    return row, (kind << 40) + numbers[row, place]


def pattern_numbers(codes: Tensor, size: int, gap: int | None) -> tuple[Tensor, Tensor]:
    """The numbers of all runs, or of all pairs of runs with a gap between, and which of them are known."""
    numbers = run_numbers(codes, size).long()
    if gap is None:
        return numbers, numbers < 4**size
    places = max(numbers.shape[1] - size - gap, 0)
    first, second = numbers[:, :places], numbers[:, numbers.shape[1] - places :]
    return first * 4**size + second, (first < 4**size) & (second < 4**size)


def base_features(rows: pl.DataFrame, lengths: Mapping[str, int], placed: Sequence[str]) -> Tensor:
    """For a straight line: the share of each run of 3 bases, and for placed columns each base in its place.

    Returns (rows, features) float64.
    """
    features = []
    for name, length in lengths.items():
        codes = codes_of_bases(rows[name], length)
        runs = run_numbers(codes, 3).long()
        counts = torch.zeros(len(codes), 4**3 + 1, dtype=torch.float64).scatter_add_(
            1, runs, torch.ones(runs.shape).double()
        )
        features.append(counts[:, :-1] / counts[:, :-1].sum(dim=1, keepdim=True).clamp_min(1))
        if name in placed:
            features.append((codes.unsqueeze(2) == torch.arange(4, dtype=torch.uint8)).flatten(1).double())
    return torch.cat(features, dim=1)
