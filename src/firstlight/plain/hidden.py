"""Step 4, predict: what in a picture or a video moved the answer, by hiding parts of it and asking again.

In: the pixels of one cell. Out: the same with one part of a grid painted over in the mean colour of the whole.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from firstlight.plain.pixels import pixels_of
from firstlight.plain.why import Change

PARTS_A_SIDE = 8


def parts_hidden(pixels: NDArray[np.uint8], most: int) -> Iterator[Change]:
    """A picture (height, width, channels) or video (frames, ...) with each part hidden in turn, row by row.

    Of a video a part is hidden in all of its frames.
    """
    colour = pixels.reshape(-1, pixels.shape[-1]).mean(axis=0).round().astype(np.uint8)
    height, width = pixels.shape[-3:-1]
    down, along = (np.linspace(0, side, PARTS_A_SIDE + 1).round().astype(int) for side in (height, width))
    for number in range(min(most, PARTS_A_SIDE**2)):
        row, column = divmod(number, PARTS_A_SIDE)
        hidden = pixels.copy()
        hidden[..., down[row] : down[row + 1], along[column] : along[column + 1], :] = colour
        yield Change(number + 1, f"row {row + 1}, column {column + 1}", hidden)


def with_pixels(row: pl.DataFrame, column: str, changes: Sequence[Change]) -> pl.DataFrame:
    """The row as it is, and below it once for each change of its picture or video."""
    cells = [pixels_of(row[column])[0], *(change.cell for change in changes)]
    return row[[0] * len(cells)].with_columns(pl.Series(column, np.stack(cells)))
