"""What the readers written in Rust raise over damaged files, told as one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import fastexcel
import polars as pl

from firstlight.refusal import Refused


@contextmanager
def damage_refused(location: str, what: str) -> Iterator[None]:
    """Turn an error of polars or fastexcel inside the block into a refusal; `what`: "a workbook", say."""
    try:
        yield
    except BaseException as error:
        # A panic of Rust is no Exception, and fastexcel's has no name that could be imported.
        panicked = type(error).__name__ == "PanicException"
        if not (panicked or isinstance(error, (fastexcel.FastExcelError, pl.exceptions.PolarsError))):
            raise
        raise Refused(f"{location} is {what} that is cut off or damaged; fetch or save it again.") from error
