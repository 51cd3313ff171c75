"""Sequences become codes, strands and pieces, by another way than the slow one that each is held against."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from firstlight.plain import bases
from firstlight.plain.bases import (
    BETWEEN,
    PADDING,
    UNKNOWN,
    base_codes,
    base_features,
    codes_of_bases,
    first_strand,
    reverse_complement,
    strand_pieces,
)

CODES = {"A": 0, "C": 1, "G": 2, "T": 3, "U": 3}
OTHER_STRAND = {  # of every letter of IUPAC
    "A": "T", "C": "G", "G": "C", "T": "A", "U": "A", "R": "Y", "Y": "R", "S": "S", "W": "W", "K": "M", "M": "K",
    "B": "V", "V": "B", "D": "H", "H": "D", "N": "N", "-": "-", ".": ".", "*": "*",
}  # fmt: skip
LETTERS = "".join(OTHER_STRAND)
dna = st.text("ACGT", max_size=40)
any_sequence = st.text(LETTERS + LETTERS.lower(), max_size=40)


def one_by_one(sequence: str, length: int) -> list[int]:
    """The codes of a sequence, letter by letter."""
    known = [CODES.get(letter.upper(), UNKNOWN) for letter in sequence if not letter.isspace()][:length]
    return known + [PADDING] * (length - len(known))


def turned_round(sequence: str) -> str:
    """The reverse complement."""
    return "".join(OTHER_STRAND[letter] for letter in reversed(sequence.upper()))


def codes_of(*sequences: str | None, length: int = 40) -> Tensor:
    return codes_of_bases(pl.Series("dna", sequences, dtype=pl.String), length)


class TestCodes:
    """A letter is a code."""

    @given(st.lists(st.none() | any_sequence, max_size=5), st.integers(1, 50))
    def test_each_letter_has_its_code_in_either_case_and_what_is_no_base_is_unknown(
        self, sequences: list[str | None], length: int
    ) -> None:
        codes = codes_of(*sequences, length=length)
        assert (codes.dtype, codes.shape) == (torch.uint8, (len(sequences), length))
        assert codes.tolist() == [one_by_one(sequence or "", length) for sequence in sequences]

    def test_rna_is_read_as_dna(self) -> None:
        assert torch.equal(codes_of("ACGUUacguu"), codes_of("ACGTTacgtt"))

    @pytest.mark.parametrize("written", ["AC GT", " ACGT", "ACGT \n", "AC\r\nGT", "A\tC G\u00a0T"])
    def test_blanks_and_line_ends_among_the_letters_do_not_move_a_base(self, written: str) -> None:
        assert torch.equal(codes_of(written), codes_of("ACGT"))

    def test_gaps_keep_their_place(self) -> None:
        assert codes_of("A--C.G", length=6).tolist() == [[0, UNKNOWN, UNKNOWN, 1, UNKNOWN, 2]]

    @given(st.lists(st.text(max_size=12), min_size=1, max_size=4))
    def test_any_text_gives_one_code_a_letter(self, cells: list[str]) -> None:
        codes = codes_of(*cells, length=12)
        letters = pl.Series(cells, dtype=pl.String).str.replace_all(r"\s+", "").str.len_chars()
        assert (codes != PADDING).sum(dim=1).tolist() == letters.to_list()

    def test_a_sequence_is_cut_at_the_length_that_is_read_and_a_shorter_one_is_padded(self) -> None:
        assert codes_of("ACGTACGT", "AC", "", None, length=4).tolist() == [
            [0, 1, 2, 3], [0, 1, PADDING, PADDING], [PADDING] * 4, [PADDING] * 4,
        ]  # fmt: skip

    @given(st.lists(st.tuples(any_sequence, any_sequence), max_size=4))
    def test_several_columns_stand_side_by_side_with_unknown_bases_between(self, rows: list[tuple[str, str]]) -> None:
        table = pl.DataFrame(rows, schema={"one": pl.String, "other": pl.String}, orient="row")
        expected = [one_by_one(one, 7) + [UNKNOWN] * BETWEEN + one_by_one(other, 5) for one, other in rows]
        codes = base_codes(table, {"one": 7, "other": 5})
        assert codes.shape == (len(rows), 7 + BETWEEN + 5)
        assert codes.tolist() == expected

    @given(st.lists(any_sequence, min_size=1, max_size=5), st.integers(1, 50))
    def test_with_both_strands_a_longer_sequence_and_its_reverse_complement_are_cut_to_the_same_bases(
        self, sequences: list[str], length: int
    ) -> None:
        turned = [turned_round(sequence) for sequence in sequences]
        codes, others = (
            base_codes(pl.DataFrame({"dna": cells}, {"dna": pl.String}), {"dna": length}, both_strands=True)
            for cells in (sequences, turned)
        )
        assert torch.equal(first_strand(codes), first_strand(others))
        assert codes.tolist() == [
            min(one_by_one(one, len(one)), one_by_one(other, len(one)))[:length]
            if len(one) > length
            else one_by_one(one, length)
            for one, other in zip(sequences, turned, strict=True)
        ]

    def test_how_many_are_cut_at_once_does_not_change_the_bases(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rows = pl.DataFrame({"dna": ["GATTACA" * 3, "C" * 30, None, "ACGT", "TTTA" * 9]})
        whole = base_codes(rows, {"dna": 6}, both_strands=True)
        monkeypatch.setattr(bases, "BASES_AT_ONCE", 1)
        assert torch.equal(base_codes(rows, {"dna": 6}, both_strands=True), whole)

    def test_how_many_are_looked_up_at_once_does_not_change_the_bases(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rows = pl.DataFrame({"dna": ["GATTACA", "C C\nC", None, "ACGTNAC", "", "é" * 9, "T" * 30, "acgtacg"]})
        whole = base_codes(rows, {"dna": 7})
        monkeypatch.setattr(bases, "LETTERS_AT_ONCE", 1)
        assert torch.equal(base_codes(rows, {"dna": 7}), whole)


class TestStrands:
    """A sequence, read from its other side."""

    @given(st.lists(any_sequence, min_size=1, max_size=5))
    def test_the_reverse_complement_is_that_of_the_letters(self, sequences: list[str]) -> None:
        assert torch.equal(reverse_complement(codes_of(*sequences)), codes_of(*map(turned_round, sequences)))

    @given(st.lists(any_sequence, min_size=1, max_size=5), st.integers(1, 45))
    def test_turned_round_twice_it_is_the_sequence_again(self, sequences: list[str], length: int) -> None:
        codes = codes_of(*sequences, length=length)
        assert torch.equal(reverse_complement(reverse_complement(codes)), codes)

    @given(st.lists(any_sequence, min_size=1, max_size=5))
    def test_both_strands_have_the_same_first_strand_which_is_one_of_them(self, sequences: list[str]) -> None:
        codes = codes_of(*sequences)
        other = reverse_complement(codes)
        first = first_strand(codes)
        assert torch.equal(first, first_strand(other))
        for row, strand, turned in zip(first.tolist(), codes.tolist(), other.tolist(), strict=True):
            assert row == min(strand, turned)


def run_number(run: str) -> int:
    """A run of bases as a number with a digit for each."""
    return sum(CODES[base] * 4 ** (len(run) - 1 - place) for place, base in enumerate(run))


def pattern_names(sequence: str, size: int, gap: int | None) -> list[tuple[int, str]]:
    """Where each run, or pair of runs of 4 with a gap between, begins, and its letters; none with an unknown one."""
    whole = size if gap is None else 2 * size + gap
    windows = [(place, sequence[place : place + whole]) for place in range(len(sequence) - whole + 1)]
    read = [(place, window if gap is None else window[:size] + window[size + gap :]) for place, window in windows]
    return [(place, letters) for place, letters in read if set(letters) <= set("ACGT")]


def pieces_one_by_one(
    sequence: str, runs: Sequence[int], gaps: Sequence[int], both: bool, places: Sequence[int]
) -> set[tuple[object, ...]]:
    """The pieces of a sequence by their letters, window by window."""
    found: set[tuple[object, ...]] = set()
    for size, gap in [*((size, None) for size in runs), *((4, gap) for gap in gaps)]:
        for _, letters in pattern_names(sequence, size, gap):
            found.add((gap, min(letters, turned_round(letters)) if both else letters))
    for size in places:
        found |= {("at", place, letters) for place, letters in pattern_names(sequence, size, None)}
    return found


def in_common(rows: Sequence[set[Any]]) -> list[list[int]]:
    """How many pieces each two rows have in common: the same, however pieces are named."""
    return [[len(one & other) for other in rows] for one in rows]


def as_sets(
    codes: Tensor, runs: Sequence[int], gaps: Sequence[int], both: bool, places: Sequence[int]
) -> list[set[int]]:
    pieces = strand_pieces(codes, runs, gaps, both, places)
    assert pieces.values.dtype == torch.int32
    rows = [pieces.values[start:end].tolist() for start, end in pairwise(pieces.starts.tolist())]
    assert all(row == sorted(set(row)) for row in rows)
    return [set(row) for row in rows]


ways = st.tuples(
    st.lists(st.integers(1, 7), max_size=3, unique=True).map(tuple),
    st.lists(st.integers(0, 6), max_size=3, unique=True).map(tuple),
).filter(lambda way: any(way))


class TestPieces:
    """Runs of bases, pairs of runs, and bases in their places."""

    @given(
        st.lists(st.text("ACGTN", max_size=30), max_size=4),
        ways,
        st.booleans(),
        st.lists(st.integers(1, 3), unique=True),
    )
    @settings(max_examples=60)
    def test_the_pieces_are_those_that_each_window_gives(
        self, sequences: list[str], way: tuple[tuple[int, ...], tuple[int, ...]], both: bool, places: list[int]
    ) -> None:
        found = as_sets(codes_of(*sequences, length=30), *way, both, places)
        expected = [pieces_one_by_one(sequence, *way, both, places) for sequence in sequences]
        assert in_common(found) == in_common(expected)

    def test_places_far_down_a_sequence_are_not_taken_for_runs(self) -> None:
        sequence = "".join(random.Random(1).choices("ACGT", k=1500))
        found = as_sets(codes_of(sequence, length=1500), (1, 2, 3), (0,), False, (1, 2))
        assert in_common(found) == in_common([pieces_one_by_one(sequence, (1, 2, 3), (0,), False, (1, 2))])

    @given(st.lists(any_sequence, min_size=1, max_size=4), ways)
    @settings(max_examples=60)
    def test_with_both_strands_a_sequence_has_the_pieces_of_its_reverse_complement(
        self, sequences: list[str], way: tuple[tuple[int, ...], tuple[int, ...]]
    ) -> None:
        codes = codes_of(*sequences)
        assert as_sets(codes, *way, True, ()) == as_sets(reverse_complement(codes), *way, True, ())

    def test_without_both_strands_the_other_strand_has_other_pieces(self) -> None:
        codes = codes_of("ACGGTTTAACCA")
        assert as_sets(codes, (3,), (), False, ()) != as_sets(reverse_complement(codes), (3,), (), False, ())

    def test_an_unknown_base_breaks_runs_and_pairs_but_may_stand_in_the_gap(self) -> None:
        assert as_sets(codes_of("ACNGT"), (3,), (), False, ()) == [set()]
        assert as_sets(codes_of("ACGTNACGT"), (), (1,), False, ()) == as_sets(
            codes_of("ACGTGACGT"), (), (1,), False, ()
        )
        assert as_sets(codes_of("ACNTAACGT"), (), (1,), False, ()) == [set()]

    @pytest.mark.parametrize("sequences", [("",), ("A", "AC"), (None, "-----"), ("NNNNNNNNNNNN",), ()])
    def test_what_is_shorter_than_a_run_has_no_pieces(self, sequences: tuple[str | None, ...]) -> None:
        for length in (1, 2, 12):
            found = as_sets(codes_of(*sequences, length=length), (3, 7), (0, 6), True, ())
            assert found == [set() for _ in sequences]

    def test_how_many_rows_are_taken_at_once_does_not_change_the_pieces(self, monkeypatch: pytest.MonkeyPatch) -> None:
        codes = torch.randint(0, 6, (50, 30), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
        whole = as_sets(codes, (2, 5), (0, 3), False, (1, 3))
        for at_once in (1, 30, 200):
            monkeypatch.setattr(bases, "BASES_AT_ONCE", at_once)
            assert as_sets(codes, (2, 5), (0, 3), False, (1, 3)) == whole


class TestLine:
    """What a straight line is given."""

    def test_the_runs_of_three_are_counted_as_shares(self) -> None:
        rows = pl.DataFrame({"dna": ["ACGACGT", "aaaa", "ACN", ""]})
        features = base_features(rows, {"dna": 8}, [])
        assert (features.dtype, features.shape) == (torch.float64, (4, 64))
        assert features.sum(dim=1).tolist() == [1, 1, 0, 0]
        shares = {run: features[0, run_number(run)].item() for run in ("ACG", "CGA", "GAC", "CGT")}
        assert shares == {"ACG": 0.4, "CGA": 0.2, "GAC": 0.2, "CGT": 0.2}
        assert features[1, run_number("AAA")] == 1

    def test_placed_columns_have_each_base_in_its_place(self) -> None:
        rows = pl.DataFrame({"dna": ["ACN", "T"], "other": ["GGGG", None]})
        features = base_features(rows, {"dna": 3, "other": 4}, ["dna"])
        assert features.shape == (2, 64 + 3 * 4 + 64)
        assert features[:, 64:76].tolist() == [[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1] + [0] * 8]
        assert features[0, 76 + run_number("GGG")] == 1

    @pytest.mark.parametrize("length", [1, 2, 3])
    def test_sequences_shorter_than_three_have_shares_of_nothing(self, length: int) -> None:
        features = base_features(pl.DataFrame({"dna": ["AC", None]}), {"dna": length}, [])
        assert features.shape == (2, 64)
        assert not features.any()
