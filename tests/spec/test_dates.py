"""Dates: the forms in which they are written, and the numbers that a model is given of them."""

from __future__ import annotations

import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.kinds.date import DATE, FORMS, DateSettings
from firstlight.plain.dates import date_values, days_since_1970, moments

NOON = datetime.datetime(2024, 2, 29, 12)

# The last day of each column settles which form it is in.
WRITTEN: tuple[tuple[list[str], tuple[str, ...]], ...] = (
    (["2024-02-29", "1999-12-31"], ("%Y-%m-%d",)),
    (["2024-02-29 12:00:00", "1999-12-31 23:59:58"], ("%Y-%m-%d %H:%M:%S",)),
    (["2024-02-29T12:00:00", "1999-12-31T23:59:58"], ("%Y-%m-%dT%H:%M:%S",)),
    (["2024-02-29T12:00:00Z", "1999-12-31T23:59:58Z"], ("%Y-%m-%dT%H:%M:%SZ",)),
    (["2024-02-29 12:00", "1999-12-31 23:59"], ("%Y-%m-%d %H:%M",)),
    (["2024-02-29 12:00:00.5", "1999-12-31 23:59:58.25"], ("%Y-%m-%d %H:%M:%S%.f",)),
    (["2024/02/29", "1999/12/31"], ("%Y/%m/%d",)),
    (["29.02.2024", "31.12.1999"], ("%d.%m.%Y",)),
    (["29.2.2024", "1.3.1999"], ("%d.%m.%Y",)),
    (["29/02/2024", "31/12/1999"], ("%d/%m/%Y",)),
    (["02/29/2024", "12/31/1999"], ("%m/%d/%Y",)),
    (["02/29/2024 12:00", "12/31/1999 23:59"], ("%m/%d/%Y %H:%M",)),
    (["29 Feb 2024", "31 Dec 1999"], ("%d %b %Y",)),
    (["February 29, 2024", "December 31, 1999"], ("%B %d, %Y",)),
    (["2024-02-29", "2024-02-28", "29.02.2024", "28.02.2024"], ("%Y-%m-%d", "%d.%m.%Y")),
)


@pytest.mark.parametrize(("cells", "forms"), WRITTEN, ids=lambda value: str(value[0]))
def test_the_forms_of_a_column_are_found_and_read_it(cells: list[str], forms: tuple[str, ...]) -> None:
    claim = DATE.claim(pl.Series(cells))
    assert claim is not None
    assert claim.settings.forms == forms
    assert moments(pl.Series(cells), forms).null_count() == 0


@pytest.mark.parametrize(
    "cells",
    [["1", "2"], ["2024", "1999"], ["12.5", "31.1"], ["10:30", "11:45"], ["2024-02-30", "2023-02-29"], ["May", "June"]],
    ids=str,
)
def test_what_is_no_date_is_not_taken_for_one(cells: list[str]) -> None:
    assert DATE.claim(pl.Series(cells)) is None


def test_days_that_fit_both_orders_are_read_day_first_and_it_is_said() -> None:
    claim = DATE.claim(pl.Series(["01/02/2024", "03/04/2024"]))
    assert claim is not None
    assert claim.reason == "its cells are dates such as 31/12/1999 (day first)"


def test_one_day_beyond_the_twelfth_settles_which_is_the_month() -> None:
    claim = DATE.claim(pl.Series(["01/02/2024", "03/14/2024"]))
    assert claim is not None
    assert claim.reason == "its cells are dates such as 12/31/1999 (month first)"


def test_nine_cells_in_ten_must_be_dates() -> None:
    assert DATE.claim(pl.Series(["2024-02-29"] * 9 + ["unknown"])) is not None
    assert DATE.claim(pl.Series(["2024-02-29"] * 8 + ["unknown", "lost"])) is None


def test_a_column_of_many_forms_is_read_in_all_of_them_or_not_at_all() -> None:
    forms = ["%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d %b %Y", "%d %B %Y", "%B %d, %Y", "%Y.%m.%d"]
    written = pl.Series([NOON.strftime(form) for form in forms])
    claim = DATE.claim(written)
    assert claim is not None
    assert moments(written, claim.settings.forms).null_count() == 0
    assert DATE.claim(written.extend(pl.Series(["29-02-24", "2024 02 29"]))) is None


def test_impossible_days_are_gaps_and_strays() -> None:
    cells = pl.Series(["2024-02-29", "2023-02-29", None])
    settings = DateSettings(forms=("%Y-%m-%d",))
    assert moments(cells, settings.forms).null_count() == 2
    assert DATE.strays(cells, settings).to_list() == [False, True, False]


@pytest.mark.parametrize("cells", [pl.Series([45_000, None]), pl.Series([None, None], dtype=pl.Float64)])
def test_cells_of_another_type_than_dates_are_strays_not_errors(cells: pl.Series) -> None:
    settings = DateSettings(forms=("%Y-%m-%d",))
    assert DATE.strays(cells, settings).to_list() == cells.is_not_null().to_list()


def test_a_date_is_given_as_days_month_day_weekday_and_hour() -> None:
    rows = pl.DataFrame({"day": ["1970-01-02 18:00:00", "2024-02-29 12:00:00"]})
    values = date_values(rows, {"day": ["%Y-%m-%d %H:%M:%S"]})
    assert values.tolist() == [[1.75, 1, 2, 5, 18], [19782.5, 2, 29, 4, 12]]


@given(st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2261, 12, 31)))
def test_typed_and_written_the_same_moment_gives_the_same_numbers(moment: datetime.datetime) -> None:
    typed = pl.DataFrame({"day": [moment]})
    written = pl.DataFrame({"day": [moment.isoformat(sep=" ", timespec="microseconds")]})
    settings = {"day": DateSettings(forms=("%Y-%m-%d %H:%M:%S%.f",))}
    assert DATE.encode(typed, settings, {}).tolist() == DATE.encode(written, settings, {}).tolist()


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_the_unit_in_which_a_date_is_stored_does_not_matter(unit: str) -> None:
    cells = pl.Series([NOON]).cast(pl.Datetime(unit))  # type: ignore[arg-type]
    assert days_since_1970(moments(cells, [])).to_list() == [19782.5]
    assert days_since_1970(moments(pl.Series([NOON.date()]), [])).to_list() == [19782.0]


def test_a_moment_of_another_time_zone_is_the_same_moment() -> None:
    here = pl.Series([NOON]).dt.replace_time_zone("UTC")
    there = here.dt.convert_time_zone("Asia/Tokyo")
    assert days_since_1970(moments(there, [])).to_list() == days_since_1970(moments(here, [])).to_list()


def test_dates_may_come_as_text_now_and_typed_later() -> None:
    typed = pl.DataFrame({"day": [NOON.date()]})
    for form in FORMS:
        written = pl.DataFrame({"day": [NOON.strftime(form.replace("%.f", ".0"))]})
        settings = {"day": DateSettings(forms=(form,))}
        first, second = DATE.encode(typed, settings, {}), DATE.encode(written, settings, {})
        assert first[0, :4].long().tolist() == second[0, :4].long().tolist()


def test_cells_of_another_type_than_dates_are_gaps_and_no_crash() -> None:
    for cells in (pl.Series("day", [1, 2]), pl.Series("day", [True, False])):
        assert DATE.encode(cells.to_frame(), {"day": DateSettings()}, {}).isnan().all()
