"""Time becomes steps when the plan is made, by a speed that is measured once and kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.kinds import speed as speed_of
from firstlight.kinds.all_kinds import CELL_PARTS
from firstlight.kinds.cells import Cells
from firstlight.kinds.speed import machine_speed
from firstlight.plan import budget
from firstlight.plan.budget import (
    batch_for,
    epochs_within,
    fitting_for,
    network_for,
    rows_taught,
    seconds_of,
    seconds_to_learn,
    shared_out,
)
from firstlight.plan.plan import Network
from firstlight.refusal import Refused


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's cache folder that is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "firstlight" / "machine.json"


@pytest.fixture
def speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of a known speed."""
    monkeypatch.setattr(budget, "machine_speed", lambda half=False: 1e11 if half else 5e10)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10", 10), ("10s", 10), ("5m", 300), ("1h", 3600), ("0.5s", 0.5), ("1.5m", 90), (" 7 s ", 7), ("30.0", 30)],
)
def test_a_length_of_time_is_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "ten", "-5", "0", "0m", "5 minutes", "1h30m", "1e3", "nan", "5M"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(Refused) as caught:
        seconds_of(text)
    assert str(caught.value) == f"--time {text!r} is no length of time; write it as 30s, 5m or 1h."


def cells_of(rows: int, columns: int = 10, words: int = 20) -> Cells:
    """Columns of numbers that are all different, and one of words."""
    return Cells(rows, different=(rows,) * columns, vocabularies=(words,) * (words > 0), outputs=1)


def network(seconds: float | None, rows: int = 5000, columns: int = 10, words: int = 20) -> Network:
    return network_for(cells_of(rows, columns, words), seconds)


@pytest.mark.usefixtures("speed")
@given(rows=st.integers(2, 10**6), columns=st.integers(1, 2000), short=st.floats(0.1, 1000), more=st.floats(1, 10))
def test_more_time_is_never_fewer_epochs(rows: int, columns: int, short: float, more: float) -> None:
    first, second = network(short, rows, columns), network(short * more, rows, columns)
    assert 1 <= first.epochs <= second.epochs
    assert first == second.model_copy(update={"epochs": first.epochs}), "time decides the epochs and nothing else"


@pytest.mark.usefixtures("speed")
def test_ten_times_the_time_is_about_ten_times_the_epochs_until_it_is_enough() -> None:
    sizes = network(None, rows=50_000)
    few, many = (epochs_within(seconds, cells_of(50_000), sizes) for seconds in (30, 300))
    assert many == pytest.approx(10 * few, abs=10)
    assert network(1e9).epochs == network(1e8).epochs, "beyond that there is nothing left to gain"


@pytest.mark.usefixtures("speed")
def test_without_a_time_even_a_large_table_is_gone_through_a_few_times() -> None:
    assert network(None, rows=10**6, columns=500).epochs == 4
    assert network(None, rows=300).epochs == budget.MOST_EPOCHS


