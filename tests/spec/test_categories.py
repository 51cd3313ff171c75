"""Categories and booleans: words, vocabularies, codes, and their places."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from firstlight.kinds.boolean import BOOLEAN
from firstlight.kinds.category import CATEGORY, MOST_TOLD_APART, MOST_WORDS
from firstlight.plain.categories import OneHot, category_codes, codes, vocabulary, words
from firstlight.plain.targets import labels_of

cells = st.lists(st.none() | st.text(max_size=3) | st.sampled_from(["a", "b", " a "]), min_size=1, max_size=30)


def text(values: Sequence[str | None]) -> pl.Series:
    return pl.Series("cell", values, dtype=pl.String)


def test_blanks_around_a_word_do_not_count_and_a_gap_is_the_empty_word() -> None:
    assert words(text([" a", "a ", "a\t", None, ""])).to_list() == ["a", "a", "a", "", ""]
    assert words(pl.Series([True, None, False])).to_list() == ["true", "", "false"]
    assert words(pl.Series([1, 20])).to_list() == ["1", "20"]


def test_a_vocabulary_names_the_most_frequent_words_first_and_equals_by_letter() -> None:
    assert vocabulary(text(["c", "b", "b", "a", None, None, None]), most=3) == ["", "b", "a"]


@pytest.mark.parametrize("name", ["count", "word", "", "literal", "*"])
def test_a_column_may_have_any_name(name: str) -> None:
    assert vocabulary(pl.Series(name, ["b", "a", "b"]), most=9) == ["b", "a"]


@given(values=cells, most=st.integers(1, 10))
def test_a_vocabulary_does_not_depend_on_the_order_of_rows(values: list[str | None], most: int) -> None:
    known = vocabulary(text(values), most)
    assert known == vocabulary(text(values[::-1]), most)
    assert len(known) == min(most, words(text(values)).n_unique())


@given(taught=cells, asked=cells)
def test_a_code_is_the_place_of_the_word_and_0_for_any_other(taught: list[str | None], asked: list[str | None]) -> None:
    known = vocabulary(text(taught), most=5)
    codes = category_codes(text(asked).to_frame(), {"cell": known}).flatten().tolist()
    for word, code in zip(words(text(asked)), codes, strict=True):
        assert code == (known.index(word) + 1 if word in known else 0)


def test_features_have_a_one_in_the_place_of_each_known_word() -> None:
    module = OneHot(torch.tensor([2, 3]))
    given_codes = torch.tensor([[1, 1], [2, 3], [0, 2], [0, 0]])
    assert module.width == 5
    assert module(given_codes).tolist() == [[1, 0, 1, 0, 0], [0, 1, 0, 0, 1], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]]


def test_a_word_that_came_with_none_of_the_rows_that_teach_is_all_zero() -> None:
    """Of a very large table only some rows teach; its vocabulary is that of all training rows."""
    module = OneHot(torch.tensor([2, 3]))
    assert module(torch.tensor([[3, 1], [1, 4]])).tolist() == [[0, 0, 1, 0, 0], [1, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("column", "claimed"),
    [
        (["red", "blue"], True),
        (["01234", "00501"], True),
        ([f"w{number}" for number in range(100)], True),
        ([f"this is a long sentence, the one of number {number}" for number in range(9)], False),
        (["the same long sentence of many words"] * 9, True),
        ([None, None], False),
    ],
    ids=["words", "codes", "many words", "free text", "one sentence again and again", "gaps"],
)
def test_a_column_of_words_that_repeat_is_a_category(column: Sequence[str | None], claimed: bool) -> None:
    assert (CATEGORY.claim(text(column)) is not None) == claimed


def test_of_many_words_the_most_frequent_are_told_apart_and_it_is_said() -> None:
    claim = CATEGORY.claim(text([f"w{number}" for number in range(50_000)] * 2))
    assert claim is not None
    assert claim.settings.most == MOST_TOLD_APART
    assert claim.reason == "50 000 different words, of which the 2 000 most frequent are told apart"


def test_the_line_and_the_small_networks_weigh_the_most_frequent_of_many_words() -> None:
    learned = {"few": ["a", "b"], "many": [f"w{number}" for number in range(MOST_WORDS + 50)]}
    module = CATEGORY.line_features(torch.zeros(0, 2), learned)
    assert module.width == 2 + MOST_WORDS
    assert module(torch.tensor([[1, MOST_WORDS], [2, MOST_WORDS + 1]])).sum(dim=1).tolist() == [2, 1]


@pytest.mark.parametrize(
    ("column", "claimed"),
    [
        (["yes", "no", None], True),
        (["YES", "No", "yes"], True),
        (["true", "FALSE"], True),
        (["t", "f"], True),
        ([0, 1, None], True),
        ([0.0, 1.0], True),
        ([True, False], True),
        ([True, True], True),
        (["yes", "yes"], False),
        (["yes", "no", "maybe"], False),
        (["yes", "false"], False),
        ([1, 2], False),
        ([0, 1, 2], False),
    ],
    ids=str,
)
def test_a_boolean_has_two_words_that_are_opposites(column: list[object], claimed: bool) -> None:
    assert (BOOLEAN.claim(pl.Series(column)) is not None) == claimed


def test_labels_are_ordered_as_numbers_where_they_are_numbers() -> None:
    assert labels_of(text(["10", "9", "1", "9"])) == ["1", "9", "10"]
    assert labels_of(text(["10", "9", "b"])) == ["10", "9", "b"]


@given(values=cells)
def test_class_numbers_are_the_places_of_the_labels(values: list[str | None]) -> None:
    labels = labels_of(text(values))
    numbers = (codes(text(values), labels) - 1).tolist()
    assert [labels[number] for number in numbers] == words(text(values)).to_list()
    assert codes(text(["a label that is not there"]), labels).tolist() == [0]
