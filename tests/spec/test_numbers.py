"""Numbers: how each way of writing them is read, and what a model is given of them."""

from __future__ import annotations

import math

import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from firstlight.kinds.number import NUMBER, READERS, NumberSettings, Reader
from firstlight.plain.numbers import (
    LARGEST,
    centre_and_spread,
    number_values,
    piecewise_linear,
    scaled,
    standardise,
    wavy_numbers,
)

# How a column is written, the reader that claims it (none: it holds no numbers), and what it reads.
WRITTEN: tuple[tuple[list[str], Reader | None, list[float]], ...] = (
    (["39.1", " 4 ", "-3.91e1", "+5", ".5", "5."], "numbers_in_text", [39.1, 4, -39.1, 5, 0.5, 5]),
    (["1e3", "2E-2"], "numbers_in_text", [1000, 0.02]),
    (["0.5", "0", "-0"], "numbers_in_text", [0.5, 0, 0]),
    (["39,1", "4", "-0,25"], "numbers_with_decimal_comma", [39.1, 4, -0.25]),
    (["1.234,5", "1.234.567,8", "1.234"], "numbers_with_decimal_comma", [1234.5, 1234567.8, 1234]),
    (["1 234,5", "1'234", "7,0"], "numbers_with_decimal_comma", [1234.5, 1234, 7]),
    (["1,234", "5", "1,234,567"], "numbers_in_dress", [1234, 5, 1234567]),
    (["1,234.50", "1,234,567.8"], "numbers_in_dress", [1234.5, 1234567.8]),
    (["$1,234.50", "$ 7", "-$5", "$-5"], "numbers_in_dress", [1234.5, 7, -5, -5]),
    (["12 %", "3.5%"], "numbers_in_dress", [12, 3.5]),
    (["3 kg", "1,234 kg", "-0.5kg"], "numbers_in_dress", [3, 1234, -0.5]),
    (["21 °C", "-4°C"], "numbers_in_dress", [21, -4]),
    (["12,5 kg", "3 kg"], "numbers_in_dress_with_decimal_comma", [12.5, 3]),
    (["1.234,50 €", "3 €", "1 234,5€"], "numbers_in_dress_with_decimal_comma", [1234.5, 3, 1234.5]),
    (["01234", "00501"], None, []),
    (["A1", "B2", "C3", "D4"], None, []),
    (["1 a", "2 b", "3 c", "4 d"], None, []),
    (["2024-01-31", "2024-02-01"], None, []),
    (["10:30", "11:45"], None, []),
    (["yes", "no"], None, []),
)


@pytest.mark.parametrize(("cells", "reader", "values"), WRITTEN, ids=lambda value: str(value)[:40])
def test_a_column_is_read_as_it_is_written(cells: list[str], reader: Reader | None, values: list[float]) -> None:
    claim = NUMBER.claim(pl.Series(cells))
    assert (claim and claim.settings.read) == reader
    if reader:
        assert READERS[reader](pl.Series(cells)).to_list() == pytest.approx(values)


@pytest.mark.parametrize("reader", [name for name in READERS if name != "typed_numbers"])
def test_what_is_no_number_becomes_a_gap(reader: Reader) -> None:
    cells = pl.Series(["abc", "", "-", ".", None, "kg", "%"], dtype=pl.String)
    assert READERS[reader](cells).null_count() == len(cells)


@given(st.floats(-1e15, 1e15, allow_nan=False))
def test_a_number_written_by_python_is_read_exactly(number: float) -> None:
    assert READERS["numbers_in_text"](pl.Series([repr(number)])).to_list() == [number]


@given(st.integers(-(10**12), 10**12), st.integers(0, 99))
def test_money_is_read_exactly_in_both_ways_of_writing_it(whole: int, cents: int) -> None:
    value = float(f"{whole}.{cents:02d}")
    american = f"{whole:,}.{cents:02d}"
    german = american.translate(str.maketrans(",.", ".,"))
    assert READERS["numbers_in_dress"](pl.Series([f"${american}", f"{american} USD"])).to_list() == [value] * 2
    reader = READERS["numbers_in_dress_with_decimal_comma"]
    assert reader(pl.Series([f"{german} €", f"€{german}"])).to_list() == [value] * 2
    assert READERS["numbers_with_decimal_comma"](pl.Series([german])).to_list() == [value]


