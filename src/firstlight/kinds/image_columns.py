"""Columns of pictures: which columns are some, and the one size in which they are read."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from pydantic import Field

from firstlight.data.pixel_cells import is_picture, pixel_shape
from firstlight.kinds.kind import Claim, Settings

FOLDS = 12


class ImageSettings(Settings, frozen=True):
    """The size of a column's pictures in pixels, and whether they are grey (1 channel) or in colour (3)."""

    height: int = Field(ge=1, le=8192)
    width: int = Field(ge=1, le=8192)
    channels: int = Field(ge=1, le=3)


def claim(cells: pl.Series) -> Claim[ImageSettings] | None:
    """A picture where the cells hold pixels."""
    if not is_picture(cells.dtype):
        return None
    height, width, channels = pixel_shape(cells.dtype) or (0, 0, 0)
    told = f"{height} x {width} pixels, {'grey' if channels == 1 else 'in colour'}"
    return Claim(1.0, told, ImageSettings(height=height, width=width, channels=channels))


def size_within(columns: Mapping[str, ImageSettings], side: int) -> tuple[int, int]:
    """Height and width in which all pictures are read: of the largest, made so small that no side is longer."""
    height, width = max((each.height, each.width) for each in columns.values())
    share = min(1.0, side / max(height, width))
    return max(1, round(height * share)), max(1, round(width * share))