@pytest.mark.usefixtures("speed")
@given(rows=st.integers(2, 10**7))
def test_folds_are_never_more_than_half_of_the_rows_nor_than_the_members(rows: int) -> None:
    sizes = network(10, rows)
    folds = fitting_for(rows, rows, sizes.batch, 8, seed=0).folds
    assert 2 <= folds <= max(2, rows // 2)
    assert folds <= sizes.members


@given(rows=st.integers(2, 10**8), columns=st.integers(1, 5000))
def test_of_any_table_as_much_is_learned_from_as_fits_into_memory(rows: int, columns: int) -> None:
    taught = rows_taught(cells_of(rows, columns, words=0), None)
    assert taught * columns * 8 <= 1.6e9, "in float64, as the straight line sees them"
    assert taught == rows or (taught + 1) * columns > budget.MOST_CELLS or taught == 1_000_000


@given(seconds=st.floats(1, 1e5), rows=st.integers(10, 10**8), columns=st.integers(1, 100))
def test_the_larger_the_table_the_more_of_the_time_goes_to_all_but_learning(
    seconds: float, rows: int, columns: int
) -> None:
    cells = cells_of(rows, columns, words=0)
    left = seconds_to_learn(seconds, rows, cells)
    assert seconds / 2 <= left <= max(seconds / 2, seconds - budget.OVERHEAD)
    assert seconds_to_learn(seconds, 2 * rows, cells) <= left


@given(seconds=st.floats(0.1, 1e5))
def test_the_time_is_shared_out_whole_and_trees_come_first_where_it_is_short(seconds: float) -> None:
    times, left = shared_out(seconds, CELL_PARTS)
    assert sum(times.values()) + left == pytest.approx(seconds)
    assert left > 0
    assert times["forest"] >= min(4.0, 0.8 * seconds)
    assert times["forest"] + times["shrubs"] >= 0.34 * seconds


def test_a_part_that_is_left_out_leaves_its_time_to_all_others() -> None:
    with_all, rest = shared_out(60.0, CELL_PARTS)
    without, more = shared_out(60.0, [part for part in CELL_PARTS if part.name != "neighbours"])
    assert without["forest"] + without["shrubs"] == pytest.approx(30)
    assert more == pytest.approx(30)
    assert rest == pytest.approx(with_all["forest"] + with_all["shrubs"])


def test_a_plan_says_of_how_many_rows_it_learns_only_where_that_is_not_all() -> None:
    assert fitting_for(5000, 5000, 256, 8, seed=0).rows is None
    assert fitting_for(5000, 4000, 256, 8, seed=0).rows == 4000


def test_small_networks_that_stand_alone_have_one_thread_and_all_others_what_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(budget.torch, "get_num_threads", lambda: 6)  # type: ignore[attr-defined]
    for rows, batch, threads in ((60, 32, 1), (60, None, 6), (60, 128, 6), (5000, 32, 6)):
        assert fitting_for(rows, rows, batch, 8, seed=0).threads == threads


@given(rows=st.integers(1, 10**7), more=st.integers(0, 10**7))
def test_larger_tables_have_larger_batches(rows: int, more: int) -> None:
    assert 32 <= batch_for(rows) <= batch_for(rows + more) <= 1024


def test_many_columns_and_few_rows_make_for_fewer_bins() -> None:
    assert network(10, 10_000, 4000, 0).bins == 2
    assert network(10, 100).bins == 4
    assert network(10, 100_000, 8).bins == 128


@pytest.mark.parametrize(("rows", "times", "half"), [(499, 3.0, False), (500, 1.3, True), (5000, 1.1, False)])
def test_half_precision_is_for_many_rows_where_it_is_quicker(
    rows: int, times: float, half: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed_of, "half_pays", lambda: True)
    monkeypatch.setattr(speed_of, "_measured_speed", lambda half: 1e9 * times if half else 1e9)
    assert network(10, rows).half is half
    assert (machine_speed(half=True), machine_speed()) == (1e9 * times, 1e9)


def test_half_precision_is_not_even_measured_where_convolutions_are_slow_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed_of, "half_pays", lambda: False)
    monkeypatch.setattr(speed_of, "_measured_speed", lambda half: 1e9 / (not half))
    assert not network(10).half


def test_the_speed_is_measured_once_and_then_read(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed_of, "_measured_speed", lambda half: 1e9)
    assert machine_speed() == 1e9
    monkeypatch.setattr(speed_of, "_measured_speed", lambda half: 2e9)
    assert machine_speed() == 1e9
    assert list(json.loads(cache.read_text()).values()) == [1e9]


def test_with_the_same_speed_the_same_time_gives_the_same_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed_of, "_measured_speed", lambda half: 5e10)
    first = network(20)
    monkeypatch.setattr(speed_of, "_measured_speed", lambda half: 1e9)  # busy now; it is not asked again
    assert network(20) == first


def test_another_number_of_threads_is_another_machine(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    speeds = iter([1e9, 2e9])
    monkeypatch.setattr(speed_of, "_measured_speed", lambda half: next(speeds))
    assert machine_speed() == 1e9
    monkeypatch.setattr(speed_of.torch, "get_num_threads", lambda: 64)  # type: ignore[attr-defined]
    assert machine_speed() == 2e9
    assert sorted(json.loads(cache.read_text()).values()) == [1e9, 2e9]


@pytest.mark.parametrize("content", ["", "[]", "{", "null", '{"other": "fast"}', "\x00"])
def test_a_damaged_note_of_the_speed_costs_a_measurement_and_no_more(
    cache: Path, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text(content)
    monkeypatch.setattr(speed_of, "_measured_speed", lambda half: 1e9)
    assert machine_speed() == 1e9
    assert 1e9 in json.loads(cache.read_text()).values()


def test_a_cache_folder_that_cannot_be_written_costs_a_measurement_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(speed_of, "_measured_speed", lambda half: 1e9)
    assert machine_speed() == 1e9


def test_a_real_machine_is_neither_infinitely_fast_nor_standing_still() -> None:
    assert 1e8 < machine_speed() < 1e15
