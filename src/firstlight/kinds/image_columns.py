"""Columns of pictures: which columns are some, and the one size in which they are read."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from pydantic import Field

from firstlight.data.pixel_cells import is_picture, pixel_shape
from firstlight.kinds.kind import Claim, PartSettings, Settings

FOLDS = 12


class ImageSettings(Settings, frozen=True):
    """The size of a column's pictures in pixels, and whether they are grey (1 channel) or in colour (3)."""

    height: int = Field(ge=1, le=8192)
    width: int = Field(ge=1, le=8192)
    channels: int = Field(ge=1, le=3)


class VariedSettings(PartSettings, frozen=True):
    """How a network is fitted to pictures that are varied by chance: what all such networks have in common.

    height, width: of the pictures that are read, in pixels. moved, zoomed: how far pictures are moved, and how near
    they are taken, by chance. mirror: a picture and its mirror image are the same. half: convolutions are done in
    bfloat16.
    """

    height: int = Field(ge=1, le=1024)
    width: int = Field(ge=1, le=1024)
    members: int = Field(ge=1, le=16)
    batch: int = Field(ge=2)
    rate: float = Field(gt=0)
    decay: float = Field(ge=0)
    moved: float = Field(ge=0, le=0.5)
    zoomed: float = Field(ge=0, le=0.9)
    mirror: bool
    half: bool

    @property
    def fit_told(self) -> str:
        """What a script tells the function that fits it, beyond the data."""
        return (
            f"epochs={self.epochs}, batch={self.batch}, rate={self.rate!r}, decay={self.decay!r}, "
            f"moved={self.moved!r}, zoomed={self.zoomed!r}"
        )


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
