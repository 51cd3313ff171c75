"""Rows of different lengths obey the laws of sets, and of matrices of zeros and ones."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from firstlight.plain.ragged import Ragged, TwoLevels

COLUMNS = 8
sets = st.lists(st.sets(st.integers(0, COLUMNS - 1)), min_size=1, max_size=6)


def ragged(rows: list[set[int]]) -> Ragged:
    """Rows of these numbers, given as pairs in no order and with some of them twice."""
    pairs = [(row, number) for row, numbers in enumerate(rows) for number in numbers]
    pairs = sorted(pairs + pairs[::2], key=lambda pair: (pair[1] * 5 + pair[0] * 3) % 7)
    owners, values = torch.tensor(pairs, dtype=torch.int32).view(-1, 2).T
    return Ragged.of_pairs(owners, values, len(rows))


def sets_of(rows: Ragged) -> list[list[int]]:
    return [rows.values[start:end].tolist() for start, end in pairwise(rows.starts.tolist())]


def dense(rows: Ragged, columns: int = COLUMNS) -> Tensor:
    """The matrix of zeros and ones, filled one by one."""
    matrix = torch.zeros(len(rows), columns)
    for row, numbers in enumerate(sets_of(rows)):
        matrix[row, numbers] = 1
    return matrix


@given(sets)
def test_pairs_in_any_order_become_sets_in_ascending_order(rows: list[set[int]]) -> None:
    made = ragged(rows)
    assert sets_of(made) == [sorted(row) for row in rows]
    assert len(made) == len(rows)
    assert (made.values.dtype, made.starts.dtype) == (torch.int32, torch.int32)


@given(sets, st.data())
def test_rows_are_chosen_as_from_a_list(rows: list[set[int]], data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=8))
    made = ragged(rows).index_select(0, torch.tensor(chosen, dtype=torch.int64))
    assert sets_of(made) == [sorted(rows[row]) for row in chosen]
    assert (made.values.dtype, made.starts.dtype) == (torch.int32, torch.int32)


@given(sets)
def test_turned_round_it_is_the_transposed_matrix_and_turned_twice_itself(rows: list[set[int]]) -> None:
    made = ragged(rows)
    turned = made.turned(COLUMNS)
    assert_close(dense(turned, len(rows)), dense(made).T)
    assert sets_of(turned.turned(len(rows))) == sets_of(made)


@given(sets)
def test_sums_are_the_product_with_the_matrix(rows: list[set[int]]) -> None:
    values = torch.arange(COLUMNS * 3).view(COLUMNS, 3).float()
    assert_close(ragged(rows).sums(values), dense(ragged(rows)) @ values)


@given(sets, st.sets(st.integers(0, COLUMNS - 1)))
def test_among_known_numbers_only_those_stay_that_are_known(rows: list[set[int]], known: set[int]) -> None:
    places = {number: place for place, number in enumerate(sorted(known))}
    found = ragged(rows).among(torch.tensor(sorted(known), dtype=torch.int32))
    assert sets_of(found) == [[places[number] for number in sorted(row & known)] for row in rows]
    assert found.values.dtype == torch.int32


@given(sets, st.data())
def test_two_levels_are_the_product_of_two_matrices_and_stay_so_when_rows_are_chosen(
    parts: list[set[int]], data: st.DataObject
) -> None:
    rows = data.draw(st.lists(st.sets(st.integers(0, len(parts) - 1)), min_size=1, max_size=5))
    both = TwoLevels(ragged(rows), ragged(parts))
    whole = dense(both.rows, len(parts)) @ dense(both.parts)
    chosen = torch.tensor(data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=6)), dtype=torch.int64)
    some = both.index_select(0, chosen)
    assert_close(dense(some.rows, len(some.parts)) @ dense(some.parts), whole[chosen])
    assert (len(both), len(some)) == (len(rows), len(chosen))
    held = {number for row in chosen.tolist() for number in rows[row]}
    assert len(some.parts) == len(held), "parts that no chosen row holds are left out"


@pytest.mark.parametrize("rows", [0, 3])
def test_rows_that_hold_nothing_are_rows_all_the_same(rows: int) -> None:
    empty = Ragged.of_sets(np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64), rows)
    assert len(empty) == rows
    assert empty.sums(torch.ones(4, 2)).tolist() == [[0, 0]] * rows
    assert empty.sums(torch.ones(0, 2)).tolist() == [[0, 0]] * rows
    assert sets_of(empty.turned(2)) == [[], []]
    assert sets_of(empty.among(torch.tensor([3], dtype=torch.int32))) == [[]] * rows


def test_hashes_are_numbered_in_their_order_and_each_number_stands_at_its_place() -> None:
    hashes = np.array([9 << 40, 2 << 40, 9 << 40, 5 << 40], dtype=np.uint64)
    numbered, first = Ragged.of_numbers(hashes, np.array([0, 0, 1, 2]), 3)
    assert sets_of(numbered) == [[0, 2], [2], [1]]
    assert hashes[first].tolist() == [2 << 40, 5 << 40, 9 << 40]
    assert first.tolist() == [1, 3, 0]


def test_hashes_that_differ_in_their_last_bit_are_not_taken_for_one_when_they_are_numbered() -> None:
    """Whichever stood first would speak for both, and a row's answer would depend on the rows beside it."""
    hashes = np.array([2**63 + 1, 2**63], dtype=np.uint64)
    numbered, first = Ragged.of_numbers(hashes, np.array([0, 1]), 2)
    assert sets_of(numbered) == [[1], [0]]
    assert first.tolist() == [1, 0]


def test_of_a_hash_its_first_31_bits_are_kept() -> None:
    made = Ragged.of_sets(np.array([2**64 - 1, 2**33, 2**33 - 1], dtype=np.uint64), np.array([0, 0, 0]), 1)
    assert made.values.tolist() == [0, 1, 2**31 - 1]
