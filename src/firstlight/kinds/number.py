"""Numbers: typed, or written in text with a point, a comma, a currency or a unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import polars as pl
from torch import Tensor

from firstlight.kinds.kind import Claim, Settings, in_brackets, share
from firstlight.kinds.numeric import numeric_kind
from firstlight.plain.numbers import (
    LARGEST,
    number_values,
    numbers_in_dress,
    numbers_in_dress_with_decimal_comma,
    numbers_in_text,
    numbers_with_decimal_comma,
    typed_numbers,
)

Reader = Literal[
    "typed_numbers",
    "numbers_in_text",
    "numbers_with_decimal_comma",
    "numbers_in_dress",
    "numbers_in_dress_with_decimal_comma",
]
READERS: Mapping[Reader, Callable[[pl.Series], pl.Series]] = {
    "typed_numbers": typed_numbers,
    "numbers_in_text": numbers_in_text,
    "numbers_with_decimal_comma": numbers_with_decimal_comma,
    "numbers_in_dress": numbers_in_dress,
    "numbers_in_dress_with_decimal_comma": numbers_in_dress_with_decimal_comma,
}
ENOUGH = 0.9  # of the cells must be numbers; the rest become gaps, and are counted
LEADING_ZERO = r"^0\d"
DECIMAL_COMMA = r"^[-+]?(\d{1,3}([.\s']\d{3})+|\d+)(,\d+)?$"
THOUSANDS_COMMA = r"^[-+]?\d{1,3}(,\d{3})+(\.\d+)?$"
MONEY_BEFORE, UNIT_AFTER = r"^[-+]?[$€£¥]?\s?[-+]?", r"\s?(%|[$€£¥]|[A-Za-z]{1,4}|°[CF])?$"
DRESS = MONEY_BEFORE + r"(\d{1,3}(,\d{3})+(\.\d+)?|\d*\.?\d+)" + UNIT_AFTER
DRESS_WITH_DECIMAL_COMMA = MONEY_BEFORE + r"(\d{1,3}([.\s']\d{3})+|\d+)(,\d+)?" + UNIT_AFTER


class NumberSettings(Settings, frozen=True):
    """By which function of `plain.numbers` the cells are read."""

    read: Reader = "numbers_in_text"


def claim(cells: pl.Series) -> Claim[NumberSettings] | None:
    """A number where at least nine cells in ten can be read as one, and not as a code with leading zeros."""
    if cells.dtype.is_numeric():
        return Claim(0.9, "its cells are numbers", NumberSettings(read="typed_numbers"))
    if cells.dtype != pl.String:
        return None
    written = cells.drop_nulls().str.strip_chars()
    if len(written) == 0 or share(written.str.contains(LEADING_ZERO)) > 1 - ENOUGH:
        return None
    plain = share(numbers_in_text(written).is_not_null())
    if plain >= ENOUGH:
        return Claim(0.9, f"{_percent(plain)} of its cells are numbers", NumberSettings())
    if written.str.contains(",").any() and not written.str.contains(THOUSANDS_COMMA).any():
        comma = share(written.str.contains(DECIMAL_COMMA))
        if comma >= ENOUGH:
            reason = f"{_percent(comma)} of its cells are numbers with a decimal comma"
            return Claim(0.9, reason, NumberSettings(read="numbers_with_decimal_comma"))
    units = written.str.replace_all(r"[-+\d.,'\s]", "").unique().drop_nulls()
    dress: tuple[tuple[str, Reader], ...] = (
        (DRESS, "numbers_in_dress"),
        (DRESS_WITH_DECIMAL_COMMA, "numbers_in_dress_with_decimal_comma"),
    )
    for form, reader in dress:
        dressed = share(written.str.contains(form))
        if dressed >= ENOUGH and len(units.filter(units != "")) <= 1:  # with several units 3 may be more than 4
            reason = f"{_percent(dressed)} of its cells are numbers with a unit or a currency, such as {written[0]!r}"
            return Claim(0.7, reason, NumberSettings(read=reader))
    return None


def _percent(share: float) -> str:
    """Rounded down, so that 100 % means all."""
    return f"{int(share * 100)} %"


def read(cells: pl.Series, settings: NumberSettings) -> pl.Series:
    """The cells as float64, whatever type they have today: a column may come as text now and as numbers later."""
    if cells.dtype == pl.String:
        reader = "numbers_in_text" if settings.read == "typed_numbers" else settings.read
        return READERS[reader](cells)
    return typed_numbers(cells)


def values(rows: pl.DataFrame, columns: Mapping[str, NumberSettings]) -> Tensor:
    """Cells to (rows, columns) float64; gaps, endless numbers and what is no number are NaN."""
    return number_values(rows, {name: _reader(settings) for name, settings in columns.items()})


def _reader(settings: NumberSettings) -> Callable[[pl.Series], pl.Series]:
    return lambda cells: read(cells, settings)


def column_values(cells: pl.Series, settings: NumberSettings) -> Tensor:
    """The cells of one column as numbers: (rows,) float64, NaN where there is none."""
    return values(cells.to_frame(), {cells.name: settings}).flatten()


def strays(cells: pl.Series, settings: NumberSettings) -> pl.Series:
    """Cells that hold something, but no number that can be reckoned with."""
    numbers = read(cells, settings)
    return cells.is_not_null() & ~((numbers.abs() < LARGEST).fill_null(False))


def _constants(columns: Mapping[str, NumberSettings]) -> str:
    items = [f"{name!r}: {settings.read}" for name, settings in columns.items()]
    return in_brackets("NUMBERS = {", items, "}", "each column, and the function that reads it")


NUMBER = numeric_kind(
    name="number",
    block="numbers",
    settings=NumberSettings,
    claim=claim,
    values=values,
    strays=strays,
    constants=_constants,
    encode_line="number_values(rows, NUMBERS)",
)