def test_nine_cells_in_ten_must_be_numbers() -> None:
    nine = pl.Series(["1"] * 9 + ["about two"])
    assert NUMBER.claim(nine) is not None
    assert NUMBER.claim(nine.extend(pl.Series(["or three"]))) is None


def test_a_share_that_is_said_is_rounded_down_so_that_100_percent_means_all() -> None:
    claim = NUMBER.claim(pl.Series(["1"] * 999 + ["?!"]))
    assert claim is not None
    assert claim.reason == "99 % of its cells are numbers"


@pytest.mark.parametrize("kind", [pl.Int8, pl.UInt64, pl.Float32, pl.Float64, pl.Decimal(20, 2), pl.Int128])
def test_every_type_of_number_is_read(kind: pl.DataType) -> None:
    cells = pl.Series("cell", [1, 2, None]).cast(kind)
    claim = NUMBER.claim(cells)
    assert claim is not None
    values = NUMBER.encode(cells.to_frame(), {"cell": claim.settings}, {}).flatten()
    assert_close(values, torch.tensor([1.0, 2.0, math.nan], dtype=torch.float64), equal_nan=True)


def encoded(cells: list[str]) -> Tensor:
    return number_values(pl.DataFrame({"cell": cells}), {"cell": READERS["numbers_in_text"]}).flatten()


def test_endless_numbers_and_those_beyond_all_measure_are_gaps() -> None:
    values = encoded(["inf", "-inf", "1e400", "1e200", "-1e50", "1e49", "123456789012345678901234567890"])
    assert values.isnan().tolist() == [True] * 5 + [False] * 2
    assert LARGEST**6 < math.inf


def test_cells_that_are_there_and_are_no_number_are_counted_as_strays() -> None:
    cells = pl.Series(["1", "many", None, "inf", "1e200"])
    assert NUMBER.strays(cells, NumberSettings()).to_list() == [False, True, False, True, True]


def test_a_column_of_text_then_may_be_of_numbers_now_and_the_other_way_round() -> None:
    text, typed = NumberSettings(read="numbers_in_text"), NumberSettings(read="typed_numbers")
    for settings in (text, typed):
        for cells in (pl.Series("cell", ["1.5"]), pl.Series("cell", [1.5])):
            assert NUMBER.encode(cells.to_frame(), {"cell": settings}, {}).tolist() == [[1.5]]


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64).unsqueeze(1)


def test_numbers_beyond_float32_keep_their_differences() -> None:
    """A time in nanoseconds needs 19 digits, of which float32 has seven."""
    day = 86_400 * 10**9
    values = column(*(1.7e18 + day * number for number in range(9)))
    assert piecewise_linear(values, bins=4)(values).unique(dim=0).shape[0] == 9
    assert scaled(values)(values).unique(dim=0).shape[0] == 9


def test_standardised_the_median_is_0_and_the_quartiles_are_one_apart() -> None:
    values = column(1, 2, 3, 4, 5)
    centre, spread = centre_and_spread(values)
    assert (centre.item(), spread.item()) == (3, 2)
    assert standardise(values, centre, spread).flatten().tolist() == [-1, -0.5, 0, 0.5, 1]


def test_where_the_quartiles_are_equal_the_spread_is_half_of_their_range() -> None:
    assert centre_and_spread(column(0, 0, 0, 0, 0, 0, 0, 10, 20))[1].item() == 10


def test_a_constant_column_stays_finite() -> None:
    values = column(7, 7, 7)
    assert piecewise_linear(values, bins=4)(values).tolist() == [[0.0]] * 3
    assert scaled(values)(column(7, 8)).tolist() == [[0.0], [1.0]]


def test_piecewise_linear_features_agree_with_an_example_reckoned_by_hand() -> None:
    """Values 0 to 8: median 4, quartiles 2 and 6. Two bins: 0 to 4 and 4 to 8, which are -1 to 0 and 0 to 1 spreads."""
    module = piecewise_linear(column(*range(9)), bins=2)
    assert (module.width, module.left.tolist(), module.length.tolist()) == (3, [-1.0, 0.0], [1.0, 1.0])
    given = module(column(0, 3, 4, 6, 100))
    flattened = [number / math.sqrt(1 + number**2 / 9) for number in (-1, -0.25, 0, 0.5, 24)]
    assert_close(given[:, :2], torch.tensor([[0, 0], [0.75, 0], [1, 0], [1, 0.5], [1, 1]]))
    assert_close(given[:, 2], torch.tensor(flattened))


