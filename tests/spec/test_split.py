"""The laws of the split: which rows teach, which test, and which fold a training row belongs to."""

from __future__ import annotations

import datetime
import math

import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from firstlight.plain.split import (
    folds_of,
    kin_by_equality,
    shuffled_places,
    some_of,
    split_at_random,
    split_by_time,
)
from firstlight.plan.plan import Split
from firstlight.plan.splitting import (
    Parts,
    apply_split,
    choose_split,
    columns_compared,
    kin_of,
    usual_share,
)
from firstlight.refusal import Refused

seeds = st.integers(0, 2**31)
shares = st.floats(0.05, 0.95)


@st.composite
def strata_and_kin(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Families of one to four rows, each within one of up to three strata, strewn over the table."""
    families = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4)), min_size=1, max_size=40))
    stratum = [stratum for stratum, members in families for _ in range(members)]
    family = [number for number, (_, members) in enumerate(families) for _ in range(members)]
    order = draw(st.permutations(range(len(stratum))))
    families_of_rows = torch.tensor([family[place] for place in order])
    _, first = first_of_each(families_of_rows)
    return torch.tensor([stratum[place] for place in order]), first


def first_of_each(values: Tensor) -> tuple[Tensor, Tensor]:
    """The different values, and for each row the number of the first row of its value."""
    different, place = values.unique(return_inverse=True)
    firsts = torch.full_like(different, len(values)).scatter_reduce(0, place, torch.arange(len(values)), "amin")
    return different, firsts[place]


@given(table=strata_and_kin(), share=shares, seed=seeds)
def test_each_row_is_in_exactly_one_part(table: tuple[Tensor, Tensor], share: float, seed: int) -> None:
    train, test = split_at_random(*table, share, seed)
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(len(table[0])))
    assert train.tolist() == sorted(train.tolist())
    assert test.tolist() == sorted(test.tolist())


@given(table=strata_and_kin(), share=shares, folds=st.integers(2, 8), seed=seeds)
def test_kin_never_part(table: tuple[Tensor, Tensor], share: float, folds: int, seed: int) -> None:
    _, kin = table
    train, test = split_at_random(*table, share, seed)
    assert not set(kin[train].tolist()) & set(kin[test].tolist())
    fold = folds_of(*table, folds, seed)
    assert torch.equal(fold, fold[kin])
    assert fold.min() >= 0
    assert fold.max() < folds


@given(table=strata_and_kin(), share=shares, seed=seeds)
def test_each_stratum_gives_the_asked_share_to_within_one_family(
    table: tuple[Tensor, Tensor], share: float, seed: int
) -> None:
    strata, kin = table
    _, test = split_at_random(*table, share, seed)
    for stratum in strata.unique():
        rows = strata == stratum
        largest = kin[rows].bincount().max().item()
        assert abs((strata[test] == stratum).sum().item() - share * rows.sum().item()) <= largest


@given(rows=st.integers(1, 200), strata=st.integers(1, 4), folds=st.integers(2, 8), seed=seeds)
def test_folds_of_rows_without_kin_differ_by_one_row_in_each_stratum(
    rows: int, strata: int, folds: int, seed: int
) -> None:
    stratum = torch.arange(rows) % strata
    fold = folds_of(stratum, torch.arange(rows), folds, seed)
    for number in stratum.unique():
        sizes = fold[stratum == number].bincount(minlength=folds)
        assert sizes.max() - sizes.min() <= 1


@given(table=strata_and_kin(), share=shares, seed=seeds)
def test_the_same_seed_gives_the_same_split(table: tuple[Tensor, Tensor], share: float, seed: int) -> None:
    first, second = split_at_random(*table, share, seed), split_at_random(*table, share, seed)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])


def test_another_seed_gives_another_split() -> None:
    strata, kin = torch.zeros(100, dtype=torch.int64), torch.arange(100)
    tests = {tuple(split_at_random(strata, kin, 0.2, seed)[1].tolist()) for seed in range(10)}
    assert len(tests) == 10


@given(seed=seeds)
def test_the_values_of_a_stratum_do_not_move_the_rows_of_another(seed: int) -> None:
    """Which rows of class 0 test is not changed by how the other rows are called."""
    kin = torch.arange(60)
    two = shuffled_places((kin >= 30).long(), kin, seed)
    three = shuffled_places((kin >= 30).long() + (kin >= 45).long(), kin, seed)
    assert torch.equal(two[:30], three[:30])


@given(rows=st.integers(1, 300), most=st.integers(1, 300), seed=seeds)
def test_some_rows_are_as_many_as_asked_each_once_in_their_order(rows: int, most: int, seed: int) -> None:
    numbers = torch.arange(0, 3 * rows, 3)
    some = some_of(numbers, most, seed)
    assert len(some) == min(rows, most)
    assert some.tolist() == sorted(set(some.tolist()) & set(numbers.tolist()))


def test_which_rows_are_chosen_is_left_to_chance() -> None:
    chosen = torch.cat([some_of(torch.arange(20), 5, seed) for seed in range(400)])
    assert chosen.bincount(minlength=20).min() > 60, "each about 100 times"


def test_over_many_seeds_every_row_tests_about_as_often_as_asked() -> None:
    kin = torch.tensor([0, 0, 0, *range(3, 50)])  # a family of three among single rows
    tested = torch.zeros(50)
    for seed in range(600):
        tested[split_at_random(torch.zeros(50, dtype=torch.int64), kin, 0.2, seed)[1]] += 1
    assert (tested / 600 - 0.2).abs().max() < 0.08  # five standard deviations of a share of 600


@given(times=st.lists(st.integers(-5, 30) | st.just(math.nan), min_size=2, max_size=60), share=shares)
def test_every_tested_moment_is_later_than_every_one_that_teaches(times: list[float], share: float) -> None:
    moments = torch.tensor(times, dtype=torch.float64)
    train, test = split_by_time(moments, share)
    assert sorted([*train.tolist(), *test.tolist()]) == list(range(len(times)))
    assert not moments[test].isnan().any(), "a row of unknown time is no row of the future"
    if len(test) and not moments[train].isnan().all():
        assert moments[test].min() > moments[train].nan_to_num(-torch.inf).max()


@given(rows=st.integers(2, 100), share=shares)
def test_by_time_the_asked_share_of_different_moments_is_tested(rows: int, share: float) -> None:
    _, test = split_by_time(torch.arange(rows, dtype=torch.float64), share)
    if round(rows * (1 - share)) > 0:
        assert abs(len(test) - rows * share) <= 0.5 + 1e-9  # a share such as 0.45 is not exact


def test_rows_of_one_moment_stay_together() -> None:
    train, test = split_by_time(torch.tensor([3.0, 1.0, 2.0, 2.0, 2.0]), 0.4)
    assert (train.tolist(), test.tolist()) == ([1, 2, 3, 4], [0])


cells = st.sampled_from([None, "", "a", "b", "1"])


@given(table=st.lists(st.tuples(cells, cells), min_size=1, max_size=30))
def test_kin_by_equality_are_exactly_the_equal_rows(table: list[tuple[str | None, str | None]]) -> None:
    frame = pl.DataFrame(table, schema={"first": pl.String, "second": pl.String}, orient="row")
    assert kin_by_equality(frame, ["first", "second"]).tolist() == [table.index(row) for row in table]


@pytest.mark.parametrize("name", ["row", "0", "1", "*", "number of the row", "count", "", "a.b", 'quoted "name"'])
def test_rows_are_compared_whatever_their_columns_are_called(name: str) -> None:
    frame = pl.DataFrame({"other": [1, 1, 2, 1], name: ["a", "b", "a", "a"]})
    assert kin_by_equality(frame, [name, "other"]).tolist() == [0, 1, 2, 0]


ROWS = pl.DataFrame(
    {
        "id": range(40),
        "colour": ["red", "blue"] * 20,
        "size": [number % 13 for number in range(40)],
        "group": [f"g{number % 5}" for number in range(40)],
        "day": [datetime.date(2024, 1, 1) + datetime.timedelta(days=number % 10) for number in range(40)],
        "label": ["yes"] * 10 + ["no"] * 30,
    }
)


def chosen(*, share: float = 0.2, time: str | None = None, group: str | None = None, target: str = "label") -> Split:
    return choose_split(ROWS, target, share=share, time=time, group=group, seed=0)


def test_by_default_rows_are_chosen_by_chance_evenly_and_equal_rows_never_part() -> None:
    split = chosen()
    assert (split.way, split.even) == ("chance", True)
    assert split.alike == ("colour", "size", "group", "day"), "a column that numbers rows makes all differ"
    parts = apply_split(ROWS, "label", split, 0)
    assert ROWS[parts.test.numpy()]["label"].value_counts().sort("label").rows() == [("no", 6), ("yes", 2)]


def test_rows_with_the_same_inputs_never_part_whatever_their_labels_say() -> None:
    """Not even short texts, which likeness leaves alone: what is known of one would be asked of the other."""
    texts = [f"text {number}" for number in range(60)] + [f"text {number}" for number in range(20)]
    rows = pl.DataFrame({"text": texts, "label": ["yes", "no"] * 30 + ["no", "yes"] * 10})
    split = choose_split(rows, "label", share=0.2, time=None, group=None, seed=0)
    assert (split.alike, split.near) == (("text",), ())
    parts = apply_split(rows, "label", split, 0)
    taught, tested = (set(rows[part.numpy()]["text"]) for part in (parts.train, parts.test))
    assert len(taught) + len(tested) == 60


def test_where_there_are_pixels_alone_no_cells_are_compared() -> None:
    pixels = pl.Series("picture", [[[[0]]], [[[1]]]] * 10, dtype=pl.Array(pl.UInt8, (1, 1, 1)))
    rows = pl.DataFrame({"picture": pixels, "label": ["a", "b"] * 10})
    assert columns_compared(rows, "label", Split(way="chance", share=0.2)) == ()


def test_rows_of_different_texts_are_not_equal_for_what_else_they_have() -> None:
    texts = [f"text number {number} of a table of texts" for number in range(40)]
    rows = pl.DataFrame(
        {"id": range(40), "text": texts, "size": [number % 30 for number in range(40)], "y": [1, 2] * 20}
    )
    split = choose_split(rows, "y", share=0.2, time=None, group=None, seed=0)
    assert (split.alike, split.near_texts) == (("text", "size"), ("text",))


def test_of_a_very_large_table_no_more_is_set_aside_than_tells_something() -> None:
    assert usual_share(1000) == usual_share(500_000) == 0.2
    assert usual_share(10_000_000) == 0.01


def test_where_most_rows_have_a_twin_being_equal_is_no_sign_of_being_the_same() -> None:
    coarse = ROWS.select("colour", "label")
    assert choose_split(coarse, "label", share=0.2, time=None, group=None, seed=0).alike == ()


def test_a_target_of_amounts_is_not_split_by_its_values() -> None:
    assert not choose_split(ROWS, "id", share=0.2, time=None, group=None, seed=0).even


def test_by_group_no_group_is_on_both_sides() -> None:
    split = chosen(group="group")
    parts = apply_split(ROWS, "label", split, 0)
    taught, tested = (set(ROWS[part.numpy()]["group"]) for part in (parts.train, parts.test))
    assert (len(taught), len(tested)) == (4, 1)
    assert not taught & tested
    assert kin_of(ROWS, split).unique().tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("column", "forms"),
    [
        pytest.param(ROWS["day"], (), id="dates"),
        pytest.param(ROWS["day"].dt.strftime("%d.%m.%Y"), ("%d.%m.%Y",), id="text"),
        pytest.param(ROWS["day"].dt.day().cast(pl.Int16), (), id="numbers"),
    ],
)
def test_by_time_the_last_days_are_the_test(column: pl.Series, forms: tuple[str, ...]) -> None:
    rows = ROWS.with_columns(column.alias("day"))
    split = choose_split(rows, "label", share=0.2, time="day", group=None, seed=0)
    assert (split.way, split.column, split.forms) == ("time", "day", forms)
    tested = apply_split(rows, "label", split, 0).test
    assert set(ROWS["day"].dt.day().gather(tested.numpy())) == {9, 10}


def test_numbers_written_as_text_order_rows_as_numbers() -> None:
    rows = ROWS.with_columns(ROWS["day"].dt.day().cast(pl.String).alias("day"))
    split = choose_split(rows, "label", share=0.2, time="day", group=None, seed=0)
    tested = apply_split(rows, "label", split, 0).test
    assert set(ROWS["day"].dt.day().gather(tested.numpy())) == {9, 10}


def test_words_cannot_order_rows_by_time() -> None:
    with pytest.raises(Refused, match=r"^column 'colour' cannot order rows by time: its cells are neither dates nor"):
        chosen(time="colour")


def test_without_a_test_every_row_teaches() -> None:
    parts = apply_split(ROWS, "label", chosen(share=0.0), 0)
    assert (len(parts.train), len(parts.test)) == (40, 0)


def test_the_rows_of_a_test_file_are_the_test() -> None:
    parts = apply_split(ROWS, "label", Split(way="file", share=0), 7)
    assert parts.test.tolist() == list(range(33, 40))


def test_a_column_that_puts_all_rows_on_one_side_is_refused() -> None:
    alone = ROWS.with_columns(pl.lit("all").alias("group"))
    with pytest.raises(Refused, match=r"^no test rows can be set aside by column 'group': all 40 rows fall on one"):
        apply_split(alone, "label", Split(way="group", share=0.2, column="group"), 0)


def test_parts_that_do_not_hold_each_row_once_are_a_bug() -> None:
    with pytest.raises(ValueError, match="do not hold each row once"):
        Parts(torch.tensor([0, 1]), torch.tensor([1]), torch.arange(2))
