"""Dates and times: typed, or written in one or several forms."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from pydantic import field_validator
from torch import Tensor

from firstlight.kinds.kind import Claim, Settings, in_brackets, share
from firstlight.kinds.numeric import numeric_kind
from firstlight.plain.dates import date_values, moments

ENOUGH = 0.9  # of the cells must be dates; the rest become gaps, and are counted
FORMS = (  # the surer first: of two that fit equally many cells the first is taken
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M:%SZ", "%Y/%m/%d", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M",
    "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%d-%m-%Y", "%m-%d-%Y", "%d-%m-%Y %H:%M", "%d %b %Y", "%d-%b-%Y",
    "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%Y.%m.%d",
)  # fmt: skip
LIKE_A_DATE = r"^\s*\d{1,4}[-/. ]|^\s*[A-Z][a-z]{2,8} \d{1,2},"  # what no form begins with need not be tried


class DateSettings(Settings, frozen=True):
    """The forms in which dates are written, tried in this order; none where the cells are dates already."""

    forms: tuple[str, ...] = ()

    @field_validator("forms")
    @classmethod
    def _are_forms(cls, forms: tuple[str, ...]) -> tuple[str, ...]:
        """A form that polars cannot read by is found out here, not in the middle of a fit."""
        for form in forms:
            try:
                moments(pl.Series(["1999-12-31"]), [form])
            except pl.exceptions.PolarsError as error:
                raise ValueError(f"{form!r} is no form of a date") from error
        return forms


def claim(cells: pl.Series) -> Claim[DateSettings] | None:
    """A date where at least nine cells in ten can be read in one of the forms, or in a few of them."""
    if isinstance(cells.dtype, pl.Date | pl.Datetime):
        return Claim(1.0, "its cells are dates", DateSettings())
    if cells.dtype != pl.String:
        return None
    written = cells.drop_nulls()
    if len(written) == 0 or share(written.str.contains(LIKE_A_DATE)) < ENOUGH:
        return None
    forms: list[str] = []
    left = written
    while len(written) - len(left) < ENOUGH * len(written):
        read = {form: int(moments(left, [form]).is_not_null().sum()) for form in FORMS}
        best = max(read, key=lambda form: read[form])
        if read[best] == 0:
            return None
        forms.append(best)
        left = left.filter(moments(left, [best]).is_null())
    return Claim(0.95, _reason(forms), DateSettings(forms=tuple(forms)))


def _reason(forms: list[str]) -> str:
    order = {"%d": "day first", "%m": "month first"}.get(forms[0][:2], "")
    shown = " or ".join(_for_people(form) for form in forms)
    return f"its cells are dates such as {shown}" + (f" ({order})" if order else "")


def _for_people(form: str) -> str:
    """The form, filled with the last day of 1999."""
    filled = {"%Y": "1999", "%m": "12", "%d": "31", "%H": "23", "%M": "59", "%S": "58", "%.f": ".5"}
    for code, value in {**filled, "%b": "Dec", "%B": "December"}.items():
        form = form.replace(code, value)
    return form


def values(rows: pl.DataFrame, columns: Mapping[str, DateSettings]) -> Tensor:
    """Cells to (rows, 5 x columns) float64: days since 1970, month, day, weekday, hour; gaps are NaN."""
    readable = rows.with_columns(_readable(rows[name]) for name in columns)
    return date_values(readable, {name: settings.forms or FORMS for name, settings in columns.items()})


def _readable(cells: pl.Series) -> pl.Series:
    """Cells of other types than dates are read as they are written."""
    return cells if isinstance(cells.dtype, pl.String | pl.Date | pl.Datetime) else cells.cast(pl.String)


def strays(cells: pl.Series, settings: DateSettings) -> pl.Series:
    """Cells that hold something, but no date in one of the forms."""
    return cells.is_not_null() & moments(_readable(cells), settings.forms or FORMS).is_null()


def _constants(columns: Mapping[str, DateSettings]) -> str:
    items = [f"{name!r}: {list(settings.forms)!r}" for name, settings in columns.items()]
    return in_brackets("DATES = {", items, "}", "each column, and the forms in which its dates are written")


DATE = numeric_kind(
    name="date",
    block="dates",
    settings=DateSettings,
    claim=claim,
    values=values,
    strays=strays,
    constants=_constants,
    encode_line="date_values(rows, DATES)",
)