def test_a_gap_counts_as_the_median_and_is_marked_only_where_training_rows_have_gaps() -> None:
    gappy = piecewise_linear(column(0, 1, 2, math.nan), bins=2)
    gap, median = gappy(column(math.nan, 1))
    assert_close(gap[:-1], median[:-1])
    assert (gap[-1], median[-1], gappy.width) == (1, 0, 4)
    whole = piecewise_linear(column(0, 1, 2), bins=2)
    assert whole.width == 3
    assert_close(whole(column(math.nan)), whole(column(1)))


numbers = st.floats(-1e49, 1e49, allow_nan=False) | st.integers(-3, 3).map(float) | st.just(math.nan)


@given(rows=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=30), bins=st.integers(1, 8), asked=numbers)
def test_whatever_the_numbers_the_features_are_finite_and_as_wide_as_said(
    rows: list[tuple[float, float]], bins: int, asked: float
) -> None:
    taught = torch.tensor(rows, dtype=torch.float64)
    new = torch.cat([taught, torch.tensor([[asked, -asked], [1e49, -1e49]], dtype=torch.float64)])
    for module in (piecewise_linear(taught, bins), scaled(taught)):
        given = module(new)
        assert given.shape == (len(new), module.width)
        assert given.isfinite().all()
    assert piecewise_linear(taught, bins).width <= 2 * (bins + 2)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40, unique=True), st.integers(1, 8))
def test_a_larger_number_has_come_no_less_far_through_any_bin(values: list[float], bins: int) -> None:
    ordered = column(*sorted(values))
    assert (piecewise_linear(ordered, bins)(ordered).diff(dim=0) >= 0).all()


def test_scaled_columns_have_mean_0_and_deviation_1_whatever_their_unit() -> None:
    chance = torch.Generator().manual_seed(0)
    values = torch.randn(200, 3, generator=chance, dtype=torch.float64) * column(1e-9, 1, 1e48).T
    values[:, 1] += 5
    given = scaled(values)(values)
    assert_close(given.mean(dim=0), torch.zeros(3, dtype=torch.float64), atol=1e-9, rtol=0)
    assert_close(given.std(dim=0, correction=0), torch.ones(3, dtype=torch.float64))


def test_where_most_rows_share_a_value_the_bins_go_to_the_others() -> None:
    rare = torch.arange(1, 101, dtype=torch.float64) * 100
    values = torch.cat([torch.zeros(900, dtype=torch.float64), rare]).unsqueeze(1)
    module = piecewise_linear(values, bins=8)
    begins = (module.left.double() * module.spread + module.centre).round().tolist()
    assert len(begins) == 8, "as many bins as asked for"
    assert max(begins) > 5000, "and not all of them at the low end"
    assert len(module(values).unique(dim=0)) == 101, "so that every value has features of its own"


def test_waves_tell_numbers_of_one_bin_apart_and_a_gap_has_none() -> None:
    values = torch.arange(200, dtype=torch.float64).repeat(2).unsqueeze(1)
    module = wavy_numbers(values, bins=4, waves=6)
    found = module(values)
    assert found.shape == (400, module.width)
    waves = found[:200, -12:]
    assert torch.equal(found[:200], found[200:])
    apart = torch.cdist(waves, waves)[~torch.eye(200, dtype=torch.bool)]
    assert apart.min() > 1  # each of the six lies on a circle of radius 1
    assert module(torch.tensor([[torch.nan]], dtype=torch.float64))[0, -12:].tolist() == [0.0] * 12


def test_a_column_whose_values_have_a_bin_each_has_no_waves() -> None:
    values = torch.stack([torch.arange(60) % 5, torch.arange(60)], dim=1).double()
    module = wavy_numbers(values, bins=4, waves=3)
    assert module.wavy.tolist() == [1]
    assert wavy_numbers(values[:, :1], bins=4, waves=3)(values[:, :1]).equal(
        piecewise_linear(values[:, :1], 4)(values[:, :1])
    )
