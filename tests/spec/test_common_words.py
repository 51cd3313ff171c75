"""The straight line counts the words that stand in the most texts."""

from __future__ import annotations

from collections import Counter

import polars as pl
import torch
from hypothesis import given
from hypothesis import strategies as st

from firstlight.plain.common_words import common_words, word_marks

texts = st.lists(
    st.none() | st.lists(st.sampled_from("ab cd EF cd é 7 -".split()), max_size=5).map(" ".join), max_size=8
)


def cells(*values: str | None) -> pl.Series:
    return pl.Series("text", values, dtype=pl.String)


@given(texts, st.integers(1, 6))
def test_the_common_words_are_those_of_the_most_texts_and_of_like_ones_the_first_by_letter(
    values: list[str | None], most: int
) -> None:
    counts = Counter(word for text in values for word in {*(text or "").lower().split()} - {"-"})
    expected = sorted(counts, key=lambda word: (-counts[word], word))
    assert common_words(cells(*values), most) == expected[:most]


@given(texts)
def test_a_word_is_marked_where_it_stands_however_often(values: list[str | None]) -> None:
    marks = word_marks(pl.DataFrame({"text": cells(*values)}), {"text": ["cd", "absent", "ef"]})
    expected = [[float(word in (text or "").lower().split()) for word in ("cd", "absent", "ef")] for text in values]
    assert marks.dtype == torch.float64
    assert marks.shape == (len(values), 4)
    assert marks[:, 1:].tolist() == expected
    assert marks[:, 0].tolist() == [float(bool(text)) for text in values], "before the words: whether there are any"


def test_where_no_blanks_stand_between_words_letters_are_counted() -> None:
    assert common_words(cells("很好吃", "很好", "很"), 2) == ["很", "好"]


def test_signs_are_no_words_and_numbers_are() -> None:
    assert common_words(cells("Yes, it's 20!", "yes! 20?"), 9) == ["20", "yes", "it", "s"]


def test_what_html_writes_around_words_is_no_word() -> None:
    assert common_words(cells("<br />fish &amp; chips", "<p class=x>fish&nbsp;chips</p>"), 9) == ["chips", "fish"]


def test_each_column_has_words_of_its_own() -> None:
    rows = pl.DataFrame({"a": ["good"], "b": ["bad"]})
    assert word_marks(rows, {"a": ["good", "bad"], "b": ["good", "bad"]}).tolist() == [[1, 1, 0, 1, 0, 1]]


def test_a_column_that_taught_no_word_only_tells_where_something_is_written() -> None:
    rows = pl.DataFrame({"a": ["good", None], "b": ["bad", None]})
    assert common_words(cells(None, "", "!"), 9) == []
    assert word_marks(rows, {"a": [], "b": ["bad"]}).tolist() == [[1, 1, 1], [0, 0, 0]]
    assert word_marks(rows, {"a": []}).tolist() == [[1], [0]]


def test_of_a_text_longer_than_is_read_the_rest_is_not_seen() -> None:
    long = cells("word " * 10_000 + "late")
    assert common_words(long, 9) == ["word"]
    assert word_marks(long.to_frame(), {"text": ["word", "late"]}).tolist() == [[1.0, 1.0, 0.0]]
