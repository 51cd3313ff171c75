"""Step 1, prepare: which files were cut from the same source, as their names say."""

import polars as pl
from torch import Tensor

from firstlight.plain.split import kin_by_equality

CLIP_NUMBER = r"(?i)[ _.-]+(c|clip|cut|part|scene|seg|segment|shot)?[ _.-]*\d+$"  # behind the name of the source
ENDING = r"\.\w+$"  # of a file


def like_names(names: pl.Series) -> Tensor:
    """The same number for files whose names differ in their last number alone, the row of the first: (rows,) int64."""
    return kin_by_equality(pl.DataFrame({"source": sources_of(names)}), ["source"])


def sources_of(names: pl.Series) -> pl.Series:
    """The names of files without their folder, their ending and their number: "g01" of "fight/g01_c04.avi"."""
    files = names.str.split("/").list.last().str.replace(ENDING, "")
    return files.str.replace(CLIP_NUMBER, "")
