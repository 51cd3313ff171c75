"""Step 4, predict: a table to a file that people open: csv, parquet or xlsx, told by the ending of its name.

What strangers wrote goes into a spreadsheet as text, never as a formula: a label that begins like a formula gets an
apostrophe before it, in csv and xlsx. Numbers stay numbers, a negative one with its minus.
"""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path

import polars as pl
import xlsxwriter

from firstlight.files import write_whole
from firstlight.refusal import Refused
from firstlight.wording import whole

SUFFIXES = (".csv", ".parquet", ".xlsx")
# What a spreadsheet takes for the beginning of a formula, and text that is a number all the same: "-1" as a label.
_FORMULA = r"^[=+\-@\t\r]"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_MOST_ROWS, _MOST_COLUMNS = 2**20 - 1, 2**14


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write the frame as csv, parquet or xlsx. Raises Refused for any other ending, and where it cannot be written."""
    match path.suffix.lower():
        case ".csv":
            write_whole(path, _without_formulas(_without_nesting(frame)).write_csv())
        case ".parquet":
            write_whole(path, _parquet(frame))
        case ".xlsx":
            write_whole(path, _xlsx(_without_formulas(_without_nesting(frame)), path))
        case _:
            raise Refused(f"{path} ends in none of {', '.join(SUFFIXES)}; name the file after one of these formats.")


def _without_formulas(frame: pl.DataFrame) -> pl.DataFrame:
    """Text cells and names that a spreadsheet would run get an apostrophe before them."""
    frame = frame.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))
    text = pl.col(pl.String)
    runs = text.str.contains(_FORMULA) & ~text.str.contains(_NUMBER)
    safe = frame.with_columns(pl.when(runs).then(pl.lit("'") + text).otherwise(text).name.keep())
    safe.columns = [f"'{name}" if name[:1] in tuple("=+-@\t\r") else name for name in frame.columns]
    return safe


def _without_nesting(frame: pl.DataFrame) -> pl.DataFrame:
    """Lists and records have no place in a cell; they go in as text."""
    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    texts = [
        pl.Series(name, [None if cell is None else str(cell) for cell in frame[name].to_list()]) for name in nested
    ]
    return frame.with_columns(texts)


def _parquet(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.write_parquet(out)
    return out.getvalue()


def _xlsx(frame: pl.DataFrame, path: Path) -> bytes:
    if frame.height > _MOST_ROWS or frame.width > _MOST_COLUMNS:
        raise Refused(
            f"{path}: an xlsx sheet holds at most {whole(_MOST_ROWS)} rows and {whole(_MOST_COLUMNS)} columns; "
            "write csv or parquet."
        )
    out = io.BytesIO()
    settings = {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": True, "in_memory": True}
    with xlsxwriter.Workbook(out, settings) as workbook:
        workbook.set_properties({"created": datetime(2000, 1, 1)})  # the same rows, the same bytes
        frame.write_excel(workbook, worksheet="predictions", autofit=frame.height < 10_000)
    return out.getvalue()
